// What a script can call: the methods of a connection, and a few global functions. docs/javascript.md describes them.
// The calls return 0 if they were accepted, and otherwise the code of the contract.
#ifndef SCRIPT_API_H
#define SCRIPT_API_H

#include "framing.h"
#include "values.h"

static JSValue new_code(xp_code code) { return JS_NewUint32(js, (uint32_t)code); }

// Returns the device of a connection. If it is closed, *code says so; NULL without a code is an exception.
static struct device *device_of(JSValueConst this, xp_code *code) {
  *code = XP_OK;
  if (JS_GetClassID(this) != conn_class) {
    JS_ThrowTypeError(js, "not a connection");
    return NULL;
  }
  struct device *d = JS_GetOpaque(this, conn_class);
  if (!d) *code = XP_NOT_ALIVE;
  return d;
}

#define DEVICE_OR_RETURN(d)                                                                                            \
  xp_code code;                                                                                                        \
  struct device *d = device_of(this, &code);                                                                           \
  if (!d) return code == XP_OK ? JS_EXCEPTION : new_code(code)

static JSValue arg(int argc, JSValueConst *argv, int i) { return i < argc ? argv[i] : JS_UNDEFINED; }

// ---- Results

// Reports whether another callback than this one waits for a result with the token.
static bool is_taken(const struct device *d, int64_t token, JSValueConst callback) {
  for (const struct pending *p = d->pending; p; p = p->next)
    if (p->token == token && !JS_IsStrictEqual(js, p->callback, callback)) return true;
  return false;
}

// Makes the token of a call whose result is wanted: the call's number if no other callback waits with it, so that
// recordings of a device compare. Returns 0 without memory for it.
static int64_t expect(struct device *d, enum call call, JSValueConst callback) {
  if (d->pending_n == PENDING_MAX) return 0;
  struct pending *p = malloc(sizeof *p);
  if (!p) return 0;
  int64_t token = is_taken(d, call, callback) ? ++last_token : (int64_t)call;
  *p = (struct pending){d->pending, token, call, JS_IsFunction(js, callback) ? JS_DupValue(js, callback) : JS_UNDEFINED};
  d->pending = p;
  d->pending_n++;
  return p->token;
}

// Removes and returns what is expected with the token, or a call of 0.
static struct pending expected(struct device *d, int64_t token) {
  for (struct pending **at = &d->pending; *at; at = &(*at)->next) {
    struct pending *p = *at, found = *p;
    if (p->token != token) continue;
    *at = p->next;
    d->pending_n--;
    free(p);
    return found;
  }
  return (struct pending){.callback = JS_UNDEFINED};
}

// Ends a call: a refused one has no result.
static JSValue answer(struct device *d, int64_t token, xp_code code) {
  if (code != XP_OK && token) JS_FreeValue(js, expected(d, token).callback);
  return new_code(code);
}

// ---- Calls

static JSValue js_send(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  struct bytes b;
  bool ok = to_bytes(arg(argc, argv, 0), &b);
  if (ok) code = xp_send(d->conn, b.s);
  free_bytes(&b);
  return ok ? new_code(code) : JS_EXCEPTION;
}

// conn.close(reason) closes as the contract's call does: the rest of this event's frames still comes. Without a reason
// the connection ends after this function, and normally.
static JSValue js_close(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  if (JS_IsUndefined(arg(argc, argv, 0))) {
    d->left = d == current;
    return new_code(d == current ? XP_OK : xp_close(d->conn, XP_STR("")));
  }
  struct bytes b = {.json = JS_UNDEFINED};
  bool ok = bytes_of_text(argv[0], &b);
  if (ok) code = xp_close(d->conn, b.s);
  free_bytes(&b);
  return ok ? new_code(code) : JS_EXCEPTION;
}

// Reads options.hold of a login, which is true unless it is false.
static int holds(JSValueConst options) {
  JSValue v = JS_GetPropertyStr(js, options, "hold");
  int hold = JS_IsUndefined(v) ? 1 : JS_ToBool(js, v);
  JS_FreeValue(js, v);
  return hold;
}

// conn.login({clientId, username, password, protocol, version, mountpoint, hold}, callback)
static JSValue js_login(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  JSValue options = arg(argc, argv, 0);
  if (!JS_IsObject(options)) return JS_ThrowTypeError(js, "login needs an object with clientId");
  static const char *const names[] = {"clientId", "username", "password", "protocol", "version", "mountpoint"};
  struct bytes member[6];
  uint32_t read = 0;
  bool ok = true;
  for (; ok && read < 6; read++) ok = to_member(options, names[read], &member[read]);
  int hold = ok ? holds(options) : -1;
  int64_t token = hold >= 0 ? expect(d, CALL_LOGIN, arg(argc, argv, 1)) : 0;
  if (token) {
    xp_client c = {
        .client_id = member[0].s, .username = member[1].s, .proto_name = member[3].s, .proto_version = member[4].s, .mountpoint = member[5].s};
    code = xp_authenticate(d->conn, token, &c, member[2].s);
  }
  if (token && code == XP_OK) set(this, "clientId", new_text(member[0].s));
  for (uint32_t i = 0; i < read; i++) free_bytes(&member[i]);
  if (hold < 0) return JS_EXCEPTION;
  if (!token) return new_code(XP_LIMIT);
  if (code == XP_OK) d->paused = true, d->logging_in = hold;
  return answer(d, token, code);
}

// Reads the QoS from a number or the member qos of options, 0 if there is none. Returns false with an exception.
static bool to_qos(JSValueConst options, uint32_t *qos) {
  JSValue v = JS_IsObject(options) ? JS_GetPropertyStr(js, options, "qos") : JS_DupValue(js, options);
  *qos = 0;
  bool ok = JS_IsUndefined(v) || JS_IsNull(v) || (!JS_IsException(v) && !JS_ToUint32(js, qos, v));
  JS_FreeValue(js, v);
  return ok;
}

// conn.publish(topic, payload, options, callback); options and callback may be missing.
static JSValue js_publish(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  JSValue options = arg(argc, argv, 2), callback = arg(argc, argv, 3);
  if (JS_IsFunction(js, options)) callback = options, options = JS_UNDEFINED;
  struct bytes topic = {.json = JS_UNDEFINED}, payload = {.json = JS_UNDEFINED};
  uint32_t qos;
  bool ok = to_qos(options, &qos) && bytes_of_text(arg(argc, argv, 0), &topic) && to_payload(arg(argc, argv, 1), &payload);
  int64_t token = ok && JS_IsFunction(js, callback) ? expect(d, CALL_PUBLISH, callback) : 0;
  bool full = ok && JS_IsFunction(js, callback) && !token;
  if (ok && !full) code = xp_publish(d->conn, token, topic.s, qos, payload.s);
  free_bytes(&topic);
  free_bytes(&payload);
  if (!ok) return JS_EXCEPTION;
  return answer(d, token, full ? XP_LIMIT : code);
}

// conn.subscribe(filter, options, callback) and conn.unsubscribe(filter, callback)
static JSValue js_subscribe(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int call) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  JSValue options = arg(argc, argv, 1), callback = arg(argc, argv, 2);
  if (JS_IsFunction(js, options)) callback = options, options = JS_UNDEFINED;
  struct bytes filter = {.json = JS_UNDEFINED};
  uint32_t qos;
  if (!to_qos(options, &qos) || !bytes_of_text(arg(argc, argv, 0), &filter)) return JS_EXCEPTION;
  int64_t token = expect(d, (enum call)call, callback);
  if (!token) code = XP_LIMIT;
  else if (call == CALL_SUBSCRIBE) code = xp_subscribe(d->conn, token, filter.s, qos);
  else code = xp_unsubscribe(d->conn, token, filter.s);
  free_bytes(&filter);
  return answer(d, token, code);
}

// conn.saveState(data, callback): what the next login of the client gets. An object becomes JSON.
static JSValue js_save_state(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  struct bytes state;
  bool ok = to_payload(arg(argc, argv, 0), &state);
  int64_t token = ok ? expect(d, CALL_SAVE, arg(argc, argv, 1)) : 0;
  code = token ? xp_save_state(d->conn, token, state.s) : XP_LIMIT;
  free_bytes(&state);
  return ok ? answer(d, token, code) : JS_EXCEPTION;
}

// conn.setTimer(id, ms) and conn.keepAlive(seconds)
static JSValue js_set_timer(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  uint32_t id;
  int32_t ms;
  if (JS_ToUint32(js, &id, arg(argc, argv, 0)) || JS_ToInt32(js, &ms, arg(argc, argv, 1))) return JS_EXCEPTION;
  return new_code(xp_set_timer(d->conn, id, ms));
}

static JSValue js_keep_alive(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  uint32_t seconds;
  if (JS_ToUint32(js, &seconds, arg(argc, argv, 0))) return JS_EXCEPTION;
  return new_code(xp_start_timer(d->conn, seconds));
}

static JSValue js_pause(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx, (void)argc, (void)argv;
  DEVICE_OR_RETURN(d);
  d->paused = true;
  return new_code(XP_OK);
}

static JSValue js_resume(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx, (void)argc, (void)argv;
  DEVICE_OR_RETURN(d);
  return new_code(xp_resume(d->conn));
}

// conn.setFraming(notation): another framing from the next byte on; without one, bytes come as they are.
static JSValue js_set_framing(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  DEVICE_OR_RETURN(d);
  const struct framing *f = NULL;
  if (JS_IsString(arg(argc, argv, 0))) {
    struct bytes b = {.json = JS_UNDEFINED};
    if (!bytes_of_text(argv[0], &b)) return JS_EXCEPTION;
    f = find_framing(b.s);
    free_bytes(&b);
    if (!f) return JS_ThrowRangeError(js, "not a framing: docs/javascript.md lists them");
  }
  reframe(d, f);
  return new_code(XP_OK);
}

static const JSCFunctionListEntry conn_functions[] = {
    JS_CFUNC_DEF("send", 1, js_send),
    JS_CFUNC_DEF("close", 1, js_close),
    JS_CFUNC_DEF("login", 2, js_login),
    JS_CFUNC_DEF("publish", 4, js_publish),
    JS_CFUNC_MAGIC_DEF("subscribe", 3, js_subscribe, CALL_SUBSCRIBE),
    JS_CFUNC_MAGIC_DEF("unsubscribe", 2, js_subscribe, CALL_UNSUBSCRIBE),
    JS_CFUNC_DEF("saveState", 2, js_save_state),
    JS_CFUNC_DEF("setTimer", 2, js_set_timer),
    JS_CFUNC_DEF("keepAlive", 1, js_keep_alive),
    JS_CFUNC_DEF("pause", 0, js_pause),
    JS_CFUNC_DEF("resume", 0, js_resume),
    JS_CFUNC_DEF("setFraming", 1, js_set_framing),
};

// ---- Global functions

// console.log and the others: the arguments with a space between them; objects as JSON.
static JSValue js_log(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int level) {
  (void)ctx, (void)this;
  static uint8_t line_bytes[1024];
  xp_buf line = XP_BUF(line_bytes);
  for (int i = 0; i < argc && !line.full; i++) {
    struct bytes b = {.json = JS_UNDEFINED};
    bool plain = !JS_IsObject(argv[i]) || JS_IsError(argv[i]) || JS_IsFunction(js, argv[i]);
    if (plain ? !bytes_of_text(argv[i], &b) : !to_payload(argv[i], &b)) {
      free_bytes(&b);
      return JS_EXCEPTION;
    }
    if (i > 0) xp_put_byte(&line, ' ');
    uint32_t room = line.cap - line.n;
    if (b.s.n > room) b.s.n = room;
    xp_put(&line, b.s);
    free_bytes(&b);
  }
  xp_log((xp_level)level, xp_written(&line));
  return JS_UNDEFINED;
}

// text(bytes): the UTF-8 text in them.
static JSValue js_text(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx, (void)this;
  struct bytes b;
  JSValue v = to_bytes(arg(argc, argv, 0), &b) ? new_text(b.s) : JS_EXCEPTION;
  free_bytes(&b);
  return v;
}

// bytes(text or array): a Uint8Array.
static JSValue js_bytes(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx, (void)this;
  struct bytes b;
  JSValue v = to_bytes(arg(argc, argv, 0), &b) ? new_bytes(b.s) : JS_EXCEPTION;
  free_bytes(&b);
  return v;
}

// hex(bytes): two digits each.
static JSValue js_hex(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx, (void)this;
  struct bytes b;
  if (!to_bytes(arg(argc, argv, 0), &b)) {
    free_bytes(&b);
    return JS_EXCEPTION;
  }
  char *digits = malloc(b.s.n * 2 + 1);
  for (uint32_t i = 0; digits && i < b.s.n; i++) {
    digits[2 * i] = "0123456789abcdef"[b.s.p[i] >> 4];
    digits[2 * i + 1] = "0123456789abcdef"[b.s.p[i] & 15];
  }
  JSValue v = digits ? JS_NewStringLen(js, digits, b.s.n * 2) : JS_ThrowOutOfMemory(js);
  free(digits);
  free_bytes(&b);
  return v;
}

static const JSCFunctionListEntry console_functions[] = {
    JS_CFUNC_MAGIC_DEF("debug", 1, js_log, XP_DEBUG), JS_CFUNC_MAGIC_DEF("log", 1, js_log, XP_INFO),
    JS_CFUNC_MAGIC_DEF("info", 1, js_log, XP_INFO),   JS_CFUNC_MAGIC_DEF("warn", 1, js_log, XP_WARN),
    JS_CFUNC_MAGIC_DEF("error", 1, js_log, XP_ERROR),
};

static const JSCFunctionListEntry global_functions[] = {
    JS_CFUNC_DEF("text", 1, js_text),
    JS_CFUNC_DEF("bytes", 1, js_bytes),
    JS_CFUNC_DEF("hex", 1, js_hex),
};

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

#endif
