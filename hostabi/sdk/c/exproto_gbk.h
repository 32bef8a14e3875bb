// Converts between UTF-8 and GBK, the encoding of texts from Chinese devices, as Windows does (code page 936). It adds
// 48 KB to a module that decodes and 16 KB more to one that encodes. Characters for private use are not converted.
#ifndef EXPROTO_GBK_H
#define EXPROTO_GBK_H

#include "exproto.h"
#include "exproto_gbk_table.h"

#define XP_GBK_WIDTH 190u // pairs for each first byte

// Writes a character as UTF-8, or nothing of it.
static inline void xp_put_utf8(xp_buf *b, uint32_t c) {
  uint8_t bytes[4];
  uint32_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (uint32_t i = n - 1; i > 0; i--, c >>= 6) bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
  bytes[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xf0) | c);
  xp_put(b, (xp_str){bytes, n});
}

// Finds the character of the pair of bytes that s begins with, 0xfffd if there is none, and the number of bytes.
static inline uint32_t xp_gbk_decode(xp_str s, uint32_t *n) {
  uint8_t first = s.p[0];
  *n = 1;
  if (first < 0x80) return first;
  if (first == 0x80) return 0x20ac;
  if (first == 0xff || s.n == 1 || s.p[1] < 0x40 || s.p[1] == 0x7f || s.p[1] == 0xff) return 0xfffd;
  *n = 2;
  uint16_t c = xp_gbk_chars[(first - 0x81u) * XP_GBK_WIDTH + s.p[1] - 0x40u - (s.p[1] > 0x7f)];
  return c ? c : 0xfffd;
}

// Writes the UTF-8 of GBK text. Bytes that are not GBK become U+FFFD.
static inline void xp_put_from_gbk(xp_buf *b, xp_str text) {
  while (text.n > 0) {
    uint32_t n, c = xp_gbk_decode(text, &n);
    xp_put_utf8(b, c);
    text.p += n;
    text.n -= n;
  }
}

// Returns pair i of part of the table: 0 for the characters that are not in the order of Unicode, 1 and 2 for two parts
// that are.
static inline uint32_t xp_gbk_pair(uint32_t part, uint32_t i) {
  if (part == 0) return xp_gbk_order[i];
  return part == 1 ? i : (41 + i / 96) * XP_GBK_WIDTH + i % 96;
}

// Finds the pair of a character. Returns false if there is none.
static inline bool xp_gbk_find(uint32_t c, uint32_t *pair) {
  static const uint32_t sizes[] = {XP_GBK_ORDERED, 32 * XP_GBK_WIDTH, 83 * 96};
  for (uint32_t part = 0; part < 3 && c >= 0x80 && c < 0x10000; part++)
    for (uint32_t low = 0, high = sizes[part]; low < high;) {
      uint32_t middle = (low + high) / 2, found = xp_gbk_chars[*pair = xp_gbk_pair(part, middle)];
      if (found == c) return true;
      if (found < c) low = middle + 1;
      else high = middle;
    }
  return false;
}

// Reads the first character of UTF-8 that is valid; anything else is 0xfffd of one byte.
static inline uint32_t xp_read_utf8(xp_str s, uint32_t *n) {
  uint8_t first = s.p[0];
  *n = 1;
  if (first < 0x80) return first;
  uint32_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.n < size) return 0xfffd;
  uint32_t c = first & (0x7fu >> size);
  for (uint32_t i = 1; i < size; i++) {
    if ((s.p[i] & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (s.p[i] & 0x3fu);
  }
  if ((size == 3 && c < 0x800) || (size == 4 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
    return 0xfffd;
  }
  *n = size;
  return c;
}

// Writes the GBK of UTF-8. Characters that GBK does not have become ?, and the result is false.
static inline bool xp_put_gbk(xp_buf *b, xp_str text) {
  bool all = true;
  while (text.n > 0) {
    uint32_t n, pair, c = xp_read_utf8(text, &n);
    text.p += n;
    text.n -= n;
    if (c < 0x80 || c == 0x20ac) {
      xp_put_byte(b, c < 0x80 ? (uint8_t)c : 0x80);
    } else if (xp_gbk_find(c, &pair)) {
      uint8_t second = (uint8_t)(pair % XP_GBK_WIDTH + 0x40);
      const uint8_t bytes[] = {(uint8_t)(pair / XP_GBK_WIDTH + 0x81), (uint8_t)(second + (second >= 0x7f))};
      xp_put(b, (xp_str){bytes, 2});
    } else {
      xp_put_byte(b, '?');
      all = false;
    }
  }
  return all;
}

#endif
