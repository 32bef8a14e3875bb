// The input of a device: lines put together from whatever pieces the network makes of them, and what came after `login` in the
// same piece held until the broker has answered. A connection that has nothing unfinished holds no buffer.
#ifndef LINE_INPUT_H
#define LINE_INPUT_H

#include "../../hostabi/sdk/c/exproto_state.h"

#define LINE_MAX 1024u
#define HELD_MAX 65536u // for one connection: the largest body of an event
#define CONNECTIONS_MAX 131072u
#define BLOCKS_MAX 8192u // lines begun and blocks held, of all connections together: 8 MiB

struct block {
  struct block *next;
  uint32_t n;
  uint8_t data[LINE_MAX];
};

typedef enum { LOGGED_OUT, LOGGING_IN, LOGGED_IN } login_state;

struct device {
  xp_conn conn;
  uint8_t login;
  bool skipping;        // the rest of a line that was too long
  bool leaving;         // quit was typed, answers are owed
  uint32_t unanswered;  // calls
  struct block *line;   // begun, not ended
  struct block *held;   // came while logging in
  struct block *newest; // the last of held
  uint32_t held_bytes;
};

static xp_table devices = {.pool = {.size = sizeof(struct device), .max = CONNECTIONS_MAX}};
static xp_pool blocks = {.size = sizeof(struct block), .max = BLOCKS_MAX};

typedef enum { INPUT_OK, INPUT_TOO_MUCH, INPUT_NO_MEMORY } input_result;

static bool block_room(struct block **b) {
  if (!*b) *b = xp_take(&blocks);
  return *b;
}

static uint32_t block_append(struct block *b, xp_str s) {
  uint32_t n = LINE_MAX - b->n < s.n ? LINE_MAX - b->n : s.n;
  __builtin_memcpy(b->data + b->n, s.p, n);
  b->n += n;
  return n;
}

// Keeps bytes for after the login.
static input_result hold(struct device *d, xp_str s) {
  if (s.n > HELD_MAX - d->held_bytes) return INPUT_TOO_MUCH;
  d->held_bytes += s.n;
  while (s.n > 0) {
    if (!d->held || d->newest->n == LINE_MAX) {
      struct block *b = xp_take(&blocks);
      if (!b) return INPUT_NO_MEMORY;
      if (d->held) d->newest->next = b;
      else d->held = b;
      d->newest = b;
    }
    uint32_t n = block_append(d->newest, s);
    s.p += n;
    s.n -= n;
  }
  return INPUT_OK;
}

static void forget_line(struct device *d) {
  if (d->line) xp_give(&blocks, d->line);
  d->line = NULL;
}

static void free_device(struct device *d) {
  forget_line(d);
  while (d->held) {
    struct block *next = d->held->next;
    xp_give(&blocks, d->held);
    d->held = next;
  }
  xp_remove(&devices, d->conn);
}

// What next_line found.
typedef enum { LINE_NONE, LINE_WHOLE, LINE_TOO_LONG, LINE_NO_MEMORY } line_result;

static uint32_t find_newline(xp_str s) {
  uint32_t i = 0;
  while (i < s.n && s.p[i] != '\n') i++;
  return i;
}

static xp_str without_return(xp_str s) {
  if (s.n > 0 && s.p[s.n - 1] == '\r') s.n--;
  return s;
}

// Takes one line from the head of in, joined with what was kept of it before; the rest of an unfinished one is kept. The
// line is valid until the next call, and holds a block of the device that forget_line frees.
static line_result next_line(struct device *d, xp_str *in, xp_str *line) {
  uint32_t n = find_newline(*in);
  bool whole = n < in->n;
  xp_str part = {in->p, n};
  in->p += n + whole;
  in->n -= n + whole;
  if (d->skipping) {
    d->skipping = !whole;
    return LINE_NONE;
  }
  if (part.n > LINE_MAX - (d->line ? d->line->n : 0)) {
    forget_line(d);
    d->skipping = !whole;
    return LINE_TOO_LONG;
  }
  if (whole && !d->line) {
    *line = without_return(part);
    return LINE_WHOLE;
  }
  if (!block_room(&d->line)) return LINE_NO_MEMORY;
  block_append(d->line, part);
  *line = without_return((xp_str){d->line->data, d->line->n});
  return whole ? LINE_WHOLE : LINE_NONE;
}

#endif
