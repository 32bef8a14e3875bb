// Output for a person at a terminal: collected in one buffer per event, and without raw control characters, whatever
// its source.
#ifndef LINE_PRINTABLE_H
#define LINE_PRINTABLE_H

#include "../../hostabi/sdk/c/exproto.h"

// The output of one event is sent in pieces of this buffer's size: few host calls, whatever the device sends.
static struct {
  xp_conn conn;
  bool refused; // the host accepts no more for this device
  uint32_t n;
  uint8_t data[4096];
} out;

static void out_begin(xp_conn conn) {
  out.conn = conn;
  out.refused = false;
  out.n = 0;
}

static void out_flush(void) {
  if (out.n > 0 && !out.refused) out.refused = xp_send(out.conn, (xp_str){out.data, out.n}) != XP_OK;
  out.n = 0;
}

static void out_byte(uint8_t c) {
  if (out.n == sizeof out.data) out_flush();
  out.data[out.n++] = c;
}

static void out_text(xp_str s) {
  for (uint32_t i = 0; i < s.n; i++) out_byte(s.p[i]);
}

static void out_hex(uint8_t c) {
  static const char digits[] = "0123456789abcdef";
  out_text(XP_STR("\\x"));
  out_byte((uint8_t)digits[c >> 4]);
  out_byte((uint8_t)digits[c & 15]);
}

// Returns the length of the UTF-8 sequence at the beginning of s, or 0 if it must not be shown (RFC 3629; no C0 or C1
// controls, no line separators and no marks that change the direction of text).
static uint32_t printable(xp_str s) {
  uint8_t c = s.p[0];
  if (c < 0x80) return c >= 0x20 && c != 0x7f;
  uint32_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || s.n < n) return 0;
  uint32_t rune = c & (0x7fu >> n);
  for (uint32_t i = 1; i < n; i++) {
    if ((s.p[i] & 0xc0) != 0x80) return 0;
    rune = rune << 6 | (s.p[i] & 0x3fu);
  }
  if ((n == 3 && rune < 0x800) || (n == 4 && rune < 0x10000) || rune > 0x10ffff) return 0;
  if ((rune >= 0xd800 && rune < 0xe000) || rune < 0xa0) return 0;
  if ((rune >= 0x2028 && rune <= 0x202e) || (rune >= 0x2066 && rune <= 0x2069)) return 0;
  return n;
}

// Writes text from others: unprintable characters appear as \xNN.
static void out_foreign(xp_str s) {
  while (s.n > 0) {
    uint32_t n = printable(s);
    if (n == 0) out_hex(*s.p);
    for (uint32_t i = 0; i < n; i++) out_byte(s.p[i]);
    if (n == 0) n = 1;
    s.p += n;
    s.n -= n;
  }
}

#endif
