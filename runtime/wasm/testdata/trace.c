// Fails in functions that call each other, for stack traces with lines.
#include "guest.h"

#define APART __attribute__((noinline))

static volatile u32 sink;

APART static void spin(void) {
  for (;;)
    sink++;
}

APART static void decode(i64 conn, u32 how) {
  sink++;
  switch (how) {
  case 't':
    __builtin_trap();
  case 'l':
    spin();
    break;
  case 'p':
    host_send(conn, (const u8 *)0xfffffff0u, 100);
  }
  sink--;
}

APART static void frame(i64 conn, u32 how) {
  sink++;
  decode(conn, how);
  sink--;
}

EXPORT("init") i32 init(const u8 *config, u32 n) { return 0; }

EXPORT("bytes") u32 bytes(i64 conn, const u8 *p, u32 n) {
  frame(conn, p[0]);
  sink++;
  return CONTINUE;
}

EXPORT("event") u32 event(u32 kind, i64 conn, i64 arg, const u8 *p, u32 n) { return CONTINUE; }
