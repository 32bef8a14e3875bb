// Parses rules in the notation of hostabi/conformance/framing.md, such as "delimiter 0a 1024 line": for guests whose
// operator can choose the framing.
#ifndef EXPROTO_NOTATION_H
#define EXPROTO_NOTATION_H

#include "exproto_framing.h"

typedef struct {
  xp_str rest;
  bool more, bad; // there is a word in rest; a word was wrong
} xp_words;

static inline xp_str xp_word(xp_words *w) {
  xp_str word = {w->rest.p, 0};
  while (w->more && word.n < w->rest.n && word.p[word.n] != ' ') word.n++;
  if (word.n == 0) w->bad = true;
  xp_take_head(&w->rest, word.n);
  w->more = w->rest.n > 0;
  if (w->more) xp_take_head(&w->rest, 1);
  return word;
}

static inline bool xp_is(xp_str s, xp_str literal) {
  if (s.n != literal.n) return false;
  for (uint32_t i = 0; i < s.n; i++)
    if (s.p[i] != literal.p[i]) return false;
  return true;
}

// Parses the decimal digits of s; sets *bad if there are none, or the number is above most.
static inline uint32_t xp_decimal(xp_str s, uint32_t most, bool *bad) {
  uint64_t n = 0;
  if (s.n == 0 || s.n > 10) *bad = true;
  for (uint32_t i = 0; i < s.n && !*bad; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') *bad = true;
    n = n * 10 + (s.p[i] - '0');
  }
  if (n > most) *bad = true;
  return *bad ? 0 : (uint32_t)n;
}

static inline uint32_t xp_number(xp_words *w) { return xp_decimal(xp_word(w), 0x7fffffff, &w->bad); }

static inline int32_t xp_signed(xp_words *w) {
  xp_str s = xp_word(w);
  bool minus = s.n > 0 && s.p[0] == '-';
  if (minus) xp_take_head(&s, 1);
  int32_t n = (int32_t)xp_decimal(s, 0x7fffffff, &w->bad);
  return minus ? -n : n;
}

static inline uint8_t xp_digit(uint8_t c, bool *bad) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  *bad = true;
  return 0;
}

// Parses hexadecimal digits of 1 to most bytes, and returns the number of bytes.
static inline uint32_t xp_hex(xp_words *w, xp_str s, uint8_t *to, uint32_t most) {
  if (s.n == 0 || s.n % 2 == 1 || s.n / 2 > most) w->bad = true;
  for (uint32_t i = 0; !w->bad && i < s.n / 2; i++) to[i] = (uint8_t)(xp_digit(s.p[2 * i], &w->bad) << 4 | xp_digit(s.p[2 * i + 1], &w->bad));
  return w->bad ? 0 : s.n / 2;
}

static inline uint8_t xp_byte(xp_words *w) {
  uint8_t c = 0;
  xp_hex(w, xp_word(w), &c, 1);
  return c;
}

// Returns which of three words is next.
static inline int xp_choice(xp_words *w, xp_str a, xp_str b, xp_str c) {
  xp_str s = xp_word(w);
  if (xp_is(s, a)) return 0;
  if (xp_is(s, b)) return 1;
  if (c.n == 0 || !xp_is(s, c)) w->bad = true;
  return 2;
}

static inline xp_strip xp_read_strip(xp_words *w, xp_str line) {
  return (xp_strip)xp_choice(w, XP_STR("keep"), XP_STR("strip"), line);
}

static inline void xp_read_map(xp_words *w, xp_framing *r) {
  xp_str s = xp_word(w);
  for (; s.n > 0 && r->map_n < 8; r->map_n++) {
    uint8_t pair[2] = {0};
    if (r->map_n > 0 && *xp_take_head(&s, 1).p != ',') w->bad = true;
    if (s.n < 4) w->bad = true;
    if (w->bad) return;
    xp_hex(w, xp_take_head(&s, 4), pair, 2);
    r->map[r->map_n] = (xp_code_pair){pair[0], pair[1]};
  }
  if (s.n > 0) w->bad = true;
}

static inline void xp_read_escape(xp_words *w, xp_framing *r) {
  r->no_start = w->rest.n > 0 && w->rest.p[0] == '-';
  if (r->no_start) {
    if (xp_word(w).n != 1) w->bad = true;
  } else {
    r->start = xp_byte(w);
  }
  r->end = xp_byte(w);
  r->escape = xp_byte(w);
  r->max = xp_number(w);
  if (xp_choice(w, XP_STR("xor"), XP_STR("map"), XP_STR("")) == 0) r->xor = xp_byte(w);
  else xp_read_map(w, r);
}

static inline void xp_read_length(xp_words *w, xp_framing *r) {
  r->width = xp_number(w);
  r->little_endian = xp_choice(w, XP_STR("big"), XP_STR("little"), XP_STR("")) == 1;
  r->offset = xp_number(w);
  r->adjust = xp_signed(w);
  r->max = xp_number(w);
  r->strip = xp_read_strip(w, XP_STR(""));
}

static inline void xp_read_delimiter(xp_words *w, xp_framing *r) {
  r->mark_n = xp_hex(w, xp_word(w), r->mark, sizeof r->mark);
  r->max = xp_number(w);
  r->strip = xp_read_strip(w, XP_STR("line"));
}

// Fills r, except its pool, and reports whether notation is well-formed and its values are valid with that pool.
static inline bool xp_parse_framing(xp_framing *r, xp_str notation) {
  xp_words w = {notation, true, false};
  xp_str kind = xp_word(&w);
  *r = (xp_framing){.pool = r->pool};
  if (xp_is(kind, XP_STR("delimiter"))) r->kind = XP_DELIMITER, xp_read_delimiter(&w, r);
  else if (xp_is(kind, XP_STR("length"))) r->kind = XP_LENGTH, xp_read_length(&w, r);
  else if (xp_is(kind, XP_STR("fixed"))) r->kind = XP_FIXED, r->max = xp_number(&w);
  else if (xp_is(kind, XP_STR("escape"))) r->kind = XP_ESCAPE, xp_read_escape(&w, r);
  return !w.bad && !w.more && xp_framing_valid(r);
}

#endif
