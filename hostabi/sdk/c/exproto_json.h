// Writes JSON into bounded memory.
//
//   uint8_t room[200];
//   xp_json w = XP_JSON(room);
//   xp_json_object(&w);
//   xp_json_key(&w, XP_STR("temperature"));
//   xp_json_float(&w, 21.299999, 2);
//   xp_json_end_object(&w);
//   if (xp_json_ok(&w)) xp_publish(conn, 0, topic, 1, xp_json_written(&w));
#ifndef EXPROTO_JSON_H
#define EXPROTO_JSON_H

#include "exproto.h"

#define XP_JSON_DEPTH 16u // how deep objects and arrays may be nested

// Writes one JSON text. A text that does not fit, or is not JSON (a value without its key, an object without its end),
// is a fault: xp_json_ok is false.
typedef struct {
  xp_buf b;
  bool fault, more, keyed, written; // more: a comma goes before the next value
  uint32_t depth;
  uint8_t open[XP_JSON_DEPTH]; // the ends of what has begun
} xp_json;

#define XP_JSON(array) ((xp_json){.b = XP_BUF(array)})

// Reports whether a whole text was written.
static inline bool xp_json_ok(const xp_json *w) { return !w->fault && !w->b.full && w->depth == 0 && w->written; }

// Returns the text, or nothing if xp_json_ok is false.
static inline xp_str xp_json_written(const xp_json *w) { return xp_json_ok(w) ? xp_written(&w->b) : (xp_str){0}; }

static inline bool xp_json_in_object(const xp_json *w) { return w->depth > 0 && w->open[w->depth - 1] == '}'; }

// Begins a value, after a comma if one is due.
static inline void xp_json_value(xp_json *w) {
  if (xp_json_in_object(w) != w->keyed || w->written) w->fault = true;
  if (w->more && !w->keyed) xp_put_byte(&w->b, ',');
  w->more = true;
  w->keyed = false;
  w->written = w->depth == 0;
}

static inline void xp_json_begin(xp_json *w, uint8_t start, uint8_t end) {
  xp_json_value(w);
  if (w->depth == XP_JSON_DEPTH) w->fault = true;
  if (w->fault) return;
  xp_put_byte(&w->b, start);
  w->open[w->depth++] = end;
  w->more = w->written = false;
}

static inline void xp_json_end(xp_json *w, uint8_t end) {
  if (w->depth == 0 || w->open[w->depth - 1] != end || w->keyed) w->fault = true;
  if (w->fault) return;
  w->depth--;
  xp_put_byte(&w->b, end);
  w->more = true;
  w->written = w->depth == 0;
}

// Begins and ends an object.
static inline void xp_json_object(xp_json *w) { xp_json_begin(w, '{', '}'); }
static inline void xp_json_end_object(xp_json *w) { xp_json_end(w, '}'); }

// Begins and ends an array.
static inline void xp_json_array(xp_json *w) { xp_json_begin(w, '[', ']'); }
static inline void xp_json_end_array(xp_json *w) { xp_json_end(w, ']'); }

// Writes a character of ASCII inside of a string.
static inline void xp_json_escaped(xp_buf *b, uint8_t c) {
  static const char hex[] = "0123456789abcdef";
  switch (c) {
  case '"':
  case '\\':
    xp_put_byte(b, '\\');
    xp_put_byte(b, c);
    return;
  case '\n': xp_put(b, XP_STR("\\n")); return;
  case '\r': xp_put(b, XP_STR("\\r")); return;
  case '\t': xp_put(b, XP_STR("\\t")); return;
  }
  if (c >= ' ') {
    xp_put_byte(b, c);
    return;
  }
  xp_put(b, XP_STR("\\u00"));
  xp_put_byte(b, (uint8_t)hex[c >> 4]);
  xp_put_byte(b, (uint8_t)hex[c & 15]);
}

// Returns the length of the UTF-8 sequence that s begins with, 0 if there is none.
static inline uint32_t xp_json_sequence(xp_str s) {
  uint8_t c = s.p[0];
  if (c < 0x80) return 1;
  uint32_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || s.n < n) return 0;
  for (uint32_t i = 1; i < n; i++)
    if ((s.p[i] & 0xc0) != 0x80) return 0;
  bool valid = (c != 0xe0 || s.p[1] >= 0xa0) && (c != 0xed || s.p[1] < 0xa0) && (c != 0xf0 || s.p[1] >= 0x90) &&
               (c != 0xf4 || s.p[1] < 0x90);
  return valid ? n : 0;
}

static inline void xp_json_quote(xp_json *w, xp_str s) {
  xp_put_byte(&w->b, '"');
  while (s.n > 0 && !w->b.full) {
    uint32_t n = xp_json_sequence(s);
    if (n == 1) xp_json_escaped(&w->b, s.p[0]);
    else xp_put(&w->b, n == 0 ? XP_STR("\xef\xbf\xbd") : (xp_str){s.p, n});
    if (n == 0) n = 1;
    s.p += n;
    s.n -= n;
  }
  xp_put_byte(&w->b, '"');
}

// Writes the name of the next value of an object.
static inline void xp_json_key(xp_json *w, xp_str name) {
  if (!xp_json_in_object(w) || w->keyed) w->fault = true;
  if (w->more) xp_put_byte(&w->b, ',');
  xp_json_quote(w, name);
  xp_put_byte(&w->b, ':');
  w->keyed = true;
}

// Writes a string. Bytes that are not UTF-8 become U+FFFD.
static inline void xp_json_text(xp_json *w, xp_str s) {
  xp_json_value(w);
  xp_json_quote(w, s);
}

static inline void xp_json_digits(xp_json *w, uint64_t v, int32_t decimals) {
  uint8_t room[32];
  uint32_t i = sizeof room;
  for (; decimals > 0 && v % 10 == 0; decimals--) v /= 10;
  while (v > 0 || decimals >= 0) {
    room[--i] = (uint8_t)('0' + v % 10);
    v /= 10;
    if (--decimals == 0) room[--i] = '.';
  }
  xp_put(&w->b, (xp_str){room + i, (uint32_t)sizeof room - i});
}

// Writes v divided by 10 to the power of decimals, 0 to 9, without zeros at the end: 2150 with 2 decimals is 21.5. It
// is exact, for protocols whose values are whole tenths or hundredths.
static inline void xp_json_decimal(xp_json *w, int64_t v, int32_t decimals) {
  xp_json_value(w);
  if (decimals < 0 || decimals > 9) {
    w->fault = true;
    return;
  }
  if (v < 0) xp_put_byte(&w->b, '-');
  xp_json_digits(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, decimals);
}

// Writes a number.
static inline void xp_json_int(xp_json *w, int64_t v) { xp_json_decimal(w, v, 0); }

// Writes a number.
static inline void xp_json_uint(xp_json *w, uint64_t v) {
  xp_json_value(w);
  xp_json_digits(w, v, 0);
}

// Writes true or false.
static inline void xp_json_bool(xp_json *w, bool v) {
  xp_json_value(w);
  xp_put(&w->b, v ? XP_STR("true") : XP_STR("false"));
}

// Writes null.
static inline void xp_json_null(xp_json *w) {
  xp_json_value(w);
  xp_put(&w->b, XP_STR("null"));
}

// Writes v, rounded to at most so many decimals, 0 to 9, and without zeros at the end: 21.299999 with 2 decimals is
// 21.3. Infinity, NaN and values of 9e18 and more are null, because JSON or its readers do not have them.
static inline void xp_json_float(xp_json *w, double v, int32_t decimals) {
  if (decimals < 0 || decimals > 9) w->fault = true;
  if (!(v > -9e18 && v < 9e18)) {
    xp_json_null(w);
    return;
  }
  xp_json_value(w);
  const double large = 4503599627370496; // 2 to the power of 52
  double size = v < 0 ? -v : v, scale = 1;
  int32_t places = 0;
  for (; places < decimals && size * scale < large; places++) scale *= 10;
  for (; places > 0 && size * scale >= 2 * large; places--) scale /= 10;
  double scaled = size * scale;
  uint64_t whole = (uint64_t)scaled;
  if (scaled - (double)whole >= 0.5) whole++;
  if (v < 0 && whole > 0) xp_put_byte(&w->b, '-');
  xp_json_digits(w, whole, places);
}

#endif
