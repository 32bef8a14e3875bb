//go:build ignore

// (The line above is for the Go tool: cgo is not wanted.)
//
// The protocol of hostabi/conformance/probe.md. It uses all of the SDK.
//
//   command.h  what the lines do
//   words.h    the words of lines, and answers
#include "command.h"

static int32_t on_init(xp_str s) {
  config = XP_BUF(config_bytes);
  xp_put(&config, s);
  bool refused = s.n >= 6 && xp_is((xp_str){s.p, 6}, XP_STR("refuse"));
  return refused || config.full || !xp_framing_valid(&lines);
}

static void put_address(xp_str name, xp_address a) {
  put_named(name, a.host);
  put(XP_STR(":"));
  put_number(a.port);
}

static void put_properties(xp_str s, uint32_t number) {
  xp_property p;
  xp_reader r = xp_read(s);
  while (xp_next_property(&r, number, &p)) {
    put_named(XP_STR(" "), p.name);
    put_named(XP_STR("="), p.value);
  }
}

static void put_message_properties(const xp_properties *p) {
  if (p->retain) put(XP_STR(" retain=1"));
  if (p->expiry > 0) put(XP_STR(" expiry=")), put_number(p->expiry);
  if (p->content_type.n > 0) put_named(XP_STR(" type="), p->content_type);
  if (p->response_topic.n > 0) put_named(XP_STR(" response="), p->response_topic);
  if (p->correlation.n > 0) put_named(XP_STR(" correlation="), p->correlation);
  put_properties(p->received, XP_USER_PROPERTY);
}

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  if (!xp_add(&devices, conn)) return XP_CLOSE;
  answer_begin(conn);
  put(XP_STR("created type="));
  put_number(info->socket_type);
  put_address(XP_STR(" peer="), info->peer);
  put_address(XP_STR(" local="), info->local);
  put_named(XP_STR(" cn="), info->cert_cn);
  put_named(XP_STR(" dn="), info->cert_dn);
  put_properties(info->properties, XP_CONN_PROPERTY);
  put(XP_STR("\n"));
  answer_flush();
  return XP_CONTINUE;
}

static xp_action on_line(struct device *d, xp_outcome o, xp_str line) {
  d->lines++;
  if (o == XP_TOO_LONG) say(XP_STR("error long"));
  return o == XP_FRAME && line.n > 0 ? run(d, line) : XP_CONTINUE;
}

// Answers an outcome of a framer chosen by the device.
static void on_frame(struct device *d, xp_outcome o, xp_str frame) {
  if (o == XP_TOO_LONG) {
    say(XP_STR("frame error too_long"));
  } else if (o == XP_BROKEN) {
    say(XP_STR("frame error broken"));
  } else if (xp_is(frame, XP_STR("lines"))) {
    xp_framer_reset(&d->chosen, &d->framer);
    d->chosen.kind = 0;
    say(XP_STR("ok"));
  } else {
    put(XP_STR("frame "));
    put_hex(frame);
    put(XP_STR("\n"));
  }
}

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return XP_CLOSE;
  answer_begin(conn);
  xp_action action = XP_CONTINUE;
  while (action != XP_CLOSE) {
    xp_str frame;
    xp_action one = XP_CONTINUE;
    xp_outcome o = xp_next_frame(rules_of(d), &d->framer, &bytes, &frame);
    if (o == XP_NO_FRAME) break;
    if (o == XP_NO_MEMORY) one = XP_CLOSE;
    else if (d->chosen.kind) on_frame(d, o, frame);
    else one = on_line(d, o, frame);
    if (one > action) action = one;
  }
  answer_flush();
  return action;
}

static xp_action on_timer(xp_conn conn, int32_t type) {
  if (!xp_find(&devices, conn)) return XP_CLOSE;
  answer_begin(conn);
  put(XP_STR("timer "));
  put_number((uint32_t)type);
  put(XP_STR("\n"));
  answer_flush();
  return XP_CONTINUE;
}

static xp_action on_alarm(xp_conn conn, uint32_t id) {
  if (!xp_find(&devices, conn)) return XP_CLOSE;
  answer_begin(conn);
  put(XP_STR("alarm "));
  put_number(id);
  put(XP_STR("\n"));
  answer_flush();
  return XP_CONTINUE;
}

static xp_action on_messages(xp_conn conn, xp_messages *messages) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return XP_CLOSE;
  answer_begin(conn);
  xp_message m;
  while (xp_next_message(messages, &m)) {
    put_named(XP_STR("message node="), m.node);
    put_named(XP_STR(" id="), m.id);
    put(XP_STR(" qos="));
    put_number(m.qos);
    put_named(XP_STR(" from="), m.from);
    put_named(XP_STR(" topic="), m.topic);
    put(XP_STR(" at="));
    put_number(m.timestamp);
    put_named(XP_STR(" payload="), m.payload);
    put_message_properties(&m.properties);
    keep_request(d, &m);
    put(XP_STR("\n"));
  }
  answer_flush();
  return XP_CONTINUE;
}

static xp_action on_result(xp_conn conn, int64_t token, xp_result r) {
  if (!xp_find(&devices, conn)) return XP_CLOSE;
  answer_begin(conn);
  put(XP_STR("result "));
  put_number((uint64_t)token);
  put(XP_STR(" "));
  put_number(r.code);
  if (r.message.n > 0) put_named(XP_STR(" "), r.message);
  put(XP_STR("\n"));
  if (r.state.n > 0) put_named(XP_STR("kept "), r.state), put(XP_STR("\n"));
  answer_flush();
  if (token == TOKEN_AUTH) xp_resume(conn);
  return XP_CONTINUE;
}

static xp_action on_drain(xp_conn conn) {
  if (!xp_find(&devices, conn)) return XP_CLOSE;
  xp_send(conn, XP_STR("drain\n"));
  return XP_CONTINUE;
}

static void on_closed(xp_conn conn, xp_str reason) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return;
  xp_framer_reset(rules_of(d), &d->framer);
  if (d->request) xp_give(&requests, d->request);
  xp_remove(&devices, conn);
  static uint8_t text_bytes[512];
  xp_buf text = XP_BUF(text_bytes);
  xp_put(&text, XP_STR("closed "));
  xp_put(&text, reason);
  xp_log(XP_INFO, xp_written(&text));
}

XP_HANDLER(.init = on_init, .created = on_created, .bytes = on_bytes, .timer = on_timer, .alarm = on_alarm,
           .messages = on_messages, .result = on_result, .closed = on_closed, .drain = on_drain);
