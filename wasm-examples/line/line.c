//go:build ignore

// (The line above is for the Go tool: line.go in this folder embeds the module, and cgo is not wanted.)
//
// The line protocol: what a person types in nc becomes MQTT. README.md in this folder shows a session.
//
//   input.h      lines out of pieces, and the state of each connection
//   command.h    what the lines do
//   printable.h  answers without control characters
#include "command.h"

static uint8_t greeting_bytes[256];
static xp_buf greeting;

// The module's configuration is the greeting.
static int32_t on_init(xp_str config) {
  greeting = XP_BUF(greeting_bytes);
  xp_put(&greeting, config.n > 0 ? config : XP_STR("exgate line protocol"));
  return greeting.full || !xp_framing_valid(&lines) ? XP_BAD_PARAM : XP_OK;
}

// Ends an event: a device that cannot receive all of its output is closed rather than sent half of it.
static xp_action finish(xp_action action) {
  out_flush();
  return out.refused ? XP_CLOSE : action;
}

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  (void)info;
  out_begin(conn);
  bool room = xp_add(&devices, conn) != NULL;
  if (room) {
    out_foreign(xp_written(&greeting));
    say(XP_STR(". Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more."));
  } else {
    say(XP_STR("error: too many connections, come back later"));
  }
  return finish(room ? XP_CONTINUE : XP_CLOSE);
}

static xp_action give_up(xp_str why) {
  out_text(XP_STR("error: "));
  say(why);
  return XP_CLOSE;
}

static xp_action hold_input(struct device *d, xp_str in) {
  switch (hold(d, in)) {
  case INPUT_OK: return XP_PAUSE;
  case INPUT_TOO_MUCH: return give_up(XP_STR("too much before the login was answered"));
  case INPUT_NO_MEMORY: break;
  }
  return give_up(XP_STR("too busy, come back later"));
}

// Executes the lines of in until it ends, the device must wait for its login, or leaves.
static xp_action feed(struct device *d, xp_str in) {
  while (in.n > 0 && !d->leaving) {
    xp_str line;
    xp_action action = XP_CONTINUE;
    if (d->login == LOGGING_IN) return hold_input(d, in);
    switch (xp_next_frame(&lines, &d->framer, &in, &line)) {
    case XP_NO_FRAME: break;
    case XP_FRAME:
      action = run_command(d, line);
      xp_frame_forget(&lines, &d->framer);
      break;
    case XP_BROKEN: // lines are never broken
    case XP_TOO_LONG: say(XP_STR("error: a line has at most 1024 bytes")); break;
    case XP_NO_MEMORY: return give_up(XP_STR("too busy, come back later"));
    }
    if (action == XP_CLOSE || out.refused) return XP_CLOSE;
  }
  return d->leaving || d->login == LOGGING_IN ? XP_PAUSE : XP_CONTINUE;
}

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return XP_CLOSE;
  out_begin(conn);
  calls_left = CALLS_MAX;
  xp_action action = feed(d, bytes);
  return finish(action);
}

// Continues with the input that arrived during the login. Another login in it waits again.
static xp_action feed_held(struct device *d) {
  struct block *b = d->held;
  d->held = d->newest = NULL;
  d->held_bytes = 0;
  xp_action action = XP_CONTINUE;
  while (b) {
    struct block *next = b->next;
    if (action != XP_CLOSE) action = feed(d, (xp_str){b->data, b->n});
    xp_give(&blocks, b);
    b = next;
  }
  return action;
}

static xp_action logged_in(struct device *d, xp_result r) {
  d->login = r.code == XP_OK ? LOGGED_IN : LOGGED_OUT;
  if (r.code == XP_OK) say(XP_STR("ok"));
  else say_refused(XP_STR("login"), r.code, r.message);
  xp_action action = feed_held(d);
  if (action == XP_CONTINUE) xp_resume(d->conn);
  return action;
}

static xp_action answer(struct device *d, xp_str what, xp_result r, bool say_ok) {
  if (r.code != XP_OK) say_refused(what, r.code, r.message);
  else if (say_ok) say(XP_STR("ok"));
  if (d->unanswered > 0) d->unanswered--;
  return d->leaving ? quit(d) : XP_CONTINUE;
}

static xp_action on_answer(struct device *d, int64_t token, xp_result r) {
  switch (token) {
  case TOKEN_LOGIN: return logged_in(d, r);
  case TOKEN_PUB: return answer(d, XP_STR("publish"), r, false);
  case TOKEN_PUB1: return answer(d, XP_STR("publish"), r, true);
  case TOKEN_SUB: return answer(d, XP_STR("subscribe"), r, true);
  case TOKEN_UNSUB: return answer(d, XP_STR("unsubscribe"), r, true);
  }
  return XP_CONTINUE;
}

static xp_action on_result(xp_conn conn, int64_t token, xp_result r) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return XP_CLOSE;
  out_begin(conn);
  calls_left = CALLS_MAX;
  return finish(on_answer(d, token, r));
}

static xp_action on_messages(xp_conn conn, xp_messages *messages) {
  xp_message m;
  out_begin(conn);
  while (xp_next_message(messages, &m)) {
    out_text(XP_STR("< "));
    out_foreign(m.topic);
    out_byte(' ');
    out_foreign(m.payload);
    out_byte('\n');
  }
  return finish(XP_CONTINUE);
}

static xp_action on_timer(xp_conn conn, int32_t type) {
  (void)type;
  xp_send(conn, XP_STR("bye: keepalive timeout\n"));
  return XP_CLOSE;
}

static xp_action on_drain(xp_conn conn) {
  xp_send(conn, XP_STR("notice: please reconnect soon\n"));
  return XP_CONTINUE;
}

static void on_closed(xp_conn conn, xp_str reason) {
  (void)reason;
  struct device *d = xp_find(&devices, conn);
  if (d) free_device(d);
}

XP_HANDLER(.init = on_init, .created = on_created, .bytes = on_bytes, .timer = on_timer, .messages = on_messages,
           .result = on_result, .closed = on_closed, .drain = on_drain);
