// What the test guests share: exproto_v1 as they import and export it, and a few helpers. No libc.
typedef unsigned char u8;
typedef unsigned int u32;
typedef int i32;
typedef long long i64;

#define IMPORT(name) __attribute__((import_module("exproto_v1"), import_name(name)))
#define EXPORT(name) __attribute__((export_name("exproto_v1_" name)))

enum { CONTINUE, PAUSE, CLOSE };
enum { CREATED = 1, CLOSED, TIMER, MESSAGES, RESULT, DRAIN };

IMPORT("send") u32 host_send(i64 conn, const void *p, u32 n);
IMPORT("close") u32 host_close(i64 conn, const void *why, u32 n);
IMPORT("authenticate") u32 host_authenticate(i64 conn, i64 token, const void *p, u32 n);
IMPORT("start_timer") u32 host_start_timer(i64 conn, u32 type, u32 seconds);
IMPORT("publish") u32 host_publish(i64 conn, i64 token, const void *topic, u32 topic_n, u32 qos, const void *p, u32 n);
IMPORT("subscribe") u32 host_subscribe(i64 conn, i64 token, const void *topic, u32 topic_n, u32 qos);
IMPORT("unsubscribe") u32 host_unsubscribe(i64 conn, i64 token, const void *topic, u32 topic_n);
IMPORT("resume") u32 host_resume(i64 conn);
IMPORT("log") void host_log(i32 level, const void *p, u32 n);

static u8 buffer[65536];

EXPORT("buffer") u8 *exproto_buffer(u32 size) { return size <= sizeof buffer ? buffer : 0; }
