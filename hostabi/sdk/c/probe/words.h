// The words of the probe's lines, and its answers.
#ifndef PROBE_WORDS_H
#define PROBE_WORDS_H

#include "../exproto_notation.h"

static uint8_t answer_bytes[8192];
static xp_buf answer;
static xp_conn answered;

static void answer_begin(xp_conn conn) {
  answer = XP_BUF(answer_bytes);
  answered = conn;
}

static void answer_flush(void) {
  if (answer.n > 0) xp_send(answered, xp_written(&answer));
  answer.n = 0;
}

// Adds to the answer, which is sent in pieces if it is long.
static void put(xp_str s) {
  while (s.n > 0) {
    if (answer.n == answer.cap) answer_flush();
    uint32_t room = answer.cap - answer.n;
    xp_put(&answer, xp_take_head(&s, s.n < room ? s.n : room));
  }
}

static void say(xp_str s) {
  put(s);
  put(XP_STR("\n"));
}

static void put_number(uint64_t v) {
  uint8_t digits[20];
  uint32_t at = sizeof digits;
  do digits[--at] = (uint8_t)('0' + v % 10);
  while (v /= 10);
  put((xp_str){digits + at, sizeof digits - at});
}

static void put_named(xp_str name, xp_str value) {
  put(name);
  put(value);
}

static void put_hex(xp_str s) {
  for (uint32_t i = 0; i < s.n; i++) {
    static const char digits[] = "0123456789abcdef";
    char two[] = {digits[s.p[i] >> 4], digits[s.p[i] & 15]};
    put((xp_str){(const uint8_t *)two, 2});
  }
}

static uint32_t number(xp_words *l) { return xp_decimal(xp_word(l), UINT32_MAX, &l->bad); }

// Returns the rest of the line.
static xp_str text(xp_words *l) {
  l->more = false;
  return l->rest;
}

// Reports whether the line was correct, and nothing is left of it.
static bool whole(const xp_words *l) {
  if (l->bad || l->more) say(XP_STR("error usage"));
  return !l->bad && !l->more;
}

#endif
