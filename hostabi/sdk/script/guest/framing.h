// The framings in use, each with the pool of its unfinished frames.
#ifndef SCRIPT_FRAMING_H
#define SCRIPT_FRAMING_H

#include "state.h"

#define FRAMINGS_MAX 256u

// Returns the framing of a notation, or NULL if it is none. "lines" is short for the usual one.
static struct framing *find_framing(xp_str notation) {
  if (xp_is(notation, XP_STR("lines"))) notation = XP_STR("delimiter 0a 65536 line");
  uint32_t n = 0;
  for (struct framing *f = framings; f; f = f->next, n++)
    if (f->n == notation.n && memcmp(f->notation, notation.p, notation.n) == 0) return f;
  if (n == FRAMINGS_MAX || notation.n > 256) return NULL;
  xp_framing rules = {.pool = &(xp_pool){.size = XP_FRAME_ROOM(XP_MAX_FRAME)}};
  if (!xp_parse_framing(&rules, notation)) return NULL;
  struct framing *f = calloc(1, sizeof *f + notation.n);
  if (!f) return NULL;
  f->rules = rules;
  f->pool = (xp_pool){.size = XP_FRAME_ROOM(rules.max), .max = CONNECTIONS_MAX};
  f->rules.pool = &f->pool;
  f->n = notation.n;
  memcpy(f->notation, notation.p, notation.n);
  f->next = framings;
  framings = f;
  return f;
}

// Switches a device to another framing. Bytes that it has not returned yet go to the new one.
static void reframe(struct device *d, const struct framing *f) {
  if (d->framing) xp_framer_reset(&d->framing->rules, &d->framer);
  d->framing = f;
}

#endif
