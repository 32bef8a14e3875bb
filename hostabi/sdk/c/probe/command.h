// The commands of the probe.
#ifndef PROBE_COMMAND_H
#define PROBE_COMMAND_H

#ifndef XP_REQUEST_BUFFER
#define XP_REQUEST_BUFFER (16 << 10)
#endif
#include "words.h"

#define FRAME_MAX 4096u // for framers chosen by a device
#define PREFIX_MAX 64u
#define CONNECTIONS_MAX 2000u

enum { TOKEN_AUTH = 1, TOKEN_PUB, TOKEN_SUB, TOKEN_UNSUB, TOKEN_SAVE };

struct device {
  xp_conn conn;
  xp_framer framer;
  xp_framing chosen; // kind 0: lines
  uint64_t lines;
  uint8_t prefix[PREFIX_MAX];
  uint32_t prefix_n;
  xp_request *request; // of the last message that was one; NULL before
};

static uint8_t config_bytes[4096];
static xp_buf config;
static xp_table devices = {.pool = {.size = sizeof(struct device), .max = CONNECTIONS_MAX}};
static xp_pool line_pieces = {.size = XP_FRAME_ROOM(1024), .max = CONNECTIONS_MAX};
static xp_pool frame_pieces = {.size = XP_FRAME_ROOM(FRAME_MAX), .max = CONNECTIONS_MAX};
static const xp_framing lines = {.kind = XP_DELIMITER, .mark = "\n", .mark_n = 1, .max = 1024, .strip = XP_STRIP_LINE, .pool = &line_pieces};

static xp_pool requests = {.size = sizeof(xp_request), .max = CONNECTIONS_MAX};

static const xp_framing *rules_of(const struct device *d) { return d->chosen.kind ? &d->chosen : &lines; }

// Answers a refusal, or ok to an accepted call that is answered at once.
static bool accepted(xp_str name, xp_code code, bool ok) {
  if (code != XP_OK) {
    put_named(XP_STR("refused "), name);
    put(XP_STR(" "));
    put_number(code);
    put(XP_STR("\n"));
  } else if (ok) {
    say(XP_STR("ok"));
  }
  return code == XP_OK;
}

static xp_action auth(struct device *d, xp_words *l, xp_str name) {
  xp_client c = {.proto_name = XP_STR("probe"), .proto_version = XP_STR("1"), .mountpoint = {d->prefix, d->prefix_n}};
  c.client_id = xp_word(l);
  if (l->more) c.username = xp_word(l);
  xp_str password = text(l);
  if (!whole(l)) return XP_CONTINUE;
  return accepted(name, xp_authenticate(d->conn, TOKEN_AUTH, &c, password), false) ? XP_PAUSE : XP_CONTINUE;
}

static void timer(struct device *d, xp_words *l, xp_str name) {
  uint32_t seconds = number(l);
  if (whole(l)) accepted(name, xp_start_timer(d->conn, seconds), true);
}

static void alarm_in(struct device *d, xp_words *l, xp_str name) {
  uint32_t id = number(l), ms = number(l);
  if (whole(l)) accepted(name, xp_set_timer(d->conn, id, (int32_t)ms), true);
}

static void save(struct device *d, xp_words *l, xp_str name) {
  xp_str state = text(l);
  if (whole(l)) accepted(name, xp_save_state(d->conn, TOKEN_SAVE, state), false);
}

static void publish(struct device *d, xp_words *l, xp_str name, int64_t token) {
  xp_str topic = xp_word(l);
  uint32_t qos = number(l);
  xp_str payload = text(l);
  if (whole(l)) accepted(name, xp_publish(d->conn, token, topic, qos, payload), token == 0);
}

// The next word; - stands for none.
static xp_str optional(xp_words *l) {
  xp_str word = xp_word(l);
  return xp_is(word, XP_STR("-")) ? (xp_str){0} : word;
}

static void publish_with(struct device *d, xp_words *l, xp_str name) {
  xp_str topic = xp_word(l);
  uint32_t qos = number(l);
  xp_properties props = {.retain = number(l) != 0};
  props.expiry = number(l);
  props.content_type = optional(l);
  props.response_topic = optional(l);
  props.correlation = optional(l);
  xp_property user = {.name = optional(l)};
  user.value = optional(l);
  props.user = &user;
  props.user_n = user.name.n > 0 || user.value.n > 0;
  xp_str payload = text(l);
  if (whole(l)) accepted(name, xp_publish_with(d->conn, TOKEN_PUB, topic, qos, payload, &props), false);
}

static void keep_request(struct device *d, const xp_message *m) {
  if (m->properties.response_topic.n == 0) return;
  if (!d->request) d->request = xp_take(&requests);
  if (d->request) xp_keep_request(d->request, m);
}

static void answer_to(struct device *d, xp_words *l, xp_str name) {
  static const xp_request none;
  uint32_t qos = number(l);
  xp_str payload = text(l);
  if (whole(l)) accepted(name, xp_answer(d->conn, TOKEN_PUB, d->request ? d->request : &none, qos, payload), false);
}

static void subscribe(struct device *d, xp_words *l, xp_str name) {
  xp_str filter = xp_word(l);
  uint32_t qos = number(l);
  if (whole(l)) accepted(name, xp_subscribe(d->conn, TOKEN_SUB, filter, qos), false);
}

static void unsubscribe(struct device *d, xp_words *l, xp_str name) {
  xp_str filter = xp_word(l);
  if (whole(l)) accepted(name, xp_unsubscribe(d->conn, TOKEN_UNSUB, filter), false);
}

static void mount(struct device *d, xp_words *l) {
  xp_str prefix = xp_word(l);
  if (prefix.n > PREFIX_MAX) l->bad = true;
  if (!whole(l)) return;
  __builtin_memcpy(d->prefix, prefix.p, prefix.n);
  d->prefix_n = prefix.n;
  say(XP_STR("ok"));
}

static void log_line(xp_words *l) {
  static const xp_level levels[] = {XP_DEBUG, XP_INFO, XP_WARN, XP_ERROR};
  const xp_str names[] = {XP_STR("debug"), XP_STR("info"), XP_STR("warn"), XP_STR("error")};
  xp_str name = xp_word(l), said = text(l);
  uint32_t i = 0;
  while (i < 4 && !xp_is(name, names[i])) i++;
  if (i == 4) l->bad = true;
  if (!whole(l)) return;
  xp_log(levels[i], said);
  say(XP_STR("ok"));
}

// Switches to another framer.
static void reframe(struct device *d, xp_str notation) {
  xp_framing chosen = {.pool = &frame_pieces};
  if (!xp_parse_framing(&chosen, notation)) {
    say(XP_STR("error framing"));
    return;
  }
  xp_framer_reset(&lines, &d->framer);
  d->chosen = chosen;
  say(XP_STR("ok"));
}

static void state(const struct device *d) {
  put(XP_STR("state "));
  put_number(d->lines);
  put(XP_STR("\n"));
}

// Executes the commands without words.
static xp_action run_bare(struct device *d, xp_words *l, xp_str name) {
  bool known = xp_is(name, XP_STR("config")) || xp_is(name, XP_STR("state")) || xp_is(name, XP_STR("resume")) || xp_is(name, XP_STR("pause")) ||
               xp_is(name, XP_STR("leave")) || xp_is(name, XP_STR("trap"));
  if (!known) say(XP_STR("error command"));
  if (!known || !whole(l)) return XP_CONTINUE;
  if (xp_is(name, XP_STR("pause"))) return XP_PAUSE;
  if (xp_is(name, XP_STR("leave"))) return XP_CLOSE;
  if (xp_is(name, XP_STR("trap"))) __builtin_trap();
  if (xp_is(name, XP_STR("state"))) state(d);
  else if (xp_is(name, XP_STR("resume"))) accepted(name, xp_resume(d->conn), true);
  else put_named(XP_STR("config "), xp_written(&config)), put(XP_STR("\n"));
  return XP_CONTINUE;
}

// Executes a line that is not empty.
static xp_action run(struct device *d, xp_str s) {
  xp_words l = {s, true, false};
  xp_str name = xp_word(&l);
  l.bad = false; // a leading space: unknown command
  if (xp_is(name, XP_STR("echo"))) say(text(&l));
  else if (xp_is(name, XP_STR("pub"))) publish(d, &l, name, TOKEN_PUB);
  else if (xp_is(name, XP_STR("quiet"))) publish(d, &l, name, 0);
  else if (xp_is(name, XP_STR("pubp"))) publish_with(d, &l, name);
  else if (xp_is(name, XP_STR("answer"))) answer_to(d, &l, name);
  else if (xp_is(name, XP_STR("sub"))) subscribe(d, &l, name);
  else if (xp_is(name, XP_STR("unsub"))) unsubscribe(d, &l, name);
  else if (xp_is(name, XP_STR("timer"))) timer(d, &l, name);
  else if (xp_is(name, XP_STR("alarm"))) alarm_in(d, &l, name);
  else if (xp_is(name, XP_STR("save"))) save(d, &l, name);
  else if (xp_is(name, XP_STR("mount"))) mount(d, &l);
  else if (xp_is(name, XP_STR("log"))) log_line(&l);
  else if (xp_is(name, XP_STR("close"))) accepted(name, xp_close(d->conn, text(&l)), false);
  else if (xp_is(name, XP_STR("frame"))) reframe(d, text(&l));
  else if (xp_is(name, XP_STR("auth"))) return auth(d, &l, name);
  else return run_bare(d, &l, name);
  return XP_CONTINUE;
}

#endif
