// The input of a device: lines joined from the pieces that the network delivers, and the bytes after `login` in the
// same piece, which wait until the broker has answered. A connection without unfinished input has no buffer.
#ifndef LINE_INPUT_H
#define LINE_INPUT_H

#include "../../hostabi/sdk/c/exproto_framing.h"

#define LINE_MAX 1024u
#define HELD_MAX 65536u // per connection: the largest body of an event
#define CONNECTIONS_MAX 131072u
#define BLOCKS_MAX 8192u // unfinished lines and waiting blocks of all connections together: 8 MiB

struct block {
  struct block *next;
  uint32_t n;
  uint8_t data[LINE_MAX];
};

typedef enum { LOGGED_OUT, LOGGING_IN, LOGGED_IN } login_state;

struct device {
  xp_conn conn;
  uint8_t login;
  bool leaving;         // quit was typed, answers are pending
  uint32_t unanswered;  // number of pending calls
  xp_framer framer;     // of an unfinished line
  struct block *held;   // input that arrived during the login
  struct block *newest; // the last of held
  uint32_t held_bytes;
};

static xp_table devices = {.pool = {.size = sizeof(struct device), .max = CONNECTIONS_MAX}};
static xp_pool blocks = {.size = sizeof(struct block), .max = BLOCKS_MAX};
static const xp_framing lines = {.kind = XP_DELIMITER, .mark = "\n", .mark_n = 1, .max = LINE_MAX, .strip = XP_STRIP_LINE, .pool = &blocks};

typedef enum { INPUT_OK, INPUT_TOO_MUCH, INPUT_NO_MEMORY } input_result;

static uint32_t block_append(struct block *b, xp_str s) {
  uint32_t n = LINE_MAX - b->n < s.n ? LINE_MAX - b->n : s.n;
  __builtin_memcpy(b->data + b->n, s.p, n);
  b->n += n;
  return n;
}

// Keeps bytes until after the login.
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

static void free_device(struct device *d) {
  xp_framer_reset(&lines, &d->framer);
  while (d->held) {
    struct block *next = d->held->next;
    xp_give(&blocks, d->held);
    d->held = next;
  }
  xp_remove(&devices, d->conn);
}

#endif
