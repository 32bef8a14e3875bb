// Runs a guest natively in a fake gateway that records every call and whose broker answers when the test tells it to:
// no WebAssembly, so that gdb, sanitizers and coverage work. Include it first, and then the guest:
//
//   #include "exproto_test.h"
//   #include "echo.c"
//
//   int main(void) {
//     xp_test_start("");
//     xp_test_connect(1, NULL);
//     XP_EXPECT_INT(xp_test_bytes(1, XP_STR("hello\n")), XP_CONTINUE);
//     XP_EXPECT_SENT(1, "hello\n");
//     return xp_test_end();
//   }
//
// Build it with: cc -std=c11 -g -fsanitize=address,undefined -o echo_test echo_test.c
#ifndef EXPROTO_TEST_H
#define EXPROTO_TEST_H

#ifdef __wasm__
#error "exproto_test.h is for tests that run natively"
#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exproto.h"

// ---- What the guest called

// Text that grows.
typedef struct {
  char *p;
  size_t n;
} xp_test_text;

static inline void xp_test_append(xp_test_text *t, const void *p, size_t n) {
  t->p = realloc(t->p, t->n + n + 1);
  if (!t->p) abort();
  if (n > 0) memcpy(t->p + t->n, p, n);
  t->n += n;
  t->p[t->n] = 0;
}

typedef struct {
  xp_conn conn;
  bool open;
  xp_test_text sent;
} xp_test_device;

static struct {
  xp_test_device *devices;
  size_t devices_n;
  xp_test_text calls, told; // told: the last result of xp_test_calls
  struct {
    const char *call;
    xp_code code;
  } refused[16];
  int failures;
} xp_test;

// Returns the record of a connection, or NULL if there was none with that id.
static inline xp_test_device *xp_test_find(xp_conn conn) {
  for (size_t i = 0; i < xp_test.devices_n; i++)
    if (xp_test.devices[i].conn == conn) return &xp_test.devices[i];
  return NULL;
}

static inline void xp_test_printf(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  xp_test_append(&xp_test.calls, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

// Writes a name, and bytes in quotes; unprintable ones as \xNN.
static inline void xp_test_quoted(const char *name, xp_str s) {
  xp_test_printf(" %s\"", name);
  for (uint32_t i = 0; i < s.n; i++) {
    uint8_t c = s.p[i];
    if (c == '"' || c == '\\') xp_test_printf("\\%c", c);
    else if (c == '\n') xp_test_printf("\\n");
    else if (c == '\r') xp_test_printf("\\r");
    else if (c == '\t') xp_test_printf("\\t");
    else xp_test_printf(c < 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
  }
  xp_test_printf("\"");
}

// Ends the line of a call, and returns the gateway's answer.
static inline int32_t xp_test_called(xp_conn conn, const char *call) {
  xp_test_printf("\n");
  xp_test_device *d = xp_test_find(conn);
  if (!d || !d->open) return XP_NOT_ALIVE;
  for (size_t i = 0; i < sizeof xp_test.refused / sizeof *xp_test.refused; i++)
    if (xp_test.refused[i].call && strcmp(xp_test.refused[i].call, call) == 0) return xp_test.refused[i].code;
  return XP_OK;
}

#define XP_TEST_STR(p, n) ((xp_str){(const uint8_t *)(p), (n)})

int32_t xp_host_send(int64_t conn, const void *p, uint32_t n) {
  xp_test_device *d = xp_test_find(conn);
  if (!d || !d->open) return XP_NOT_ALIVE;
  xp_test_append(&d->sent, p, n);
  for (size_t i = 0; i < sizeof xp_test.refused / sizeof *xp_test.refused; i++)
    if (xp_test.refused[i].call && strcmp(xp_test.refused[i].call, "send") == 0) return xp_test.refused[i].code;
  return XP_OK;
}

int32_t xp_host_close(int64_t conn, const void *why, uint32_t n) {
  xp_test_printf("close %lld", (long long)conn);
  xp_test_quoted("", XP_TEST_STR(why, n));
  return xp_test_called(conn, "close");
}

// Returns the field of a message with that number.
static inline xp_str xp_test_field(xp_str message, uint32_t number) {
  xp_field f;
  xp_str found = {0};
  xp_reader r = xp_read(message);
  while (xp_next_field(&r, &f))
    if (f.number == number) found = f.bytes;
  return found;
}

int32_t xp_host_authenticate(int64_t conn, int64_t token, const void *p, uint32_t n) {
  xp_str request = XP_TEST_STR(p, n), client = xp_test_field(request, 2);
  xp_test_printf("authenticate %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("proto=", xp_test_field(client, 1));
  xp_test_quoted("version=", xp_test_field(client, 2));
  xp_test_quoted("clientid=", xp_test_field(client, 3));
  xp_test_quoted("username=", xp_test_field(client, 4));
  xp_test_quoted("mountpoint=", xp_test_field(client, 5));
  xp_test_quoted("password=", xp_test_field(request, 3));
  return xp_test_called(conn, "authenticate");
}

int32_t xp_host_start_timer(int64_t conn, int32_t type, uint32_t seconds) {
  xp_test_printf("start_timer %lld type=%d seconds=%u", (long long)conn, type, seconds);
  return xp_test_called(conn, "start_timer");
}

int32_t xp_host_set_timer(int64_t conn, uint32_t id, int32_t ms) {
  xp_test_printf("set_timer %lld id=%u ms=%d", (long long)conn, id, ms);
  return xp_test_called(conn, "set_timer");
}

int32_t xp_host_save_state(int64_t conn, int64_t token, const void *p, uint32_t n) {
  xp_test_printf("save_state %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("", XP_TEST_STR(p, n));
  return xp_test_called(conn, "save_state");
}

int32_t xp_host_publish(int64_t conn, int64_t token, const void *topic, uint32_t topic_n, uint32_t qos, const void *p, uint32_t n) {
  xp_test_printf("publish %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("", XP_TEST_STR(topic, topic_n));
  xp_test_printf(" qos=%u", qos);
  xp_test_quoted("", XP_TEST_STR(p, n));
  return xp_test_called(conn, "publish");
}

int32_t xp_host_publish_with(int64_t conn, int64_t token, const void *topic, uint32_t topic_n, uint32_t qos, const void *p, uint32_t n, const void *props,
                             uint32_t props_n) {
  xp_properties read = xp_read_properties(XP_TEST_STR(props, props_n));
  xp_test_printf("publish_with %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("", XP_TEST_STR(topic, topic_n));
  xp_test_printf(" qos=%u", qos);
  xp_test_quoted("", XP_TEST_STR(p, n));
  if (read.retain) xp_test_printf(" retain=1");
  if (read.expiry > 0) xp_test_printf(" expiry=%u", read.expiry);
  if (read.content_type.n > 0) xp_test_quoted("type=", read.content_type);
  if (read.response_topic.n > 0) xp_test_quoted("response=", read.response_topic);
  if (read.correlation.n > 0) xp_test_quoted("correlation=", read.correlation);
  xp_property u;
  xp_reader r = xp_read(read.received);
  while (xp_next_property(&r, XP_USER_PROPERTY, &u)) {
    xp_test_quoted("name=", u.name);
    xp_test_quoted("value=", u.value);
  }
  return xp_test_called(conn, "publish_with");
}

int32_t xp_host_subscribe(int64_t conn, int64_t token, const void *topic, uint32_t n, uint32_t qos) {
  xp_test_printf("subscribe %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("", XP_TEST_STR(topic, n));
  xp_test_printf(" qos=%u", qos);
  return xp_test_called(conn, "subscribe");
}

int32_t xp_host_unsubscribe(int64_t conn, int64_t token, const void *topic, uint32_t n) {
  xp_test_printf("unsubscribe %lld token=%lld", (long long)conn, (long long)token);
  xp_test_quoted("", XP_TEST_STR(topic, n));
  return xp_test_called(conn, "unsubscribe");
}

int32_t xp_host_resume(int64_t conn) {
  xp_test_printf("resume %lld", (long long)conn);
  return xp_test_called(conn, "resume");
}

void xp_host_log(int32_t level, const void *p, uint32_t n) {
  xp_test_printf("log %d", level);
  xp_test_quoted("", XP_TEST_STR(p, n));
  xp_test_printf("\n");
}

// ---- What the gateway does

int32_t xp_export_init(const uint8_t *p, uint32_t n);
int32_t xp_export_bytes(int64_t conn, const uint8_t *p, uint32_t n);
int32_t xp_export_event(int32_t kind, int64_t conn, int64_t arg, const uint8_t *p, uint32_t n);

// Makes later calls with a name, such as "publish", return code; XP_OK accepts them again.
static inline void xp_test_refuse(const char *call, xp_code code) {
  size_t i = 0;
  while (xp_test.refused[i].call && strcmp(xp_test.refused[i].call, call) != 0) i++;
  xp_test.refused[i].call = call;
  xp_test.refused[i].code = code;
}

// Delivers a body in memory of exactly its size, so that a sanitizer detects reads beyond it or after the event.
static inline int32_t xp_test_event(int32_t kind, xp_conn conn, int64_t arg, xp_str body) {
  uint8_t *copy = malloc(body.n > 0 ? body.n : 1);
  if (!copy) abort();
  if (body.n > 0) memcpy(copy, body.p, body.n);
  int32_t action = kind == 0 ? xp_export_bytes(conn, copy, body.n) : xp_export_event(kind, conn, arg, copy, body.n);
  free(copy);
  return action;
}

// Starts the guest, and returns the result of its init.
static inline int32_t xp_test_start(const char *config) { return xp_export_init((const uint8_t *)config, (uint32_t)strlen(config)); }

static inline void xp_test_put_number(xp_buf *b, uint32_t number, uint64_t v) {
  if (v == 0) return;
  xp_put_varint(b, (uint64_t)number << 3);
  xp_put_varint(b, v);
}

static inline void xp_test_put_address(xp_buf *b, uint32_t number, xp_address a) {
  uint8_t bytes[512];
  xp_buf message = XP_BUF(bytes);
  xp_put_field(&message, 1, a.host);
  xp_test_put_number(&message, 2, a.port);
  xp_put_field(b, number, xp_written(&message));
}

// Appends a property of a connection (XP_CONN_PROPERTY) or a user property of a message (XP_USER_PROPERTY).
static inline void xp_test_put_property(xp_buf *b, uint32_t number, xp_property p) {
  static uint8_t bytes[65536];
  xp_buf pair = XP_BUF(bytes);
  xp_put_field(&pair, 1, p.name);
  xp_put_field(&pair, 2, p.value);
  xp_put_varint(b, (uint64_t)number << 3 | 2);
  xp_put_varint(b, pair.n);
  xp_put(b, xp_written(&pair));
}

static inline void xp_test_put_properties(xp_buf *b, const xp_properties *p) {
  static uint8_t bytes[65536];
  xp_buf message = XP_BUF(bytes);
  xp_put_uint(&message, 1, p->retain);
  xp_put_uint(&message, 2, p->expiry);
  xp_put_field(&message, 3, p->content_type);
  xp_put_field(&message, 4, p->response_topic);
  xp_put_field(&message, 5, p->correlation);
  for (uint32_t i = 0; i < p->user_n; i++) xp_test_put_property(&message, XP_USER_PROPERTY, p->user[i]);
  xp_put_field(b, 8, xp_written(&message));
}

// Connects a device; NULL means a TCP connection without addresses.
static inline xp_action xp_test_connect(xp_conn conn, const xp_conninfo *info) {
  uint8_t bytes[4096], cert_bytes[2048];
  xp_buf body = XP_BUF(bytes), cert = XP_BUF(cert_bytes);
  if (!xp_test_find(conn)) {
    xp_test.devices = realloc(xp_test.devices, (xp_test.devices_n + 1) * sizeof *xp_test.devices);
    if (!xp_test.devices) abort();
    xp_test.devices[xp_test.devices_n++] = (xp_test_device){.conn = conn};
  }
  xp_test_find(conn)->open = true;
  if (info) {
    xp_test_put_number(&body, 1, info->socket_type);
    xp_test_put_address(&body, 2, info->peer);
    xp_test_put_address(&body, 3, info->local);
    xp_put_field(&cert, 1, info->cert_cn);
    xp_put_field(&cert, 2, info->cert_dn);
    xp_put_field(&body, 4, xp_written(&cert));
    xp_put(&body, info->properties); // already encoded, as xp_test_put_property writes them
  }
  return (xp_action)xp_test_event(1, conn, 0, xp_written(&body));
}

// Delivers bytes from the device.
static inline xp_action xp_test_bytes(xp_conn conn, xp_str bytes) { return (xp_action)xp_test_event(0, conn, 0, bytes); }

// Delivers n messages from the broker, in one event of at most 64 KiB.
static inline xp_action xp_test_messages(xp_conn conn, const xp_message *messages, size_t n) {
  static uint8_t bytes[65536], one_bytes[65536];
  xp_buf body = XP_BUF(bytes);
  for (size_t i = 0; i < n; i++) {
    const xp_message *m = &messages[i];
    xp_buf one = XP_BUF(one_bytes);
    xp_put_field(&one, 1, m->node);
    xp_put_field(&one, 2, m->id);
    xp_test_put_number(&one, 3, m->qos);
    xp_put_field(&one, 4, m->from);
    xp_put_field(&one, 5, m->topic);
    xp_put_field(&one, 6, m->payload);
    xp_test_put_number(&one, 7, m->timestamp);
    xp_test_put_properties(&one, &m->properties);
    xp_put_varint(&body, 2 << 3 | 2);
    xp_put_varint(&body, one.n);
    xp_put(&body, xp_written(&one));
  }
  return (xp_action)xp_test_event(4, conn, (int64_t)n, xp_written(&body));
}

// Delivers the broker's answer to a call.
static inline xp_action xp_test_result(xp_conn conn, int64_t token, xp_code code, const char *message) {
  uint8_t bytes[4096];
  xp_buf body = XP_BUF(bytes);
  xp_test_put_number(&body, 1, code);
  xp_put_field(&body, 2, XP_TEST_STR(message, (uint32_t)strlen(message)));
  return (xp_action)xp_test_event(5, conn, token, xp_written(&body));
}

// Delivers the answer to an authenticate that succeeded, with the state that the gateway keeps for the device.
static inline xp_action xp_test_logged_in(xp_conn conn, int64_t token, xp_str state) {
  static uint8_t bytes[40000];
  xp_buf body = XP_BUF(bytes);
  xp_put_field(&body, 3, state);
  return (xp_action)xp_test_event(5, conn, token, xp_written(&body));
}

// Delivers the keepalive timeout.
static inline xp_action xp_test_timeout(xp_conn conn) { return (xp_action)xp_test_event(3, conn, XP_KEEPALIVE, XP_STR("")); }

// Delivers the alarm of a timer.
static inline xp_action xp_test_alarm(xp_conn conn, uint32_t id) { return (xp_action)xp_test_event(7, conn, id, XP_STR("")); }

// Announces that the gateway stops or has a newer version of the module.
static inline xp_action xp_test_drain(xp_conn conn) { return (xp_action)xp_test_event(6, conn, 0, XP_STR("")); }

// Closes the connection. What it was sent can still be checked.
static inline void xp_test_disconnect(xp_conn conn, const char *reason) {
  xp_test_event(2, conn, 0, XP_TEST_STR(reason, (uint32_t)strlen(reason)));
  xp_test_find(conn)->open = false;
}

// ---- Looking at it

// Returns the calls other than send since the last xp_test_calls, one per line: name, connection, arguments.
static inline const char *xp_test_calls(void) {
  free(xp_test.told.p);
  xp_test.told = xp_test.calls;
  xp_test.calls = (xp_test_text){0};
  return xp_test.told.p ? xp_test.told.p : "";
}

static inline void xp_test_expect(const char *file, int line, const char *what, xp_str got, xp_str want) {
  if (got.n == want.n && (got.n == 0 || memcmp(got.p, want.p, got.n) == 0)) return;
  fprintf(stderr, "%s:%d: %s is\n%.*s\nwant\n%.*s\n", file, line, what, (int)got.n, (const char *)got.p, (int)want.n, (const char *)want.p);
  xp_test.failures++;
}

static inline void xp_test_expect_int(const char *file, int line, const char *what, long long got, long long want) {
  if (got == want) return;
  fprintf(stderr, "%s:%d: %s is %lld, want %lld\n", file, line, what, got, want);
  xp_test.failures++;
}

// Compares what conn was sent since the last check.
static inline void xp_test_expect_sent(const char *file, int line, xp_conn conn, xp_str want) {
  xp_test_device *d = xp_test_find(conn);
  if (!d) abort();
  xp_test_expect(file, line, "what was sent", XP_TEST_STR(d->sent.p, (uint32_t)d->sent.n), want);
  free(d->sent.p);
  d->sent = (xp_test_text){0};
}

static inline void xp_test_expect_calls(const char *file, int line, const char *want) {
  const char *got = xp_test_calls();
  xp_test_expect(file, line, "what was called", XP_TEST_STR(got, (uint32_t)strlen(got)), XP_TEST_STR(want, (uint32_t)strlen(want)));
}

// Each prints a difference and continues. The calls are lines that end with \n.
#define XP_EXPECT_INT(got, want) xp_test_expect_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define XP_EXPECT_STR(got, want) xp_test_expect(__FILE__, __LINE__, #got, (got), XP_STR(want))
#define XP_EXPECT_SENT(conn, want) xp_test_expect_sent(__FILE__, __LINE__, (conn), XP_STR(want))
#define XP_EXPECT_CALLS(want) xp_test_expect_calls(__FILE__, __LINE__, (want))

// Frees the test's memory, and returns the exit code for main: 0, or 1 if something was not as expected.
static inline int xp_test_end(void) {
  for (size_t i = 0; i < xp_test.devices_n; i++) free(xp_test.devices[i].sent.p);
  free(xp_test.devices);
  free(xp_test.calls.p);
  free(xp_test.told.p);
  return xp_test.failures > 0;
}

#endif
