// Errors of the script: one line for the log with file and line, and what ends an event or the instance.
#ifndef SCRIPT_ERRORS_H
#define SCRIPT_ERRORS_H

#include <wasi/api.h>

#include "state.h"

#define ERROR_MAX 900u // bytes of an error in the log, which cuts lines at 1,024

#define LOOK_FIRST 100 // steps until the first look at the fuel: most events are shorter
#define LOOK_MOST 20000

static uint64_t fuel_allowed; // of this event; 0: as much as there is
static uint64_t fuel_seen;    // at the last look
static int32_t steps_between; // the last two looks
static bool interrupted;

// The fuel that the event has used, which the host shows as the processor time of the process.
static uint64_t fuel_used(void) {
  __wasi_timestamp_t used = 0;
  return __wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &used) ? 0 : used;
}

// Looks again when the script may have used half of what is left.
static int on_interrupt(JSRuntime *rt, void *opaque) {
  (void)rt, (void)opaque;
  if (fuel_allowed == 0) return 0;
  uint64_t used = fuel_used();
  if (used >= fuel_allowed) {
    interrupted = true;
    engine_look_after(js, 10);
    return 1;
  }
  uint64_t for_a_step = (used - fuel_seen) / (uint32_t)steps_between + 1;
  uint64_t steps = (fuel_allowed - used) / 2 / for_a_step;
  fuel_seen = used;
  steps_between = steps < 10 ? 10 : steps > LOOK_MOST ? LOOK_MOST : (int32_t)steps;
  engine_look_after(js, steps_between);
  return 0;
}

static void begin_steps(uint64_t fuel) {
  fuel_allowed = fuel;
  fuel_seen = 0;
  interrupted = false;
  engine_look_after(js, steps_between = LOOK_FIRST);
}

static uint8_t error_bytes[ERROR_MAX];
static xp_buf error_text;

static void put_error(const char *s, size_t n) {
  uint32_t room = error_text.cap - error_text.n;
  xp_put(&error_text, (xp_str){(const uint8_t *)s, n < room ? (uint32_t)n : room});
}

static void put_error_value(JSValueConst v) {
  size_t n;
  const char *s = JS_ToCStringLen(js, &n, v);
  if (!s) {
    JS_FreeValue(js, JS_GetException(js));
    return;
  }
  put_error(s, n);
  JS_FreeCString(js, s);
}

static bool out_of_memory(xp_str s) {
  static const char text[] = "out of memory";
  for (uint32_t i = 0; i + sizeof text - 1 <= s.n; i++)
    if (memcmp(s.p + i, text, sizeof text - 1) == 0) return true;
  return false;
}

// Puts the places of a stack trace: "    at f (meter.js:3:5)\n..." becomes " at f (meter.js:3:5) at ...".
static void put_stack(JSValueConst error) {
  JSValue stack = JS_GetPropertyStr(js, error, "stack");
  size_t n = 0;
  const char *s = JS_IsString(stack) ? JS_ToCStringLen(js, &n, stack) : NULL;
  bool space = true;
  for (size_t i = 0; s && i < n; i++) {
    bool blank = s[i] == ' ' || s[i] == '\n';
    if (blank) space = true;
    else if (space) put_error(" ", 1), put_error(s + i, 1), space = false;
    else put_error(s + i, 1);
  }
  if (s) JS_FreeCString(js, s);
  else JS_FreeValue(js, JS_GetException(js));
  JS_FreeValue(js, stack);
}

// Puts the first place of a stack that is in a file: "meter.js:3:5: ". The stack of a syntax error has only that.
static bool put_place(JSValueConst error) {
  JSValue stack = JS_GetPropertyStr(js, error, "stack");
  const char *s = JS_IsString(stack) ? JS_ToCString(js, stack) : NULL;
  bool found = false;
  for (const char *line = s; line && *line && !found;) {
    const char *end = strchr(line, '\n'), *from = line;
    if (!end) end = line + strlen(line);
    for (const char *c = line; c < end; c++)
      if (*c == '(') from = c + 1;
    if (from == line)
      while (from < end && (*from == ' ' || strncmp(from, "at ", 3) == 0)) from += *from == ' ' ? 1 : 3;
    const char *to = from;
    while (to < end && *to != ')') to++;
    found = to - from > (long)strlen(script_name) && strncmp(from, script_name, strlen(script_name)) == 0;
    if (found) put_error(from, (size_t)(to - from)), put_error(": ", 2);
    line = *end ? end + 1 : end;
  }
  if (s) JS_FreeCString(js, s);
  JS_FreeValue(js, stack);
  return found;
}

// Makes the text of the pending exception, and drops it: "meter.js:3:5: TypeError: ... in onFrame".
static xp_str take_error(void) {
  JSValue error = JS_GetException(js);
  uint64_t allowed = fuel_allowed;
  fuel_allowed = 0; // so that the text of the error can be made
  error_text = (xp_buf)XP_BUF(error_bytes);
  bool is_error = JS_IsError(error);
  if (!is_error || !put_place(error)) put_error(script_name, strlen(script_name)), put_error(": ", 2);
  if (interrupted) put_error("it takes too long (limit fuel)", 30);
  else put_error_value(error);
  if (is_error) put_stack(error);
  fuel_allowed = allowed;
  JS_FreeValue(js, error);
  return xp_written(&error_text);
}

// Logs the pending exception. A script that has used up its memory would only fail again: its instance ends.
static void report(struct device *d) {
  xp_str s = take_error();
  xp_log(XP_ERROR, s);
  if (out_of_memory(s)) __builtin_trap();
  if (d) d->failed = true;
}

static JSValue rejected; // why a promise was rejected that nobody handles

static void on_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  (void)ctx, (void)promise, (void)opaque;
  JS_FreeValue(js, rejected);
  rejected = handled ? JS_UNDEFINED : JS_DupValue(js, reason);
}

// Runs what promises have left to do. If it does not end, the instance does: the rest would use up every later event.
static void run_jobs(struct device *d) {
  JSContext *context;
  while (JS_IsJobPending(runtime)) {
    if (JS_ExecutePendingJob(runtime, &context) < 0) report(d);
    if (interrupted) break;
  }
  if (interrupted && JS_IsJobPending(runtime)) {
    xp_log(XP_ERROR, XP_STR("the script's promises do not end (limit fuel)"));
    __builtin_trap();
  }
  if (JS_IsUndefined(rejected)) return;
  JS_Throw(js, rejected);
  rejected = JS_UNDEFINED;
  report(d);
}

// Frees the result of a call into the script. Returns false, after logging it, if that was an exception.
static bool done(struct device *d, JSValue v) {
  bool ok = !JS_IsException(v);
  if (!ok) report(d);
  JS_FreeValue(js, v);
  return ok;
}

#endif
