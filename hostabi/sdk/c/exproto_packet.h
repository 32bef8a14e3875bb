// Reads and writes the fields of frames: numbers of both byte orders, BCD, bits and bytes.
//
//   xp_packet r = xp_get(frame);
//   uint8_t kind = xp_get_u8(&r);
//   int16_t tenths = xp_get_i16(&r);
//   if (!xp_get_done(&r)) return XP_CLOSE;
//
// Nothing is read beyond the frame or written beyond the buffer. Both keep a fault until the end, so that a protocol
// checks once, after the last field.
#ifndef EXPROTO_PACKET_H
#define EXPROTO_PACKET_H

#include "exproto.h"

// ---- Reading

// Reads the fields of a frame from front to back. A field that does not fit into the rest of the frame is a fault: it
// and all further fields are 0 or empty, and bad is set.
typedef struct {
  const uint8_t *p;
  uint32_t n;    // unread bytes
  uint32_t bits; // unread bits of last
  uint8_t last;
  bool bad;
} xp_packet;

// Starts to read a frame.
static inline xp_packet xp_get(xp_str frame) { return (xp_packet){.p = frame.p, .n = frame.n}; }

// Reports whether all fields so far were in the frame, and valid.
static inline bool xp_get_ok(const xp_packet *r) { return !r->bad; }

// xp_get_ok, and no byte is left.
static inline bool xp_get_done(const xp_packet *r) { return !r->bad && r->n == 0; }

// Sets bad, for a field whose value is invalid.
static inline void xp_get_fail(xp_packet *r) { *r = (xp_packet){.bad = true}; }

// Reads n bytes. Unread bits of the last byte are skipped, as by every function other than xp_get_bits.
static inline xp_str xp_get_bytes(xp_packet *r, uint32_t n) {
  r->bits = 0;
  if (n > r->n) xp_get_fail(r);
  if (r->bad) return (xp_str){0};
  xp_str s = {r->p, n};
  if (n > 0) r->p += n;
  r->n -= n;
  return s;
}

// Skips n bytes.
static inline void xp_get_skip(xp_packet *r, uint32_t n) { xp_get_bytes(r, n); }

// Reads all unread bytes.
static inline xp_str xp_get_rest(xp_packet *r) { return xp_get_bytes(r, r->n); }

static inline uint64_t xp_get_big(xp_packet *r, uint32_t n) {
  xp_str s = xp_get_bytes(r, n);
  uint64_t v = 0;
  for (uint32_t i = 0; i < s.n; i++) v = v << 8 | s.p[i];
  return v;
}

static inline uint64_t xp_get_little(xp_packet *r, uint32_t n) { return xp_little_endian(xp_get_bytes(r, n)); }

// Unsigned and signed numbers of 8 to 64 bits: big-endian, and little-endian with le at the end.
static inline uint8_t xp_get_u8(xp_packet *r) { return (uint8_t)xp_get_big(r, 1); }
static inline uint16_t xp_get_u16(xp_packet *r) { return (uint16_t)xp_get_big(r, 2); }
static inline uint16_t xp_get_u16le(xp_packet *r) { return (uint16_t)xp_get_little(r, 2); }
static inline uint32_t xp_get_u24(xp_packet *r) { return (uint32_t)xp_get_big(r, 3); }
static inline uint32_t xp_get_u24le(xp_packet *r) { return (uint32_t)xp_get_little(r, 3); }
static inline uint32_t xp_get_u32(xp_packet *r) { return (uint32_t)xp_get_big(r, 4); }
static inline uint32_t xp_get_u32le(xp_packet *r) { return (uint32_t)xp_get_little(r, 4); }
static inline uint64_t xp_get_u64(xp_packet *r) { return (uint64_t)xp_get_big(r, 8); }
static inline uint64_t xp_get_u64le(xp_packet *r) { return (uint64_t)xp_get_little(r, 8); }
static inline int8_t xp_get_i8(xp_packet *r) { return (int8_t)xp_get_big(r, 1); }
static inline int16_t xp_get_i16(xp_packet *r) { return (int16_t)xp_get_big(r, 2); }
static inline int16_t xp_get_i16le(xp_packet *r) { return (int16_t)xp_get_little(r, 2); }
static inline int32_t xp_get_i32(xp_packet *r) { return (int32_t)xp_get_big(r, 4); }
static inline int32_t xp_get_i32le(xp_packet *r) { return (int32_t)xp_get_little(r, 4); }
static inline int64_t xp_get_i64(xp_packet *r) { return (int64_t)xp_get_big(r, 8); }
static inline int64_t xp_get_i64le(xp_packet *r) { return (int64_t)xp_get_little(r, 8); }

static inline float xp_float_of(uint32_t bits) {
  float v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

static inline double xp_double_of(uint64_t bits) {
  double v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

// IEEE 754 numbers.
static inline float xp_get_f32(xp_packet *r) { return xp_float_of(xp_get_u32(r)); }
static inline float xp_get_f32le(xp_packet *r) { return xp_float_of(xp_get_u32le(r)); }
static inline double xp_get_f64(xp_packet *r) { return xp_double_of(xp_get_u64(r)); }
static inline double xp_get_f64le(xp_packet *r) { return xp_double_of(xp_get_u64le(r)); }

static inline uint64_t xp_get_digits(xp_packet *r, uint32_t n, bool big) {
  if (n > 9) xp_get_fail(r);
  xp_str s = xp_get_bytes(r, n);
  uint64_t v = 0;
  for (uint32_t i = 0; i < s.n; i++) {
    uint8_t c = s.p[big ? i : s.n - 1 - i];
    if (c >> 4 > 9 || (c & 15) > 9) {
      xp_get_fail(r);
      return 0;
    }
    v = v * 100 + (uint64_t)((c >> 4) * 10 + (c & 15));
  }
  return v;
}

// Reads 2n decimal digits from n bytes, at most 9, the most significant first. Another digit than 0 to 9 is a fault.
static inline uint64_t xp_get_bcd(xp_packet *r, uint32_t n) { return xp_get_digits(r, n, true); }

// xp_get_bcd with the bytes in the other order, as on the M-Bus.
static inline uint64_t xp_get_bcdle(xp_packet *r, uint32_t n) { return xp_get_digits(r, n, false); }

// Reads n bits, at most 32, the most significant of a byte first.
static inline uint32_t xp_get_bits(xp_packet *r, uint32_t n) {
  if (n > 32 || n > r->bits + 8 * (uint64_t)r->n) {
    xp_get_fail(r);
    return 0;
  }
  uint32_t v = 0;
  for (; n > 0; n--) {
    if (r->bits == 0) {
      r->last = *r->p++;
      r->n--;
      r->bits = 8;
    }
    v = v << 1 | (r->last >> --r->bits & 1);
  }
  return v;
}

// ---- Writing

// These write into an xp_buf. A field that does not fit is left out as a whole, and so are all further ones.

// Writes bytes.
static inline void xp_put_bytes(xp_buf *b, xp_str s) {
  if (b->full || s.n == 0) return;
  xp_put(b, s);
}

static inline void xp_put_little(xp_buf *b, uint64_t v, uint32_t n) {
  uint8_t bytes[8];
  for (uint32_t i = 0; i < n; i++) bytes[i] = (uint8_t)(v >> (8 * i));
  xp_put_bytes(b, (xp_str){bytes, n});
}

static inline void xp_put_big(xp_buf *b, uint64_t v, uint32_t n) {
  uint8_t bytes[8];
  for (uint32_t i = 0; i < n; i++) bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
  xp_put_bytes(b, (xp_str){bytes, n});
}

// Numbers of 8 to 64 bits: big-endian, and little-endian with le at the end. Signed ones are written alike.
static inline void xp_put_u8(xp_buf *b, uint8_t v) { xp_put_big(b, v, 1); }
static inline void xp_put_u16(xp_buf *b, uint16_t v) { xp_put_big(b, v, 2); }
static inline void xp_put_u16le(xp_buf *b, uint16_t v) { xp_put_little(b, v, 2); }
static inline void xp_put_u24(xp_buf *b, uint32_t v) { xp_put_big(b, v, 3); }
static inline void xp_put_u24le(xp_buf *b, uint32_t v) { xp_put_little(b, v, 3); }
static inline void xp_put_u32(xp_buf *b, uint32_t v) { xp_put_big(b, v, 4); }
static inline void xp_put_u32le(xp_buf *b, uint32_t v) { xp_put_little(b, v, 4); }
static inline void xp_put_u64(xp_buf *b, uint64_t v) { xp_put_big(b, v, 8); }
static inline void xp_put_u64le(xp_buf *b, uint64_t v) { xp_put_little(b, v, 8); }

static inline uint32_t xp_bits_of(float v) {
  uint32_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  return bits;
}

static inline uint64_t xp_bits_of_double(double v) {
  uint64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  return bits;
}

// IEEE 754 numbers.
static inline void xp_put_f32(xp_buf *b, float v) { xp_put_u32(b, xp_bits_of(v)); }
static inline void xp_put_f32le(xp_buf *b, float v) { xp_put_u32le(b, xp_bits_of(v)); }
static inline void xp_put_f64(xp_buf *b, double v) { xp_put_u64(b, xp_bits_of_double(v)); }
static inline void xp_put_f64le(xp_buf *b, double v) { xp_put_u64le(b, xp_bits_of_double(v)); }

static inline void xp_put_digits(xp_buf *b, uint64_t v, uint32_t n, bool big) {
  uint8_t bytes[9];
  if (n > sizeof bytes) {
    b->full = true;
    return;
  }
  for (uint32_t i = 0; i < n; i++, v /= 100) bytes[big ? n - 1 - i : i] = (uint8_t)(v / 10 % 10 << 4 | v % 10);
  xp_put_bytes(b, (xp_str){bytes, n});
}

// Writes v as 2n decimal digits in n bytes, at most 9, the most significant first. Higher digits are left out.
static inline void xp_put_bcd(xp_buf *b, uint64_t v, uint32_t n) { xp_put_digits(b, v, n, true); }

// xp_put_bcd with the bytes in the other order.
static inline void xp_put_bcdle(xp_buf *b, uint64_t v, uint32_t n) { xp_put_digits(b, v, n, false); }

#endif
