// Splits a stream into frames, however the network has cut it: by delimiter, by length, of a fixed size,
// escape-stuffed, or measured by a function.
//
// hostabi/conformance/framing.md defines each kind byte by byte. A guest defines the rules once, and each connection
// has an xp_framer (initially zeroed). An unfinished frame is in a piece of the rules' pool, which the framer returns
// between frames:
//
//   static xp_pool pieces = {.size = XP_FRAME_ROOM(1024), .max = 4096};
//   static const xp_framing lines = {.kind = XP_DELIMITER, .mark = {'\n'}, .mark_n = 1, .max = 1024, .strip = XP_STRIP_LINE, .pool = &pieces};
//   ...
//   xp_str line;
//   for (xp_outcome o; (o = xp_next_frame(&lines, &d->framer, &bytes, &line)) != XP_NO_FRAME;) ...
#ifndef EXPROTO_FRAMING_H
#define EXPROTO_FRAMING_H

#include "exproto_state.h"

#define XP_MAX_FRAME 1048576u // the largest max

// XP_FRAME_ROOM is the piece size of a pool for frames of at most max bytes.
#define XP_FRAME_ROOM(max) (((max) + 8u + 7u) & ~7u)

typedef enum { XP_DELIMITER = 1, XP_LENGTH, XP_FIXED, XP_ESCAPE, XP_CUSTOM } xp_framing_kind;

typedef enum {
  XP_STRIP_NOTHING, // the delimiter or the length stays in the frame
  XP_STRIP_MARK,    // the delimiter, or all up to the end of the length, is taken away
  XP_STRIP_LINE,    // of XP_DELIMITER: also one \r before it
} xp_strip;

typedef struct {
  uint8_t code, value;
} xp_code_pair;

// The rules for one kind of frames. Leave the members of other kinds zero.
typedef struct {
  xp_framing_kind kind;
  uint32_t max;  // bytes of a frame (without its delimiter, flags or escapes), 1 to XP_MAX_FRAME; for XP_FIXED: the size
  xp_pool *pool; // its pieces must have at least XP_FRAME_ROOM(max) bytes
  xp_strip strip;
  // XP_DELIMITER: the delimiter
  uint8_t mark[8];
  uint32_t mark_n;
  // XP_LENGTH: offset bytes, the number of width bytes (1, 2 or 4), the rest. The whole frame has offset + width +
  // number + adjust bytes.
  uint32_t offset, width;
  bool little_endian;
  int32_t adjust; // -width: the number includes itself; -(offset + width): it counts the whole frame; 2: it omits a checksum of two bytes
  // XP_ESCAPE: start (unless no_start), content, end. After escape follows a byte xor `xor`, or the code of a pair.
  uint8_t start, end, escape, xor;
  bool no_start;
  xp_code_pair map[8];
  uint32_t map_n;
  // XP_CUSTOM: returns the length of the frame that begins with bytes, of which there is at least one: 0 if it cannot
  // be known before there are more, and less than 0 if no frame begins so. More bytes must not change a length or a
  // refusal. It is called again with each piece of the stream until it knows the length, so it should look at the head
  // of a frame only. After a refusal, XP_BROKEN is returned once, and bytes are skipped up to one that is not refused.
  int32_t (*measure)(xp_str bytes);
} xp_framing;

typedef enum {
  XP_NO_FRAME = 0, // all bytes are consumed
  XP_FRAME,
  XP_TOO_LONG,  // the frame is skipped; the next call continues after it
  XP_BROKEN,    // likewise; after a broken length no more frames are found
  XP_NO_MEMORY, // the pool is exhausted: close the connection
} xp_outcome;

// The unfinished frame of a connection. Zero it for a new connection.
typedef struct {
  uint8_t *piece;
  uint32_t n;     // bytes in piece, or in tail
  uint64_t skip;  // bytes of a frame that is too long
  uint64_t whole; // for XP_LENGTH, once it is known
  uint32_t front; // bytes of piece that were returned, before the n
  uint8_t state, tail[8];
  bool given, escaped, lost;
} xp_framer;

// Drops the unfinished frame and starts over. Also call it when the connection is closed: it returns the piece to the
// pool.
static inline void xp_framer_reset(const xp_framing *r, xp_framer *f) {
  if (f->piece) xp_give(r->pool, f->piece);
  *f = (xp_framer){0};
}

// Ends a frame: its piece returns to the pool, or at the next call if the frame was just returned in it.
static inline void xp_frame_done(const xp_framing *r, xp_framer *f, bool given) {
  f->n = 0;
  f->whole = 0;
  f->given = given && f->piece;
  if (f->piece && !given) {
    xp_give(r->pool, f->piece);
    f->piece = NULL;
  }
}

// Returns the piece of the last frame to the pool at once instead of at the next call: for protocols that stop in the
// middle of an event.
static inline void xp_frame_forget(const xp_framing *r, xp_framer *f) {
  if (f->given) xp_frame_done(r, f, false);
}

static inline xp_str xp_take_head(xp_str *in, uint32_t n) {
  xp_str head = {in->p, n};
  in->p += n;
  in->n -= n;
  return head;
}

// Moves n bytes from the front of in to the unfinished frame.
static inline bool xp_keep(const xp_framing *r, xp_framer *f, xp_str *in, uint32_t n) {
  if (n == 0) return true;
  if (!f->piece && !(f->piece = xp_take(r->pool))) return false;
  xp_str s = xp_take_head(in, n);
  __builtin_memcpy(f->piece + f->n, s.p, n);
  f->n += n;
  return true;
}

// ---- Delimiter

// Returns byte i of the buffered bytes followed by in.
static inline uint8_t xp_seam(const xp_framer *f, const uint8_t *held, xp_str in, uint32_t i) {
  return i < f->n ? held[i] : in.p[i - f->n];
}

// Reports whether the delimiter ends with byte i of in.
static inline bool xp_mark_ends(const xp_framing *r, const xp_framer *f, const uint8_t *held, xp_str in, uint32_t i) {
  uint32_t last = f->n + i;
  if (in.p[i] != r->mark[r->mark_n - 1] || last + 1 < r->mark_n) return false;
  for (uint32_t k = 1; k < r->mark_n; k++)
    if (xp_seam(f, held, in, last - k) != r->mark[r->mark_n - 1 - k]) return false;
  return true;
}

// Keeps the end of the buffered bytes and n bytes of in, as far as it may be the beginning of a delimiter.
static inline void xp_keep_tail(const xp_framing *r, xp_framer *f, const uint8_t *held, xp_str *in, uint32_t n) {
  uint8_t tail[8];
  uint32_t all = f->n + n, most = r->mark_n - 1, kept = all < most ? all : most;
  for (uint32_t i = 0; i < kept; i++) tail[i] = xp_seam(f, held, *in, all - kept + i);
  xp_take_head(in, n);
  xp_frame_done(r, f, false);
  __builtin_memcpy(f->tail, tail, sizeof tail);
  f->n = kept;
}

static inline xp_str xp_strip_mark(const xp_framing *r, xp_str s) {
  if (r->strip != XP_STRIP_NOTHING) s.n -= r->mark_n;
  if (r->strip == XP_STRIP_LINE && s.n > 0 && s.p[s.n - 1] == '\r') s.n--;
  return s;
}

static inline void xp_skip_to_mark(const xp_framing *r, xp_framer *f, xp_str *in) {
  for (uint32_t i = 0; i < in->n; i++)
    if (xp_mark_ends(r, f, f->tail, *in, i)) {
      xp_take_head(in, i + 1);
      f->state = 0;
      f->n = 0;
      return;
    }
  xp_keep_tail(r, f, f->tail, in, in->n);
}

static inline xp_outcome xp_next_delimited(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  if (f->state) xp_skip_to_mark(r, f, in);
  for (uint32_t i = 0; i < in->n; i++) {
    if (xp_mark_ends(r, f, f->piece, *in, i)) {
      bool held = f->n > 0;
      if (held && !xp_keep(r, f, in, i + 1)) return XP_NO_MEMORY;
      *frame = xp_strip_mark(r, held ? (xp_str){f->piece, f->n} : xp_take_head(in, i + 1));
      xp_frame_done(r, f, true);
      return XP_FRAME;
    }
    if (f->n + i + 1 == r->max + r->mark_n) {
      xp_keep_tail(r, f, f->piece, in, i + 1);
      f->state = 1;
      return XP_TOO_LONG;
    }
  }
  return xp_keep(r, f, in, in->n) ? XP_NO_FRAME : XP_NO_MEMORY;
}

// ---- Length and fixed size

static inline int64_t xp_whole_length(const xp_framing *r, const uint8_t *head) {
  uint32_t number = 0;
  for (uint32_t i = 0; i < r->width; i++)
    number = number << 8 | head[r->offset + (r->little_endian ? r->width - 1 - i : i)];
  return (int64_t)r->offset + r->width + number + r->adjust;
}

// Returns a frame of f->whole bytes once it is complete: inside in if that contains all of it.
static inline xp_outcome xp_gather(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  uint32_t missing = (uint32_t)f->whole - f->n;
  if (f->n == 0 && missing <= in->n) {
    *frame = xp_take_head(in, missing);
  } else {
    if (!xp_keep(r, f, in, missing < in->n ? missing : in->n)) return XP_NO_MEMORY;
    if (f->n < f->whole) return XP_NO_FRAME;
    *frame = (xp_str){f->piece, f->n};
  }
  xp_frame_done(r, f, true);
  if (r->strip == XP_STRIP_MARK) xp_take_head(frame, r->offset + r->width);
  return XP_FRAME;
}

// Reads the head of a frame, which is in the piece or, if complete, in in.
static inline xp_outcome xp_measure(const xp_framing *r, xp_framer *f, xp_str *in) {
  uint32_t header = r->offset + r->width;
  bool direct = f->n == 0 && in->n >= header;
  if (!direct) {
    uint32_t missing = header - f->n;
    if (!xp_keep(r, f, in, missing < in->n ? missing : in->n)) return XP_NO_MEMORY;
    if (f->n < header) return XP_NO_FRAME;
  }
  int64_t whole = xp_whole_length(r, direct ? in->p : f->piece);
  if (whole >= header && whole <= r->max) {
    f->whole = (uint64_t)whole;
    return XP_FRAME;
  }
  if (direct) xp_take_head(in, header);
  xp_frame_done(r, f, false);
  f->lost = whole < header;
  f->skip = f->lost ? 0 : (uint64_t)whole - header;
  return f->lost ? XP_BROKEN : XP_TOO_LONG;
}

static inline xp_outcome xp_next_measured(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  uint32_t skip = f->lost || f->skip > in->n ? in->n : (uint32_t)f->skip;
  xp_take_head(in, skip);
  if (!f->lost) f->skip -= skip;
  if (in->n == 0) return XP_NO_FRAME;
  if (r->kind == XP_FIXED) f->whole = r->max;
  if (f->whole == 0) {
    xp_outcome o = xp_measure(r, f, in);
    if (o != XP_FRAME) return o;
  }
  return xp_gather(r, f, in, frame);
}

// ---- Escape

enum { XP_ESC_NEW, XP_ESC_OUTSIDE, XP_ESC_INSIDE, XP_ESC_SKIPPING };

static inline bool xp_is_start(const xp_framing *r, uint8_t c) { return c == r->start && !r->no_start; }

// Finds the byte that represents c after the escape. Returns false if c is not escaped.
static inline bool xp_escape_code(const xp_framing *r, uint8_t c, uint8_t *code) {
  if (r->xor) {
    *code = c ^ r->xor;
    return c == r->end || c == r->escape || xp_is_start(r, c);
  }
  for (uint32_t i = 0; i < r->map_n; i++)
    if (r->map[i].value == c) {
      *code = r->map[i].code;
      return true;
    }
  return false;
}

static inline bool xp_escape_value(const xp_framing *r, uint8_t code, uint8_t *c) {
  *c = code ^ r->xor;
  if (r->xor) return true;
  for (uint32_t i = 0; i < r->map_n; i++)
    if (r->map[i].code == code) {
      *c = r->map[i].value;
      return true;
    }
  return false;
}

// Enters a state between frames or at the beginning of one.
static inline void xp_escape_enter(const xp_framing *r, xp_framer *f, uint8_t state, bool given) {
  xp_frame_done(r, f, given);
  f->escaped = false;
  f->state = state;
}

static inline uint8_t xp_behind_end(const xp_framing *r) { return r->no_start || r->start == r->end ? XP_ESC_INSIDE : XP_ESC_OUTSIDE; }

static inline xp_outcome xp_escape_add(const xp_framing *r, xp_framer *f, uint8_t c) {
  if (f->n == r->max) {
    xp_escape_enter(r, f, XP_ESC_SKIPPING, false);
    return XP_TOO_LONG;
  }
  xp_str one = {&c, 1};
  return xp_keep(r, f, &one, 1) ? XP_NO_FRAME : XP_NO_MEMORY;
}

static inline xp_outcome xp_escape_end(const xp_framing *r, xp_framer *f, xp_str *frame) {
  xp_outcome o = f->escaped ? XP_BROKEN : f->n > 0 ? XP_FRAME : XP_NO_FRAME;
  if (o == XP_FRAME) *frame = (xp_str){f->piece, f->n};
  xp_escape_enter(r, f, xp_behind_end(r), o == XP_FRAME);
  return o;
}

static inline xp_outcome xp_unescape(const xp_framing *r, xp_framer *f, uint8_t code) {
  uint8_t c;
  if (!xp_escape_value(r, code, &c)) {
    xp_escape_enter(r, f, XP_ESC_SKIPPING, false);
    return XP_BROKEN;
  }
  f->escaped = false;
  return xp_escape_add(r, f, c);
}

static inline xp_outcome xp_escape_step(const xp_framing *r, xp_framer *f, uint8_t c, xp_str *frame) {
  if (c == r->end && f->state != XP_ESC_OUTSIDE) return xp_escape_end(r, f, frame);
  if (xp_is_start(r, c)) {
    bool cut = f->state == XP_ESC_INSIDE && (f->escaped || f->n > 0);
    xp_escape_enter(r, f, XP_ESC_INSIDE, false);
    return cut ? XP_BROKEN : XP_NO_FRAME;
  }
  if (f->state != XP_ESC_INSIDE) return XP_NO_FRAME;
  if (f->escaped) return xp_unescape(r, f, c);
  if (c != r->escape) return xp_escape_add(r, f, c);
  f->escaped = true;
  return XP_NO_FRAME;
}

// Counts the unescaped bytes at the front of in, as far as the frame has room for them.
static inline uint32_t xp_plain(const xp_framing *r, const xp_framer *f, xp_str in) {
  uint32_t n = 0, room = r->max - f->n, most = room < in.n ? room : in.n;
  while (n < most && in.p[n] != r->end && in.p[n] != r->escape && !xp_is_start(r, in.p[n])) n++;
  return n;
}

static inline xp_outcome xp_next_unstuffed(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  if (f->state == XP_ESC_NEW) f->state = r->no_start ? XP_ESC_INSIDE : XP_ESC_OUTSIDE;
  while (in->n > 0) {
    if (f->state == XP_ESC_INSIDE && !f->escaped) {
      uint32_t run = xp_plain(r, f, *in);
      if (f->n == 0 && run > 0 && run < in->n && in->p[run] == r->end) {
        *frame = xp_take_head(in, run);
        xp_take_head(in, 1);
        xp_escape_enter(r, f, xp_behind_end(r), false);
        return XP_FRAME;
      }
      if (!xp_keep(r, f, in, run)) return XP_NO_MEMORY;
      if (in->n == 0) break;
    }
    xp_outcome o = xp_escape_step(r, f, *xp_take_head(in, 1).p, frame);
    if (o != XP_NO_FRAME) return o;
  }
  return XP_NO_FRAME;
}

// Writes the wire form of frame: start, the escaped content, end.
static inline void xp_stuff(const xp_framing *r, xp_buf *out, xp_str frame) {
  if (!r->no_start) xp_put_byte(out, r->start);
  for (uint32_t i = 0; i < frame.n; i++) {
    uint8_t c = frame.p[i];
    if (xp_escape_code(r, frame.p[i], &c)) xp_put_byte(out, r->escape);
    else c = frame.p[i];
    xp_put_byte(out, c);
  }
  xp_put_byte(out, r->end);
}

// ---- Custom

// Skips a byte that begins no frame. What is held behind it, of all bytes, is looked at again.
static inline void xp_custom_skip(const xp_framing *r, xp_framer *f, xp_str *in, xp_str all) {
  uint32_t held = f->n, i = 1;
  while (i < held && r->measure((xp_str){all.p + i, all.n - i}) < 0) i++;
  f->whole = 0;
  if (i < held) {
    __builtin_memmove(f->piece, f->piece + i, held - i);
    f->n = held - i;
    return;
  }
  xp_frame_done(r, f, false);
  xp_take_head(in, i - held);
}

// Returns a frame of n bytes, which are all there.
static inline void xp_custom_give(const xp_framing *r, xp_framer *f, xp_str *in, uint32_t n, xp_str *frame) {
  f->lost = false;
  f->whole = 0;
  if (f->n == 0) {
    *frame = xp_take_head(in, n);
    return;
  }
  *frame = (xp_str){f->piece, n};
  if (n < f->n) {
    f->front = n;
    f->n -= n;
    return;
  }
  xp_take_head(in, n - f->n);
  xp_frame_done(r, f, true);
}

// Takes a step: XP_NO_FRAME says that there is no outcome yet.
static inline xp_outcome xp_custom_step(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  uint32_t room = r->max - f->n, window = in->n < room ? in->n : room;
  xp_str all = {in->p, window};
  if (f->n > 0) {
    __builtin_memcpy(f->piece + f->n, in->p, window);
    all = (xp_str){f->piece, f->n + window};
  }
  int32_t n = f->whole ? (int32_t)f->whole : r->measure(all);
  if (n < 0) {
    bool again = f->lost;
    f->lost = true;
    xp_custom_skip(r, f, in, all);
    return again ? XP_NO_FRAME : XP_BROKEN;
  }
  if (n > 0 && (uint32_t)n <= all.n) {
    xp_custom_give(r, f, in, (uint32_t)n, frame);
    return XP_FRAME;
  }
  if ((uint32_t)n > r->max || all.n == r->max) {
    f->skip = n > 0 ? (uint32_t)n - f->n : window;
    f->lost = false;
    xp_frame_done(r, f, false);
    return XP_TOO_LONG;
  }
  f->whole = (uint32_t)n;
  return xp_keep(r, f, in, window) ? XP_NO_FRAME : XP_NO_MEMORY;
}

static inline xp_outcome xp_next_custom(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  if (f->front > 0) __builtin_memmove(f->piece, f->piece + f->front, f->n);
  f->front = 0;
  while (in->n > 0) {
    uint32_t skip = f->skip < in->n ? (uint32_t)f->skip : in->n;
    xp_take_head(in, skip);
    f->skip -= skip;
    xp_outcome o = in->n > 0 ? xp_custom_step(r, f, in, frame) : XP_NO_FRAME;
    if (o != XP_NO_FRAME) return o;
  }
  return XP_NO_FRAME;
}

// ---- All of them

// Takes the next frame from the front of in. The bytes after it stay in in for the next call. The frame is valid until
// then, and points into the event's bytes if possible. Call it until XP_NO_FRAME.
static inline xp_outcome xp_next_frame(const xp_framing *r, xp_framer *f, xp_str *in, xp_str *frame) {
  xp_frame_forget(r, f);
  switch (r->kind) {
  case XP_DELIMITER: return xp_next_delimited(r, f, in, frame);
  case XP_LENGTH:
  case XP_FIXED: return xp_next_measured(r, f, in, frame);
  case XP_ESCAPE: return xp_next_unstuffed(r, f, in, frame);
  case XP_CUSTOM: return xp_next_custom(r, f, in, frame);
  }
  return XP_BROKEN; // not valid
}

static inline bool xp_pair_valid(const xp_framing *r, uint32_t i) {
  for (uint32_t k = 0; k < i; k++)
    if (r->map[k].code == r->map[i].code || r->map[k].value == r->map[i].value) return false;
  return r->map[i].code != r->end && !xp_is_start(r, r->map[i].code);
}

static inline bool xp_has_code(const xp_framing *r, uint8_t c) {
  uint8_t code;
  return xp_escape_code(r, c, &code) && code != r->end && !xp_is_start(r, code);
}

static inline bool xp_escape_valid(const xp_framing *r) {
  if (r->escape == r->end || xp_is_start(r, r->escape) || (r->xor == 0) == (r->map_n == 0) || r->map_n > 8) return false;
  for (uint32_t i = 0; i < r->map_n; i++)
    if (!xp_pair_valid(r, i)) return false;
  return xp_has_code(r, r->end) && xp_has_code(r, r->escape) && (r->no_start || xp_has_code(r, r->start));
}

static inline bool xp_length_valid(const xp_framing *r) {
  if (r->width != 1 && r->width != 2 && r->width != 4) return false;
  return r->offset <= 255 && r->adjust >= -1024 && r->adjust <= 1024 && r->max >= r->offset + r->width && r->strip <= XP_STRIP_MARK;
}

// Reports whether rules meet framing.md. Call it once, in init: invalid rules may read and write anywhere.
static inline bool xp_framing_valid(const xp_framing *r) {
  if (r->max == 0 || r->max > XP_MAX_FRAME || !r->pool || r->pool->size < XP_FRAME_ROOM(r->max)) return false;
  switch (r->kind) {
  case XP_DELIMITER: return r->mark_n >= 1 && r->mark_n <= 8 && r->strip <= XP_STRIP_LINE;
  case XP_LENGTH: return xp_length_valid(r);
  case XP_FIXED: return r->strip == XP_STRIP_NOTHING;
  case XP_ESCAPE: return xp_escape_valid(r);
  case XP_CUSTOM: return r->measure && r->strip == XP_STRIP_NOTHING;
  }
  return false;
}

#endif
