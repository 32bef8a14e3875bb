// The guest that runs a script: the events of the gateway become calls of the script's functions. ../README.md says how
// it is built and configured; errors.h has what happens when the script fails.
#define XP_BUFFER 1179648 // the configuration contains the script: up to 1 MiB, and its settings

#include "api.h"

static uint64_t fuel, fuel_per_byte; // that an event may take

// ---- Calls into the script

// Calls a function of the script if there is one. It takes ownership of the arguments after the connection.
static bool call(struct device *d, JSValueConst function, int argc, JSValue *argv) {
  JSValueConst all[3] = {d->object};
  for (int i = 0; i < argc; i++) all[i + 1] = argv[i];
  bool ok = !JS_IsFunction(js, function) || done(d, JS_Call(js, function, JS_UNDEFINED, argc + 1, all));
  for (int i = 0; i < argc; i++) JS_FreeValue(js, argv[i]);
  return ok;
}

static bool call_hook(struct device *d, enum hook h, int argc, JSValue *argv) { return call(d, hooks[h], argc, argv); }

// Begins an event of a connection. Returns NULL if it is not known.
static struct device *begin(xp_conn conn, uint32_t body) {
  begin_steps(fuel + body * fuel_per_byte);
  return current = xp_find(&devices, conn);
}

// Ends an event: what it comes to for the connection.
static xp_action finish(struct device *d) {
  run_jobs(d);
  xp_action action = d->failed ? XP_FAIL : d->left ? XP_CLOSE : d->paused ? XP_PAUSE : XP_CONTINUE;
  d->failed = d->paused = false;
  current = NULL;
  return action;
}

static void fail(struct device *d, xp_str what) {
  static uint8_t line_bytes[ERROR_MAX];
  xp_buf line = XP_BUF(line_bytes);
  xp_put(&line, (xp_str){(const uint8_t *)script_name, (uint32_t)strlen(script_name)});
  xp_put(&line, XP_STR(": "));
  xp_put(&line, what);
  xp_log(XP_ERROR, xp_written(&line));
  d->failed = true;
}

// ---- Bytes

// Keeps bytes until the login is answered.
static void hold(struct device *d, xp_str s) {
  if (s.n == 0) return;
  uint8_t *held = s.n <= HELD_MAX - d->held_n ? realloc(d->held, d->held_n + s.n) : NULL;
  if (!held) {
    fail(d, XP_STR("the device sends too much before its login is answered"));
    return;
  }
  memcpy(held + d->held_n, s.p, s.n);
  d->held = held;
  d->held_n += s.n;
}

static void frame_error(struct device *d, xp_outcome o) {
  if (o == XP_NO_MEMORY) {
    fail(d, XP_STR("no memory for another unfinished frame"));
  } else if (has_hook(ON_FRAME_ERROR)) {
    call_hook(d, ON_FRAME_ERROR, 1, (JSValue[]){JS_NewString(js, o == XP_TOO_LONG ? "too_long" : "broken")});
  } else {
    xp_close(d->conn, o == XP_TOO_LONG ? XP_STR("a frame is too long") : XP_STR("a frame is broken"));
    d->left = true;
  }
}

// Hands bytes to the script, in frames if there is a framing.
static void feed(struct device *d, xp_str in) {
  while (in.n > 0 && !d->logging_in && !d->left && !d->failed) {
    const struct framing *f = d->framing;
    xp_str frame = in;
    xp_outcome o = XP_FRAME;
    if (f) o = xp_next_frame(&f->rules, &d->framer, &in, &frame);
    else in.n = 0;
    if (o == XP_NO_FRAME) break;
    if (o != XP_FRAME) {
      frame_error(d, o);
      continue;
    }
    bool whole = f || d->datagrams;
    enum hook h = has_hook(ON_FRAME) && (whole || !has_hook(ON_BYTES)) ? ON_FRAME : ON_BYTES;
    if (h == ON_FRAME && !whole) fail(d, XP_STR("onFrame needs a framing for a stream of bytes: set framing"));
    else call_hook(d, h, 1, (JSValue[]){new_bytes(frame)});
  }
  if (d->logging_in) hold(d, in);
}

static xp_action on_bytes(xp_conn conn, xp_str s) {
  struct device *d = begin(conn, s.n);
  if (!d) return XP_CLOSE;
  // The script may replace the framing in the middle, and its own bytes with it: the receive buffer is the host's.
  if (d->logging_in) hold(d, s), d->paused = true;
  else feed(d, s);
  return finish(d);
}

static void feed_held(struct device *d) {
  xp_str s = {d->held, d->held_n};
  d->held = NULL;
  d->held_n = 0;
  feed(d, s);
  free((void *)s.p);
}

// ---- Connections

static JSValue new_address(xp_address a) {
  JSValue v = JS_NewObject(js);
  set(v, "host", new_text(a.host));
  set(v, "port", JS_NewUint32(js, a.port));
  return v;
}

static JSValue new_connection(struct device *d, const xp_conninfo *info) {
  static const char *const transports[] = {"tcp", "tls", "udp", "dtls"};
  JSValue v = JS_NewObjectProtoClass(js, conn_prototype, conn_class);
  if (JS_IsException(v)) return v;
  JS_SetOpaque(v, d);
  JSValue certificate = JS_NewObject(js);
  set(certificate, "commonName", new_text(info->cert_cn));
  set(certificate, "subject", new_text(info->cert_dn));
  set(v, "transport", JS_NewString(js, (uint32_t)info->socket_type < 4 ? transports[info->socket_type] : "other"));
  set(v, "peer", new_address(info->peer));
  set(v, "local", new_address(info->local));
  set(v, "certificate", certificate);
  return v;
}

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  struct device *d = xp_add(&devices, conn);
  if (!d) return XP_CLOSE;
  d->object = JS_UNDEFINED;
  d->framing = configured;
  d->datagrams = info->socket_type == XP_UDP || info->socket_type == XP_DTLS;
  begin(conn, 0);
  d->object = new_connection(d, info);
  if (JS_IsException(d->object)) {
    d->object = JS_UNDEFINED;
    report(d);
  } else {
    call_hook(d, ON_CONNECT, 0, NULL);
  }
  return finish(d);
}

static void on_closed(xp_conn conn, xp_str reason) {
  struct device *d = begin(conn, 0);
  if (!d) return;
  JS_SetOpaque(d->object, NULL); // calls return NOT_ALIVE
  call_hook(d, ON_CLOSE, 1, (JSValue[]){new_text(reason)});
  run_jobs(d);
  while (d->pending) JS_FreeValue(js, expected(d, d->pending->token).callback);
  reframe(d, NULL);
  free(d->held);
  JS_FreeValue(js, d->object);
  xp_remove(&devices, conn);
  current = NULL;
}

// ---- Timers and messages

static xp_action on_timer(xp_conn conn, int32_t type) {
  (void)type; // there is only one
  struct device *d = begin(conn, 0);
  if (!d) return XP_CLOSE;
  if (has_hook(ON_KEEPALIVE)) {
    call_hook(d, ON_KEEPALIVE, 0, NULL);
  } else {
    xp_close(conn, XP_STR("nothing was received for as long as keepAlive allows"));
    d->left = true;
  }
  return finish(d);
}

static xp_action on_alarm(xp_conn conn, uint32_t id) {
  struct device *d = begin(conn, 0);
  if (!d) return XP_CLOSE;
  call_hook(d, ON_TIMER, 1, (JSValue[]){JS_NewUint32(js, id)});
  return finish(d);
}

static JSValue new_message(const xp_message *m) {
  JSValue v = JS_NewObjectProto(js, message_prototype);
  set(v, "topic", new_text(m->topic));
  set(v, "payload", new_bytes(m->payload));
  set(v, "qos", JS_NewUint32(js, m->qos));
  set(v, "from", new_text(m->from));
  set(v, "id", new_text(m->id));
  set(v, "node", new_text(m->node));
  bool exact = m->timestamp < 1ull << 53;
  set(v, "timestamp", exact ? JS_NewInt64(js, (int64_t)m->timestamp) : JS_NewBigUint64(js, m->timestamp));
  return v;
}

static xp_action on_messages(xp_conn conn, xp_messages *messages) {
  struct device *d = begin(conn, 0);
  if (!d) return XP_CLOSE;
  xp_message m;
  while (has_hook(ON_MESSAGE) && !d->left && !d->failed && xp_next_message(messages, &m))
    call_hook(d, ON_MESSAGE, 1, (JSValue[]){new_message(&m)});
  return finish(d);
}

static xp_action on_drain(xp_conn conn) {
  struct device *d = begin(conn, 0);
  if (!d) return XP_CLOSE;
  call_hook(d, ON_DRAIN, 0, NULL);
  return finish(d);
}

// ---- Results

static JSValue new_result(xp_result r) {
  JSValue v = JS_NewObject(js);
  set(v, "ok", JS_NewBool(js, r.code == XP_OK));
  set(v, "code", new_code(r.code));
  set(v, "name", new_text(xp_code_name(r.code)));
  set(v, "message", new_text(r.message));
  set(v, "state", r.state.n > 0 ? new_bytes(r.state) : JS_NULL);
  return v;
}

// Says what nobody waits for: a failed login ends the connection, other failures are logged.
static void failed(struct device *d, enum call call, xp_result r) {
  static const char *const names[] = {"", "login", "publish", "subscribe", "unsubscribe", "saveState"};
  static uint8_t line_bytes[256];
  xp_buf line = XP_BUF(line_bytes);
  xp_put(&line, (xp_str){(const uint8_t *)names[call], (uint32_t)strlen(names[call])});
  xp_put(&line, XP_STR(" refused: "));
  xp_put(&line, xp_code_name(r.code));
  if (r.message.n > 0) xp_put_byte(&line, ' '), xp_put(&line, r.message);
  if (call == CALL_LOGIN) xp_close(d->conn, xp_written(&line)), d->left = true;
  else xp_log(XP_WARN, xp_written(&line));
}

static xp_action on_result(xp_conn conn, int64_t token, xp_result r) {
  struct device *d = begin(conn, 0);
  if (!d) return XP_CLOSE;
  struct pending p = expected(d, token);
  if (!p.call) return finish(d);
  bool held = p.call == CALL_LOGIN && d->logging_in;
  if (held) d->logging_in = false;
  if (JS_IsFunction(js, p.callback)) {
    JSValueConst result = new_result(r);
    done(d, JS_Call(js, p.callback, d->object, 1, &result));
    JS_FreeValue(js, result);
  } else if (r.code != XP_OK) {
    failed(d, p.call, r);
  }
  JS_FreeValue(js, p.callback);
  if (held && !d->logging_in && !d->left && !d->failed) {
    if (!d->paused) xp_resume(conn);
    feed_held(d);
  }
  return finish(d);
}

// ---- The configuration

static const char prelude_source[] = {
#include "prelude.inc"
    , 0};
static const char collect_source[] = {
#include "collect.inc"
    , 0};

static const JSClassDef conn_definition = {.class_name = "Connection"};

// Makes the engine and what a script finds in it.
static bool make_engine(void) {
  runtime = JS_NewRuntime();
  if (!runtime) return false;
  JS_SetDumpFlags(runtime, 0);
  engine_limit_stack(runtime, STACK_BYTES);
  JS_SetInterruptHandler(runtime, on_interrupt, NULL);
  JS_SetHostPromiseRejectionTracker(runtime, on_rejection, NULL);
  rejected = JS_UNDEFINED;
  js = JS_NewContext(runtime);
  if (!js) return false;
  JS_NewClassID(runtime, &conn_class);
  JS_NewClass(runtime, conn_class, &conn_definition);
  conn_prototype = JS_NewObject(js);
  JS_SetPropertyFunctionList(js, conn_prototype, conn_functions, COUNT(conn_functions));
  JSValue global = JS_GetGlobalObject(js), console = JS_NewObject(js), module = JS_NewObject(js), exports = JS_NewObject(js);
  JS_SetPropertyFunctionList(js, global, global_functions, COUNT(global_functions));
  JS_SetPropertyFunctionList(js, console, console_functions, COUNT(console_functions));
  set(module, "exports", JS_DupValue(js, exports));
  set(global, "console", console);
  set(global, "module", module); // codecs look whether they are there
  set(global, "exports", exports);
  JS_FreeValue(js, global);
  return true;
}

// Makes text, or bytes if they are not UTF-8.
static JSValue text_or_bytes(xp_str s) {
  JSValue v = new_text(s);
  struct bytes b = {.json = JS_UNDEFINED};
  if (JS_IsException(v) || !bytes_of_text(v, &b)) return v;
  bool same = b.s.n == s.n && memcmp(b.s.p, s.p, s.n) == 0;
  free_bytes(&b);
  if (same) return v;
  JS_FreeValue(js, v);
  return new_bytes(s);
}

// Sets the global variable config: the configuration's JSON, or its text if it is none.
static JSValue set_config(xp_str s) {
  char *text = calloc(1, s.n + 1);
  if (!text) return JS_ThrowOutOfMemory(js);
  memcpy(text, s.p, s.n);
  JSValue v = s.n > 0 ? JS_ParseJSON(js, text, s.n, "config") : JS_UNDEFINED;
  if (JS_IsException(v)) {
    JS_FreeValue(js, JS_GetException(js));
    v = text_or_bytes(s);
  }
  free(text);
  JSValue global = JS_GetGlobalObject(js);
  set(global, "config", JS_DupValue(js, v));
  JS_FreeValue(js, global);
  return v;
}

static JSValue eval(const char *source, size_t n, const char *name) { return JS_Eval(js, source, n, name, JS_EVAL_TYPE_GLOBAL); }

// Finds the functions of the script, those of a codec included.
static bool collect(JSValueConst prelude, JSValueConst config) {
  JSValue script = eval(collect_source, sizeof collect_source - 1, "<collect>");
  JSValue framing = JS_GetPropertyStr(js, script, "framing");
  struct bytes b = {.json = JS_UNDEFINED};
  bool ok = JS_IsUndefined(framing) || bytes_of_text(framing, &b);
  if (ok && b.s.n > 0 && !configured && !(configured = find_framing(b.s))) {
    JS_ThrowRangeError(js, "the variable framing is not a framing");
    ok = false;
  }
  free_bytes(&b);
  JS_FreeValue(js, framing);
  JSValue function = JS_GetPropertyStr(js, prelude, "hooks");
  JSValueConst args[] = {script, config};
  JSValue all = ok ? JS_Call(js, function, JS_UNDEFINED, 2, args) : JS_EXCEPTION;
  for (int i = 0; i < HOOKS; i++) hooks[i] = JS_IsException(all) ? JS_UNDEFINED : JS_GetPropertyStr(js, all, hook_names[i]);
  ok = !JS_IsException(all);
  if (ok && !has_hook(ON_BYTES) && !has_hook(ON_FRAME)) {
    JS_ThrowTypeError(js, "the script defines neither onFrame, onBytes nor decodeUplink");
    ok = false;
  }
  JS_FreeValue(js, all);
  JS_FreeValue(js, function);
  JS_FreeValue(js, script);
  return ok;
}

// Runs the prelude, the script and what collects its functions.
static bool run_script(xp_str source, xp_str config_text) {
  JSValue text = JS_NewCFunction(js, js_text, "text", 1);
  JSValue make = eval(prelude_source, sizeof prelude_source - 1, "<prelude>");
  JSValue prelude = JS_IsException(make) ? JS_EXCEPTION : JS_Call(js, make, JS_UNDEFINED, 1, (JSValueConst[]){text});
  JS_FreeValue(js, make);
  JS_FreeValue(js, text);
  if (JS_IsException(prelude)) return false;
  message_prototype = JS_GetPropertyStr(js, prelude, "message");
  JSValue config = set_config(config_text);
  char *zeroed = calloc(1, source.n + 1);
  if (zeroed) memcpy(zeroed, source.p, source.n);
  JSValue result = zeroed ? eval(zeroed, source.n, script_name) : JS_ThrowOutOfMemory(js);
  free(zeroed);
  bool ok = !JS_IsException(result) && collect(prelude, config);
  JS_FreeValue(js, result);
  JS_FreeValue(js, config);
  JS_FreeValue(js, prelude);
  return ok;
}

// The configuration is protobuf: 1 the script's name, 2 its source, 3 its configuration, 4 its framing, and the fuel that
// it may use: 5 in an event, 6 more for each byte, 7 while it starts. Package script writes it.
static int32_t on_init(xp_str body) {
  xp_str name = {0}, source = {0}, config = {0}, framing = {0};
  uint64_t start_fuel = 0;
  xp_field f;
  xp_reader r = xp_read(body);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: name = f.bytes; break;
    case 2: source = f.bytes; break;
    case 3: config = f.bytes; break;
    case 4: framing = f.bytes; break;
    case 5: fuel = f.value; break;
    case 6: fuel_per_byte = f.value; break;
    case 7: start_fuel = f.value; break;
    }
  if (r.bad || name.n >= sizeof script_name || !make_engine()) return 1;
  if (name.n > 0) memcpy(script_name, name.p, name.n), script_name[name.n] = 0;
  begin_steps(start_fuel);
  if (framing.n > 0 && !(configured = find_framing(framing))) {
    xp_log(XP_ERROR, XP_STR("not a framing: see docs/javascript.md"));
    return 2;
  }
  bool ok = run_script(source, config);
  if (!ok) report(NULL);
  run_jobs(NULL);
  return ok ? 0 : 3;
}

XP_HANDLER(.init = on_init, .created = on_created, .bytes = on_bytes, .timer = on_timer, .alarm = on_alarm, .messages = on_messages,
           .result = on_result, .closed = on_closed, .drain = on_drain);
