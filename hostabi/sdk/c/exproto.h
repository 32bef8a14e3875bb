// exproto_v1 guest SDK for C: the events and calls of a guest in exgate, in one freestanding header (no libc).
//
// A guest is one .c file that includes this header, defines functions for the events it needs and lists them in
// XP_HANDLER at its end. README.md in this folder explains how to build and run one.
//
// Bytes passed to an event are valid during that event only. Arguments of calls are copied before the call returns. The
// outcome of authenticate, publish, subscribe and unsubscribe is a later result event with the call's token.
#ifndef EXPROTO_H
#define EXPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// XP_BUFFER is the largest body of an event, in bytes; the host splits or drops larger ones.
#ifndef XP_BUFFER
#define XP_BUFFER 65536
#endif

// XP_AUTH_BUFFER limits what xp_authenticate encodes: client id, username, password and a few bytes for each.
#ifndef XP_AUTH_BUFFER
#define XP_AUTH_BUFFER 4096
#endif

// XP_PROPS_BUFFER limits what xp_publish_with encodes: the gateway takes 16 KiB, and a few bytes are added for each.
#ifndef XP_PROPS_BUFFER
#define XP_PROPS_BUFFER (17 << 10)
#endif

// XP_REQUEST_BUFFER limits what an xp_request keeps: response topic and correlation data together.
#ifndef XP_REQUEST_BUFFER
#define XP_REQUEST_BUFFER 512
#endif

// The host's id of a connection. One instance never sees the same id twice.
typedef int64_t xp_conn;

// Borrowed bytes. Not zero-terminated.
typedef struct {
  const uint8_t *p;
  uint32_t n;
} xp_str;

#define XP_STR(literal) ((xp_str){(const uint8_t *)(literal), sizeof(literal) - 1})

// The result of an event.
typedef enum {
  XP_CONTINUE = 0,
  XP_PAUSE = 1, // stop reading this socket until xp_resume
  XP_CLOSE = 2, // close the connection after sending the queued bytes
  XP_FAIL = 16, // close it because the guest failed at this event; the last xp_log(XP_ERROR) says why. Minor version 1
} xp_action;

// The result of a call, also in a result event.
typedef enum {
  XP_OK = 0,
  XP_UNKNOWN = 1,
  XP_NOT_ALIVE = 2, // the connection is closed, or belongs to another instance
  XP_MISSING = 3,   // a required parameter is empty
  XP_BAD_PARAM = 4,
  XP_DENIED = 5,
  XP_LIMIT = 16, // a limit of exgate was reached: try again later
  XP_UNSUPPORTED = 17,
} xp_code;

typedef enum { XP_TCP = 0, XP_SSL = 1, XP_UDP = 2, XP_DTLS = 3 } xp_socket_type;
typedef enum { XP_DEBUG = -4, XP_INFO = 0, XP_WARN = 4, XP_ERROR = 8 } xp_level;

#define XP_KEEPALIVE 0 // the only timer type of xp_start_timer

typedef struct {
  xp_str host;
  uint32_t port;
} xp_address;

typedef struct {
  xp_socket_type socket_type;
  xp_address peer;
  xp_address local;
  xp_str cert_cn; // empty without a client certificate
  xp_str cert_dn; // RFC 4514
  xp_str properties; // what else the listener knows, such as the path of a WebSocket; see xp_property_of
} xp_conninfo;

// A named value of a connection or of a message.
typedef struct {
  xp_str name, value;
} xp_property;

// Only client_id is required.
typedef struct {
  xp_str proto_name, proto_version, client_id, username, mountpoint;
} xp_client;

// What a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional.
typedef struct {
  bool retain;     // to publish: the broker keeps the message; received: the broker had kept it
  uint32_t expiry; // seconds until the message expires; 0: it does not
  xp_str content_type;
  xp_str response_topic; // where an answer is expected
  xp_str correlation;    // what an answer repeats
  const xp_property *user; // to publish: user_n of them, at most 64
  uint32_t user_n;
  xp_str received; // of a received message: reads its user properties with xp_next_property
} xp_properties;

typedef struct {
  xp_str node, id, from, topic, payload;
  uint32_t qos;       // the publisher's
  uint64_t timestamp; // milliseconds since 1970
  xp_properties properties;
} xp_message;

typedef struct {
  xp_code code;
  xp_str message; // for a person; it comes from the broker, so print it with care
  xp_str state;   // of an authenticate that succeeded: what xp_save_state saved last; empty without any
} xp_result;

// Reads protobuf. Setting bad ends it: nothing is read beyond end, whatever the bytes contain.
typedef struct {
  const uint8_t *p, *end;
  bool bad;
} xp_reader;

// Iterates over the messages of one event; see xp_next_message.
typedef xp_reader xp_messages;

// The events of a guest. All are optional. init returns 0 to accept the module's configuration.
struct xp_handler {
  int32_t (*init)(xp_str config);
  xp_action (*created)(xp_conn conn, const xp_conninfo *info);
  xp_action (*bytes)(xp_conn conn, xp_str bytes);
  xp_action (*timer)(xp_conn conn, int32_t type);
  xp_action (*alarm)(xp_conn conn, uint32_t id); // a timer of xp_set_timer fired
  xp_action (*messages)(xp_conn conn, xp_messages *messages);
  xp_action (*result)(xp_conn conn, int64_t token, xp_result result);
  void (*closed)(xp_conn conn, xp_str reason); // the last event of a connection: free its state here
  xp_action (*drain)(xp_conn conn);            // a newer version of the module is loaded, or the gateway stops
};

// ---- Calls

#ifdef __wasm__
#define XP_IMPORT(name) __attribute__((import_module("exproto_v1"), import_name(name)))
#define XP_EXPORT(name) __attribute__((export_name("exproto_v1_" name)))
#else // natively, exproto_test.h is the host
#define XP_IMPORT(name)
#define XP_EXPORT(name)
#endif
XP_IMPORT("send") int32_t xp_host_send(int64_t conn, const void *p, uint32_t n);
XP_IMPORT("close") int32_t xp_host_close(int64_t conn, const void *why, uint32_t n);
XP_IMPORT("authenticate") int32_t xp_host_authenticate(int64_t conn, int64_t token, const void *p, uint32_t n);
XP_IMPORT("start_timer") int32_t xp_host_start_timer(int64_t conn, int32_t type, uint32_t seconds);
XP_IMPORT("set_timer") int32_t xp_host_set_timer(int64_t conn, uint32_t id, int32_t ms);
XP_IMPORT("save_state") int32_t xp_host_save_state(int64_t conn, int64_t token, const void *p, uint32_t n);
XP_IMPORT("publish")
int32_t xp_host_publish(int64_t conn, int64_t token, const void *topic, uint32_t topic_n, uint32_t qos, const void *p, uint32_t n);
XP_IMPORT("publish_with")
int32_t xp_host_publish_with(int64_t conn, int64_t token, const void *topic, uint32_t topic_n, uint32_t qos, const void *p, uint32_t n, const void *props,
                             uint32_t props_n);
XP_IMPORT("subscribe") int32_t xp_host_subscribe(int64_t conn, int64_t token, const void *topic, uint32_t n, uint32_t qos);
XP_IMPORT("unsubscribe") int32_t xp_host_unsubscribe(int64_t conn, int64_t token, const void *topic, uint32_t n);
XP_IMPORT("resume") int32_t xp_host_resume(int64_t conn);
XP_IMPORT("log") void xp_host_log(int32_t level, const void *p, uint32_t n);

// Queues bytes for the device. Needs no authentication and never blocks.
static inline xp_code xp_send(xp_conn conn, xp_str bytes) { return (xp_code)xp_host_send(conn, bytes.p, bytes.n); }

// Closes the connection; why is for the gateway's log. Inside an event, returning XP_CLOSE does the same.
static inline xp_code xp_close(xp_conn conn, xp_str why) { return (xp_code)xp_host_close(conn, why.p, why.n); }

// Sets or replaces the keepalive timer: the timer event follows when nothing has been received for that many seconds (1
// or more).
static inline xp_code xp_start_timer(xp_conn conn, uint32_t seconds) {
  return (xp_code)xp_host_start_timer(conn, XP_KEEPALIVE, seconds);
}

// Sets or replaces the one-shot timer id, 0 to 15: the alarm event follows once, after ms milliseconds (10 or more).
// Negative ms cancels it. Nothing is closed. A guest that calls this needs a gateway with minor version 1 of the contract.
static inline xp_code xp_set_timer(xp_conn conn, uint32_t id, int32_t ms) { return (xp_code)xp_host_set_timer(conn, id, ms); }

// Replaces the state that the gateway keeps for this device and module: at most 4 KiB, unless it is configured otherwise.
// It comes back in the result of the device's next authenticate, also after a restart and for a newer version of the
// module; an empty one deletes it. Save whenever something has changed: what is saved within half a second is written
// once. With a token, the result event says when it is durable. A guest that calls this needs a gateway with minor version
// 1 of the contract; XP_UNSUPPORTED means that the gateway keeps no state.
static inline xp_code xp_save_state(xp_conn conn, int64_t token, xp_str state) {
  return (xp_code)xp_host_save_state(conn, token, state.p, state.n);
}

// Publishes upstream. With token 0 there is no result event.
static inline xp_code xp_publish(xp_conn conn, int64_t token, xp_str topic, uint32_t qos, xp_str payload) {
  return (xp_code)xp_host_publish(conn, token, topic.p, topic.n, qos, payload.p, payload.n);
}

static inline xp_code xp_subscribe(xp_conn conn, int64_t token, xp_str filter, uint32_t qos) {
  return (xp_code)xp_host_subscribe(conn, token, filter.p, filter.n, qos);
}

static inline xp_code xp_unsubscribe(xp_conn conn, int64_t token, xp_str filter) {
  return (xp_code)xp_host_unsubscribe(conn, token, filter.p, filter.n);
}

// Continues reading after XP_PAUSE.
static inline xp_code xp_resume(xp_conn conn) { return (xp_code)xp_host_resume(conn); }

// Writes a line to the gateway's log, which limits the rate.
static inline void xp_log(xp_level level, xp_str line) { xp_host_log(level, line.p, line.n); }

// The name of a code, for a log.
static inline xp_str xp_code_name(xp_code code) {
  switch (code) {
  case XP_OK: return XP_STR("SUCCESS");
  case XP_UNKNOWN: return XP_STR("UNKNOWN");
  case XP_NOT_ALIVE: return XP_STR("CONN_PROCESS_NOT_ALIVE");
  case XP_MISSING: return XP_STR("REQUIRED_PARAMS_MISSED");
  case XP_BAD_PARAM: return XP_STR("PARAMS_TYPE_ERROR");
  case XP_DENIED: return XP_STR("PERMISSION_DENY");
  case XP_LIMIT: return XP_STR("LIMIT");
  case XP_UNSUPPORTED: return XP_STR("UNSUPPORTED");
  }
  return XP_STR("of a later version");
}

// ---- Writing into bounded memory

// A buffer that never overflows: data that does not fit is dropped and sets full.
typedef struct {
  uint8_t *p;
  uint32_t n, cap;
  bool full;
} xp_buf;

#define XP_BUF(array) ((xp_buf){(array), 0, sizeof(array), false})

static inline xp_str xp_written(const xp_buf *b) { return (xp_str){b->p, b->n}; }

static inline void xp_put_byte(xp_buf *b, uint8_t c) {
  if (b->n == b->cap) {
    b->full = true;
    return;
  }
  b->p[b->n++] = c;
}

static inline void xp_put(xp_buf *b, xp_str s) {
  if (s.n > b->cap - b->n) {
    b->full = true;
    return;
  }
  __builtin_memcpy(b->p + b->n, s.p, s.n);
  b->n += s.n;
}

static inline void xp_put_varint(xp_buf *b, uint64_t v) {
  for (; v >= 0x80; v >>= 7) xp_put_byte(b, (uint8_t)(v | 0x80));
  xp_put_byte(b, (uint8_t)v);
}

// Writes a string, bytes or message field. An empty one is omitted, as in proto3.
static inline void xp_put_field(xp_buf *b, uint32_t number, xp_str s) {
  if (s.n == 0) return;
  xp_put_varint(b, (uint64_t)number << 3 | 2);
  xp_put_varint(b, s.n);
  xp_put(b, s);
}

// Opens the upstream session; the outcome is a result event with the token. Return XP_PAUSE after it and call xp_resume
// at the result, so that the device's next frames wait. Returns XP_BAD_PARAM if the arguments exceed XP_AUTH_BUFFER.
static inline xp_code xp_authenticate(xp_conn conn, int64_t token, const xp_client *c, xp_str password) {
  static uint8_t client_bytes[XP_AUTH_BUFFER / 2], request_bytes[XP_AUTH_BUFFER];
  xp_buf client = XP_BUF(client_bytes), request = XP_BUF(request_bytes);
  xp_put_field(&client, 1, c->proto_name);
  xp_put_field(&client, 2, c->proto_version);
  xp_put_field(&client, 3, c->client_id);
  xp_put_field(&client, 4, c->username);
  xp_put_field(&client, 5, c->mountpoint);
  xp_put_field(&request, 2, xp_written(&client));
  xp_put_field(&request, 3, password);
  xp_code code = XP_BAD_PARAM;
  if (!client.full && !request.full) code = (xp_code)xp_host_authenticate(conn, token, request.p, request.n);
  __builtin_memset(request_bytes, 0, request.n); // it contained the password
  return code;
}

static inline void xp_put_uint(xp_buf *b, uint32_t number, uint64_t v) {
  if (v == 0) return;
  xp_put_varint(b, (uint64_t)number << 3);
  xp_put_varint(b, v);
}

// Publishes with properties. With token 0 there is no result event. Returns XP_LIMIT if they exceed XP_PROPS_BUFFER, and
// XP_UNSUPPORTED, often in the result event, if the broker keeps no retained messages. A guest that calls this needs a
// gateway with minor version 1 of the contract.
static inline xp_code xp_publish_with(xp_conn conn, int64_t token, xp_str topic, uint32_t qos, xp_str payload, const xp_properties *props) {
  static uint8_t bytes[XP_PROPS_BUFFER];
  xp_buf b = XP_BUF(bytes);
  xp_put_uint(&b, 1, props->retain);
  xp_put_uint(&b, 2, props->expiry);
  xp_put_field(&b, 3, props->content_type);
  xp_put_field(&b, 4, props->response_topic);
  xp_put_field(&b, 5, props->correlation);
  for (uint32_t i = 0; i < props->user_n; i++) {
    const xp_property *u = &props->user[i];
    uint32_t at = b.n; // the pair is written behind room for its head, and then moved
    xp_buf pair = {b.p + at, 0, b.cap - at, false};
    xp_put_field(&pair, 1, u->name);
    xp_put_field(&pair, 2, u->value);
    uint8_t head_bytes[8];
    xp_buf head = XP_BUF(head_bytes);
    xp_put_varint(&head, 6 << 3 | 2);
    xp_put_varint(&head, pair.n);
    if (pair.full || head.n > b.cap - at - pair.n) return XP_LIMIT;
    __builtin_memmove(b.p + at + head.n, b.p + at, pair.n);
    __builtin_memcpy(b.p + at, head.p, head.n);
    b.n = at + head.n + pair.n;
  }
  if (b.full) return XP_LIMIT;
  return (xp_code)xp_host_publish_with(conn, token, topic.p, topic.n, qos, payload.p, payload.n, b.p, b.n);
}

// What a message's sender needs to match an answer to it. It outlives the event.
typedef struct {
  uint32_t topic_n, correlation_n;
  uint8_t bytes[XP_REQUEST_BUFFER];
} xp_request;

// Keeps the request that m is. Returns false, and leaves r as it is, if m expects no answer or exceeds
// XP_REQUEST_BUFFER.
static inline bool xp_keep_request(xp_request *r, const xp_message *m) {
  xp_str topic = m->properties.response_topic, correlation = m->properties.correlation;
  if (topic.n == 0 || topic.n > sizeof r->bytes || correlation.n > sizeof r->bytes - topic.n) return false;
  __builtin_memcpy(r->bytes, topic.p, topic.n);
  if (correlation.n > 0) __builtin_memcpy(r->bytes + topic.n, correlation.p, correlation.n);
  r->topic_n = topic.n;
  r->correlation_n = correlation.n;
  return true;
}

// Publishes the answer to a request, with its correlation data. See xp_publish_with.
static inline xp_code xp_answer(xp_conn conn, int64_t token, const xp_request *r, uint32_t qos, xp_str payload) {
  xp_properties props = {.correlation = {r->bytes + r->topic_n, r->correlation_n}};
  return xp_publish_with(conn, token, (xp_str){r->bytes, r->topic_n}, qos, payload, &props);
}

// ---- Reading protobuf

typedef struct {
  uint32_t number;
  uint64_t value; // of a varint or fixed field
  xp_str bytes;   // of a length-delimited field
} xp_field;

static inline xp_reader xp_read(xp_str s) { return (xp_reader){s.p, s.p + s.n, false}; }

static inline uint64_t xp_read_varint(xp_reader *r) {
  uint64_t v = 0;
  for (uint32_t shift = 0; shift < 64 && r->p < r->end; shift += 7) {
    uint8_t c = *r->p++;
    if (shift == 63 && c > 1) break;
    v |= (uint64_t)(c & 0x7f) << shift;
    if (c < 0x80) return v;
  }
  r->bad = true;
  return 0;
}

static inline xp_str xp_read_bytes(xp_reader *r, uint64_t n) {
  xp_str s = {r->p, 0};
  if (r->bad || n > (uint64_t)(r->end - r->p)) {
    r->bad = true;
    return s;
  }
  s.n = (uint32_t)n;
  r->p += s.n;
  return s;
}

static inline uint64_t xp_little_endian(xp_str s) {
  uint64_t v = 0;
  for (uint32_t i = 0; i < s.n; i++) v |= (uint64_t)s.p[i] << (8 * i);
  return v;
}

// Reads the next field. Returns false at the end, and also sets bad if the bytes are not protobuf.
static inline bool xp_next_field(xp_reader *r, xp_field *f) {
  if (r->bad || r->p >= r->end) return false;
  uint64_t tag = xp_read_varint(r);
  *f = (xp_field){.number = (uint32_t)(tag >> 3)};
  if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) r->bad = true;
  switch (tag & 7) {
  case 0: f->value = xp_read_varint(r); break;
  case 1: f->value = xp_little_endian(xp_read_bytes(r, 8)); break;
  case 2: f->bytes = xp_read_bytes(r, xp_read_varint(r)); break;
  case 5: f->value = xp_little_endian(xp_read_bytes(r, 4)); break;
  default: r->bad = true;
  }
  return !r->bad;
}

static inline xp_property xp_read_property(xp_str s) {
  xp_property p = {0};
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: p.name = f.bytes; break;
    case 2: p.value = f.bytes; break;
    }
  return p;
}

// Reads the next property from a reader of an xp_conninfo's properties (number 5) or of a message's
// properties.received (number 6). Returns false if there are no more.
static inline bool xp_next_property(xp_reader *r, uint32_t number, xp_property *p) {
  xp_field f;
  while (xp_next_field(r, &f))
    if (f.number == number) {
      *p = xp_read_property(f.bytes);
      return true;
    }
  return false;
}

#define XP_CONN_PROPERTY 5
#define XP_USER_PROPERTY 6

static inline bool xp_same(xp_str a, xp_str b) { return a.n == b.n && (a.n == 0 || __builtin_memcmp(a.p, b.p, a.n) == 0); }

// Returns the value of the first property of a connection with this name, or an empty string.
static inline xp_str xp_property_of(const xp_conninfo *info, xp_str name) {
  xp_property p;
  xp_reader r = xp_read(info->properties);
  while (xp_next_property(&r, XP_CONN_PROPERTY, &p))
    if (xp_same(p.name, name)) return p.value;
  return (xp_str){0};
}

static inline xp_properties xp_read_properties(xp_str s) {
  xp_properties p = {.received = s};
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: p.retain = f.value != 0; break;
    case 2: p.expiry = (uint32_t)f.value; break;
    case 3: p.content_type = f.bytes; break;
    case 4: p.response_topic = f.bytes; break;
    case 5: p.correlation = f.bytes; break;
    }
  return p;
}

// Reads the next message of a messages event. Returns false if there are no more.
static inline bool xp_next_message(xp_messages *all, xp_message *m) {
  xp_field outer, f;
  while (xp_next_field(all, &outer)) {
    if (outer.number != 2) continue;
    *m = (xp_message){0};
    xp_reader r = xp_read(outer.bytes);
    while (xp_next_field(&r, &f)) switch (f.number) {
      case 1: m->node = f.bytes; break;
      case 2: m->id = f.bytes; break;
      case 3: m->qos = (uint32_t)f.value; break;
      case 4: m->from = f.bytes; break;
      case 5: m->topic = f.bytes; break;
      case 6: m->payload = f.bytes; break;
      case 7: m->timestamp = f.value; break;
      case 8: m->properties = xp_read_properties(f.bytes); break;
      }
    return true;
  }
  return false;
}

static inline xp_address xp_read_address(xp_str s) {
  xp_address a = {0};
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: a.host = f.bytes; break;
    case 2: a.port = (uint32_t)f.value; break;
    }
  return a;
}

static inline void xp_read_certificate(xp_str s, xp_conninfo *info) {
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: info->cert_cn = f.bytes; break;
    case 2: info->cert_dn = f.bytes; break;
    }
}

static inline xp_conninfo xp_read_conninfo(xp_str s) {
  xp_conninfo info = {.properties = s};
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: info.socket_type = (xp_socket_type)f.value; break;
    case 2: info.peer = xp_read_address(f.bytes); break;
    case 3: info.local = xp_read_address(f.bytes); break;
    case 4: xp_read_certificate(f.bytes, &info); break;
    }
  return info;
}

static inline xp_result xp_read_result(xp_str s) {
  xp_result result = {0};
  xp_field f;
  xp_reader r = xp_read(s);
  while (xp_next_field(&r, &f)) switch (f.number) {
    case 1: result.code = (xp_code)f.value; break;
    case 2: result.message = f.bytes; break;
    case 3: result.state = f.bytes; break;
    }
  return result;
}

// ---- Exports

static const struct xp_handler xp_the_handler; // defined by XP_HANDLER

// Put XP_HANDLER(.bytes = on_bytes, .closed = on_closed, ...) once at the end of the guest.
#define XP_HANDLER(...) static const struct xp_handler xp_the_handler = {__VA_ARGS__}

XP_EXPORT("buffer") uint8_t *xp_export_buffer(uint32_t size) {
  static uint8_t buffer[XP_BUFFER];
  return size <= sizeof buffer ? buffer : NULL;
}

XP_EXPORT("init") int32_t xp_export_init(const uint8_t *p, uint32_t n) {
  return xp_the_handler.init ? xp_the_handler.init((xp_str){p, n}) : 0;
}

XP_EXPORT("bytes") int32_t xp_export_bytes(int64_t conn, const uint8_t *p, uint32_t n) {
  return xp_the_handler.bytes ? xp_the_handler.bytes(conn, (xp_str){p, n}) : XP_CONTINUE;
}

static inline xp_action xp_event_created(xp_conn conn, xp_str body) {
  xp_conninfo info = xp_read_conninfo(body);
  return xp_the_handler.created ? xp_the_handler.created(conn, &info) : XP_CONTINUE;
}

static inline xp_action xp_event_closed(xp_conn conn, xp_str reason) {
  if (xp_the_handler.closed) xp_the_handler.closed(conn, reason);
  return XP_CONTINUE;
}

static inline xp_action xp_event_messages(xp_conn conn, xp_str body) {
  xp_messages all = xp_read(body);
  return xp_the_handler.messages ? xp_the_handler.messages(conn, &all) : XP_CONTINUE;
}

static inline xp_action xp_event_result(xp_conn conn, int64_t token, xp_str body) {
  return xp_the_handler.result ? xp_the_handler.result(conn, token, xp_read_result(body)) : XP_CONTINUE;
}

XP_EXPORT("event") int32_t xp_export_event(int32_t kind, int64_t conn, int64_t arg, const uint8_t *p, uint32_t n) {
  xp_str body = {p, n};
  switch (kind) {
  case 1: return xp_event_created(conn, body);
  case 2: return xp_event_closed(conn, body);
  case 3: return xp_the_handler.timer ? xp_the_handler.timer(conn, (int32_t)arg) : XP_CONTINUE;
  case 4: return xp_event_messages(conn, body);
  case 5: return xp_event_result(conn, arg, body);
  case 6: return xp_the_handler.drain ? xp_the_handler.drain(conn) : XP_CONTINUE;
  case 7: return xp_the_handler.alarm ? xp_the_handler.alarm(conn, (uint32_t)arg) : XP_CONTINUE;
  }
  return XP_CONTINUE; // a kind of a later minor version
}

#endif
