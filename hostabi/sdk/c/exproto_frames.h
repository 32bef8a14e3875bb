// A guest whose stream has frames: this header splits it, holds what follows a login until its answer, keeps what
// arrives after XP_PAUSE, and has the state of each connection.
//
//   struct meter {
//     xp_frame_conn conn; // must be first
//     uint32_t number;
//   };
//
//   static xp_pool pieces = {.size = XP_FRAME_ROOM(64), .max = 3000};
//   static const xp_framing rules = {.kind = XP_LENGTH, .width = 2, .max = 64, .pool = &pieces};
//
//   static xp_action on_frame(void *device, xp_str frame) {
//     struct meter *m = device;
//     ...
//     return xp_log_in(&m->conn, &client, password);
//   }
//
//   XP_FRAMES(.rules = &rules, .size = sizeof(struct meter), .max = 3000, .frame = on_frame);
#ifndef EXPROTO_FRAMES_H
#define EXPROTO_FRAMES_H

#include "exproto_framing.h"

// The limits of a connection. A device that exceeds one is closed.
#define XP_MAX_HELD 65536u  // bytes that wait while frames are paused: what one event brings
#define XP_MAX_FRAMES 4096u // frames of one event, because the calls of an event are limited

// The memory for what waits, of all connections together, in blocks of 1 KiB.
#ifndef XP_HELD_BLOCKS
#define XP_HELD_BLOCKS 4096
#endif

// The token of xp_log_in. Those of a guest are smaller.
#define XP_LOGIN ((int64_t)1 << 32)

typedef struct xp_held {
  struct xp_held *next;
  uint32_t n;
  uint8_t data[1024];
} xp_held;

// The first member of the state of a connection.
typedef struct {
  xp_conn id; // for calls
  xp_framer framer;
  xp_held *held, *newest; // what waits while frames are paused
  uint32_t held_n, frames; // frames: of this event
  xp_code refused;         // the login, at once
  bool paused;             // frames wait
  bool login;              // in progress
  bool stopped;            // the gateway does not read the socket
  bool closed;
} xp_frame_conn;

// The events of a guest with frames. All but frame are optional. device is the state of the connection.
struct xp_frame_handler {
  const xp_framing *rules; // how the stream is split
  uint32_t size; // of the state of a connection
  uint32_t max;  // the most connections; further ones are closed
  int32_t (*init)(xp_str config);
  xp_action (*created)(void *device, const xp_conninfo *info);
  // One frame, which is valid during the event. After XP_PAUSE, frames wait for xp_resume_frames.
  xp_action (*frame)(void *device, xp_str frame);
  // XP_TOO_LONG or XP_BROKEN: XP_CONTINUE skips the frame. Without it, the connection is closed. XP_NO_MEMORY always
  // closes it.
  xp_action (*frame_error)(void *device, xp_outcome error);
  // The outcome of xp_log_in. Frames continue with XP_CONTINUE. Without it, a refusal closes the connection.
  xp_action (*login)(void *device, xp_result result);
  xp_action (*timer)(void *device, int32_t type); // without it, the connection is closed
  xp_action (*alarm)(void *device, uint32_t id);
  xp_action (*messages)(void *device, xp_messages *messages);
  xp_action (*result)(void *device, int64_t token, xp_result result); // of calls with a token of the guest
  void (*closed)(void *device, xp_str reason);                        // the state is freed afterwards
  xp_action (*drain)(void *device);
};

static const struct xp_frame_handler xp_the_frames; // defined by XP_FRAMES

static xp_table xp_frame_devices;
static xp_pool xp_frame_held = {.size = sizeof(xp_held), .max = XP_HELD_BLOCKS};

// A callback for the outcome of a call.
typedef xp_action (*xp_done)(void *device, xp_result result);

#define XP_CALLBACKS 64u // the most functions of a guest that are callbacks

static xp_done xp_callbacks[XP_CALLBACKS];
static uint32_t xp_callbacks_n;

// Returns a token whose outcome goes to done: xp_publish(m->conn.id, xp_answer_to(on_published), ...). After
// XP_CALLBACKS different functions it is 0, which requests no answer.
static inline int64_t xp_answer_to(xp_done done) {
  uint32_t i = 0;
  while (i < xp_callbacks_n && xp_callbacks[i] != done) i++;
  if (i == XP_CALLBACKS) return 0;
  if (i == xp_callbacks_n) xp_callbacks[xp_callbacks_n++] = done;
  return XP_LOGIN + 1 + i;
}

// Opens the session at the broker. Frames wait until the login event, which has the broker's answer or the gateway's
// refusal. Return the action: it is XP_PAUSE, or XP_CLOSE if a login is in progress.
static inline xp_action xp_log_in(xp_frame_conn *c, const xp_client *client, xp_str password) {
  if (c->login) return XP_CLOSE;
  c->login = c->paused = true;
  c->refused = xp_authenticate(c->id, XP_LOGIN, client, password);
  return XP_PAUSE;
}

// Continues with the frames after XP_PAUSE, and with reading the socket, when the event ends.
static inline void xp_resume_frames(xp_frame_conn *c) { c->paused = c->login; }

// Closes the connection after sending the queued bytes, and drops the frames that wait; why is for the gateway's log.
static inline xp_action xp_close_frames(xp_frame_conn *c, xp_str why) {
  c->closed = true;
  xp_close(c->id, why);
  return XP_CLOSE;
}

// ---- What it does

static inline void xp_frames_drop(xp_frame_conn *c) {
  while (c->held) {
    xp_held *next = c->held->next;
    xp_give(&xp_frame_held, c->held);
    c->held = next;
  }
  c->held_n = 0;
}

// Keeps what waits.
static inline xp_action xp_frames_hold(xp_frame_conn *c, xp_str in) {
  if (in.n > XP_MAX_HELD - c->held_n) return xp_close_frames(c, XP_STR("more than 64 KiB wait for an answer"));
  c->held_n += in.n;
  while (in.n > 0) {
    if (!c->held || c->newest->n == sizeof c->newest->data) {
      xp_held *block = xp_take(&xp_frame_held);
      if (!block) return xp_close_frames(c, XP_STR("no memory for what waits for an answer"));
      if (c->held) c->newest->next = block;
      else c->held = block;
      c->newest = block;
    }
    uint32_t room = sizeof c->newest->data - c->newest->n, n = in.n < room ? in.n : room;
    __builtin_memcpy(c->newest->data + c->newest->n, in.p, n);
    c->newest->n += n;
    xp_take_head(&in, n);
  }
  return XP_CONTINUE;
}

static inline xp_action xp_frames_outcome(xp_frame_conn *c, xp_outcome o, xp_str frame) {
  if (o == XP_FRAME) return xp_the_frames.frame(c, frame);
  if (o == XP_NO_MEMORY) return xp_close_frames(c, XP_STR("no memory for a frame"));
  return xp_the_frames.frame_error ? xp_the_frames.frame_error(c, o) : XP_CLOSE;
}

// Handles the frames of in, up to one that pauses.
static inline xp_action xp_frames_feed(xp_frame_conn *c, xp_str in) {
  xp_str frame = {0};
  for (xp_outcome o; (o = xp_next_frame(xp_the_frames.rules, &c->framer, &in, &frame)) != XP_NO_FRAME;) {
    if (++c->frames > XP_MAX_FRAMES) return xp_close_frames(c, XP_STR("more than 4096 frames at once"));
    xp_action a = xp_frames_outcome(c, o, frame);
    if (a == XP_CLOSE || c->closed) return XP_CLOSE;
    if (a == XP_PAUSE || c->paused) {
      c->paused = true;
      xp_frame_forget(xp_the_frames.rules, &c->framer);
      return xp_frames_hold(c, in);
    }
  }
  return XP_CONTINUE;
}

// Continues with what waited. After another pause, the rest of it waits again.
static inline xp_action xp_frames_feed_held(xp_frame_conn *c) {
  xp_held *block = c->held;
  xp_action a = XP_CONTINUE;
  c->held = c->newest = NULL;
  c->held_n = 0;
  while (block) {
    xp_held *next = block->next;
    xp_str in = {block->data, block->n};
    if (a == XP_CONTINUE) a = c->paused ? xp_frames_hold(c, in) : xp_frames_feed(c, in);
    xp_give(&xp_frame_held, block);
    block = next;
  }
  return a;
}

static inline xp_action xp_frames_logged_in(xp_frame_conn *c, xp_result r) {
  c->login = c->paused = false;
  if (xp_the_frames.login) return xp_the_frames.login(c, r);
  return r.code == XP_OK ? XP_CONTINUE : XP_CLOSE;
}

static inline xp_action xp_frames_action(xp_frame_conn *c) {
  c->frames = 0;
  if (c->paused) {
    c->stopped = true;
    return XP_PAUSE;
  }
  if (c->stopped) xp_resume(c->id);
  c->stopped = false;
  return XP_CONTINUE;
}

// Ends each event: handles what the event made ready, and returns the action for the gateway.
static inline xp_action xp_frames_after(xp_frame_conn *c, xp_action a) {
  for (;;) {
    if (a == XP_PAUSE) c->paused = true;
    if (a == XP_CLOSE || c->closed) {
      c->closed = true;
      xp_frames_drop(c);
      return XP_CLOSE;
    }
    if (c->refused != XP_OK) {
      xp_result r = {.code = c->refused};
      c->refused = XP_OK;
      a = xp_frames_logged_in(c, r);
    } else if (!c->paused && c->held) {
      a = xp_frames_feed_held(c);
    } else {
      return xp_frames_action(c);
    }
  }
}

// ---- The events

static inline xp_frame_conn *xp_frames_find(xp_conn conn) { return xp_find(&xp_frame_devices, conn); }

static inline int32_t xp_frames_init(xp_str config) {
  const struct xp_frame_handler *h = &xp_the_frames;
  xp_frame_devices.pool = (xp_pool){.size = (h->size + 7) & ~7u, .max = h->max};
  if (!h->rules || !xp_framing_valid(h->rules) || h->size < sizeof(xp_frame_conn) || !h->frame) {
    xp_log(XP_ERROR, XP_STR("starting: the rules, the size or the frame event of XP_FRAMES are not valid"));
    return XP_BAD_PARAM;
  }
  return h->init ? h->init(config) : 0;
}

static inline xp_action xp_frames_created(xp_conn conn, const xp_conninfo *info) {
  xp_frame_conn *c = xp_add(&xp_frame_devices, conn);
  if (!c) return XP_CLOSE;
  return xp_frames_after(c, xp_the_frames.created ? xp_the_frames.created(c, info) : XP_CONTINUE);
}

static inline xp_action xp_frames_bytes(xp_conn conn, xp_str bytes) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c || c->closed) return XP_CLOSE;
  return xp_frames_after(c, c->paused ? xp_frames_hold(c, bytes) : xp_frames_feed(c, bytes));
}

static inline xp_action xp_frames_timer(xp_conn conn, int32_t type) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c) return XP_CLOSE;
  return xp_frames_after(c, xp_the_frames.timer ? xp_the_frames.timer(c, type) : XP_CLOSE);
}

static inline xp_action xp_frames_alarm(xp_conn conn, uint32_t id) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c) return XP_CLOSE;
  return xp_frames_after(c, xp_the_frames.alarm ? xp_the_frames.alarm(c, id) : XP_CONTINUE);
}

static inline xp_action xp_frames_messages(xp_conn conn, xp_messages *messages) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c) return XP_CLOSE;
  return xp_frames_after(c, xp_the_frames.messages ? xp_the_frames.messages(c, messages) : XP_CONTINUE);
}

static inline xp_action xp_frames_result(xp_conn conn, int64_t token, xp_result result) {
  xp_frame_conn *c = xp_frames_find(conn);
  xp_action a = XP_CONTINUE;
  if (!c) return XP_CLOSE;
  if (token == XP_LOGIN && c->login) a = xp_frames_logged_in(c, result);
  else if (token > XP_LOGIN && token <= XP_LOGIN + xp_callbacks_n) a = xp_callbacks[token - XP_LOGIN - 1](c, result);
  else if (xp_the_frames.result && token < XP_LOGIN) a = xp_the_frames.result(c, token, result);
  return xp_frames_after(c, a);
}

static inline xp_action xp_frames_drain(xp_conn conn) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c) return XP_CLOSE;
  return xp_frames_after(c, xp_the_frames.drain ? xp_the_frames.drain(c) : XP_CONTINUE);
}

static inline void xp_frames_closed(xp_conn conn, xp_str reason) {
  xp_frame_conn *c = xp_frames_find(conn);
  if (!c) return;
  if (xp_the_frames.closed) xp_the_frames.closed(c, reason);
  xp_frames_drop(c);
  xp_framer_reset(xp_the_frames.rules, &c->framer);
  xp_remove(&xp_frame_devices, conn);
}

// Put XP_FRAMES(.rules = &rules, .size = sizeof(struct meter), .max = 3000, .frame = on_frame, ...) once at the end of
// the guest, instead of XP_HANDLER.
#define XP_FRAMES(...)                                                                                                 \
  static const struct xp_frame_handler xp_the_frames = {__VA_ARGS__};                                                 \
  XP_HANDLER(.init = xp_frames_init, .created = xp_frames_created, .bytes = xp_frames_bytes, .timer = xp_frames_timer, \
             .alarm = xp_frames_alarm, .messages = xp_frames_messages, .result = xp_frames_result,                     \
             .closed = xp_frames_closed, .drain = xp_frames_drain)

#endif
