// A guest that reaches the limits of the headers: the longest names, and as many connections as there is memory.
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

static void tell(xp_conn conn) {
  if (out.full) out = (xp_buf){out_bytes, 0, sizeof out_bytes, false}, xp_put(&out, XP_STR("full"));
  xp_put_byte(&out, '\n');
  xp_send(conn, xp_written(&out));
}

static int32_t on_init(xp_str config) { return config.n == 0 ? XP_OK : config.p[0] - '0'; }

// Logs in with what the device sent as its name, whatever its length.
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

// Fills the table until it refuses, removes every second entry, fills it again.
static void churn(xp_conn conn) {
  uint32_t n = 0;
  struct state *s;
  for (; (s = xp_add(&table, n)); n++) s->value = n;
  bool ok = holds(0, n, 1) && !xp_find(&table, n);
  for (uint32_t i = 0; i < n; i += 2) xp_remove(&table, i);
  xp_remove(&table, 0); // again: no effect
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
  if (bytes.n > 0 && bytes.p[0] == '#') churn(conn);
  else login(conn, bytes);
  return XP_CONTINUE;
}

XP_HANDLER(.init = on_init, .bytes = on_bytes);
