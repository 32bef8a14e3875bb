// The state of the guest: the engine, the script, and a device for each connection.
#ifndef SCRIPT_STATE_H
#define SCRIPT_STATE_H

#include <stdlib.h>
#include <string.h>

#define XP_MEMORY(size) calloc(1, size)
#include "../../c/exproto_notation.h"
#include "engine.h"

#define STACK_BYTES 393216u        // of the interpreter; the linker reserves more
#define HELD_MAX 131072u           // bytes of a device that wait for the result of its login
#define CONNECTIONS_MAX 1000000u   // the gateway's limits come first
#define PENDING_MAX 1024u          // callbacks of a connection that wait for a result

// A framing in use, and the pieces of its unfinished frames.
struct framing {
  xp_framing rules;
  xp_pool pool;
  struct framing *next;
  uint32_t n;
  char notation[];
};

enum call { CALL_LOGIN = 1, CALL_PUBLISH, CALL_SUBSCRIBE, CALL_UNSUBSCRIBE, CALL_SAVE };

// A call whose result is awaited.
struct pending {
  struct pending *next;
  int64_t token;
  enum call call;
  JSValue callback; // undefined: failures are logged
};

struct device {
  xp_conn conn;
  JSValue object;
  const struct framing *framing; // NULL: bytes as they come
  xp_framer framer;
  struct pending *pending;
  uint32_t pending_n;
  uint8_t *held; // bytes that wait for the login's result
  uint32_t held_n;
  bool datagrams;
  bool logging_in; // bytes are held
  bool paused, left, failed;
};

static xp_table devices = {.pool = {.size = sizeof(struct device), .max = CONNECTIONS_MAX}};
static JSRuntime *runtime;
static JSContext *js;
static JSClassID conn_class;
static JSValue conn_prototype, message_prototype;
static struct framing *framings, *configured;
static struct device *current; // the device of this event
static int64_t last_token = 15; // below are the tokens of single calls
static char script_name[256] = "script.js";

// The functions that a script may define.
enum hook { ON_CONNECT, ON_BYTES, ON_FRAME, ON_FRAME_ERROR, ON_MESSAGE, ON_TIMER, ON_KEEPALIVE, ON_DRAIN, ON_CLOSE, HOOKS };
static const char *const hook_names[HOOKS] = {"onConnect", "onBytes",     "onFrame", "onFrameError", "onMessage",
                                              "onTimer",   "onKeepAlive", "onDrain", "onClose"};
static JSValue hooks[HOOKS];

static bool has_hook(enum hook h) { return JS_IsFunction(js, hooks[h]); }

#endif
