// A guest that tells the test what it was given, through send, and makes each call once.
#include "../exproto_state.h"

struct state {
  xp_conn conn;
  uint32_t value;
};

static xp_table table = {.pool = {.size = sizeof(struct state), .max = 20000}};
static uint8_t out_bytes[8192];
static xp_buf out;

static void number(uint64_t v) {
  uint8_t digits[20];
  uint32_t n = 0;
  do digits[n++] = (uint8_t)('0' + v % 10);
  while (v /= 10);
  while (n > 0) xp_put_byte(&out, digits[--n]);
}

static void named(xp_str name, xp_str value) {
  xp_put(&out, name);
  xp_put(&out, value);
}

static void tell(xp_conn conn) {
  if (out.full) out = (xp_buf){out_bytes, 0, sizeof out_bytes, false}, xp_put(&out, XP_STR("full"));
  xp_put_byte(&out, '\n');
  xp_send(conn, xp_written(&out));
}

static int32_t on_init(xp_str config) { return config.n == 0 ? XP_OK : config.p[0] - '0'; }

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  out = XP_BUF(out_bytes);
  xp_put(&out, XP_STR("created type="));
  number(info->socket_type);
  named(XP_STR(" peer="), info->peer.host);
  xp_put_byte(&out, ':');
  number(info->peer.port);
  named(XP_STR(" local="), info->local.host);
  xp_put_byte(&out, ':');
  number(info->local.port);
  named(XP_STR(" cn="), info->cert_cn);
  named(XP_STR(" dn="), info->cert_dn);
  tell(conn);
  return XP_CONTINUE;
}

static xp_action on_messages(xp_conn conn, xp_messages *all) {
  xp_message m;
  out = XP_BUF(out_bytes);
  while (xp_next_message(all, &m)) {
    named(XP_STR("message node="), m.node);
    named(XP_STR(" id="), m.id);
    xp_put(&out, XP_STR(" qos="));
    number(m.qos);
    named(XP_STR(" from="), m.from);
    named(XP_STR(" topic="), m.topic);
    named(XP_STR(" payload="), m.payload);
    xp_put(&out, XP_STR(" at="));
    number(m.timestamp);
    xp_put_byte(&out, ';');
  }
  if (all->bad) xp_put(&out, XP_STR("bad"));
  tell(conn);
  return XP_CONTINUE;
}

static xp_action on_result(xp_conn conn, int64_t token, xp_result r) {
  out = XP_BUF(out_bytes);
  xp_put(&out, XP_STR("result token="));
  number((uint64_t)token);
  xp_put(&out, XP_STR(" code="));
  number(r.code);
  named(XP_STR(" message="), r.message);
  tell(conn);
  return XP_CLOSE;
}

static xp_action on_timer(xp_conn conn, int32_t type) {
  out = XP_BUF(out_bytes);
  xp_put(&out, XP_STR("timer "));
  number((uint32_t)type);
  tell(conn);
  return XP_CONTINUE;
}

static void on_closed(xp_conn conn, xp_str reason) {
  out = XP_BUF(out_bytes);
  named(XP_STR("closed "), reason);
  tell(conn);
}

static xp_action on_drain(xp_conn conn) {
  xp_send(conn, XP_STR("drain\n"));
  return XP_PAUSE;
}

static void calls(xp_conn conn) {
  xp_client c = {XP_STR("p"), XP_STR("v"), XP_STR("id"), XP_STR("user"), XP_STR("m/")};
  xp_authenticate(conn, 1, &c, XP_STR("secret"));
  xp_start_timer(conn, 30);
  xp_publish(conn, 2, XP_STR("t"), 1, XP_STR("body"));
  xp_subscribe(conn, 3, XP_STR("t/#"), 2);
  xp_unsubscribe(conn, 4, XP_STR("t/#"));
  xp_resume(conn);
  xp_log(XP_WARN, XP_STR("hello"));
  xp_close(conn, XP_STR("done"));
}

// Logs in with what the device sent as its name, however long that is.
static void login(xp_conn conn, xp_str name) {
  xp_client c = {.client_id = name};
  out = XP_BUF(out_bytes);
  xp_put(&out, XP_STR("code "));
  number(xp_authenticate(conn, 9, &c, name));
  tell(conn);
}

static bool holds(uint32_t from, uint32_t to, uint32_t step) {
  for (uint32_t i = from; i < to; i += step) {
    struct state *s = xp_find(&table, i);
    if (!s || s->value != i) return false;
  }
  return true;
}

// Fills the table until it refuses, takes every second away, fills again.
static void churn(xp_conn conn) {
  uint32_t n = 0;
  struct state *s;
  for (; (s = xp_add(&table, n)); n++) s->value = n;
  bool ok = holds(0, n, 1) && !xp_find(&table, n);
  for (uint32_t i = 0; i < n; i += 2) xp_remove(&table, i);
  xp_remove(&table, 0); // again: nothing happens
  ok = ok && holds(1, n, 2) && !xp_find(&table, 0);
  for (uint32_t i = 0; i < n; i += 2) {
    s = xp_add(&table, i);
    ok = ok && s && s->value == 0;
    if (s) s->value = i;
  }
  ok = ok && holds(0, n, 1);
  out = XP_BUF(out_bytes);
  xp_put(&out, ok ? XP_STR("churn ok ") : XP_STR("churn lost something "));
  number(n);
  tell(conn);
}

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  if (bytes.n > 0 && bytes.p[0] == '!') calls(conn);
  else if (bytes.n > 0 && bytes.p[0] == '#') churn(conn);
  else login(conn, bytes);
  return XP_CONTINUE;
}

XP_HANDLER(.init = on_init, .created = on_created, .bytes = on_bytes, .timer = on_timer, .messages = on_messages,
           .result = on_result, .closed = on_closed, .drain = on_drain);
