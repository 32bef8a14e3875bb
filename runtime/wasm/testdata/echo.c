// Sends back what it gets.
#include "guest.h"

EXPORT("init") i32 init(const u8 *config, u32 n) { return 0; }

EXPORT("bytes") u32 bytes(i64 conn, const u8 *p, u32 n) {
  host_send(conn, p, n);
  return CONTINUE;
}

EXPORT("event") u32 event(u32 kind, i64 conn, i64 arg, const u8 *p, u32 n) { return CONTINUE; }
