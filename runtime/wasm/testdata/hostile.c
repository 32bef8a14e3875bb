// Misbehaves in the way that the first byte of the packet names.
#include "guest.h"

static volatile u32 sink;

EXPORT("init") i32 init(const u8 *config, u32 n) { return 0; }

static u32 deeper(u32 n) {
  volatile u32 frame[16];
  frame[n % 16] = n;
  u32 below = n ? deeper(n + 1) : 0;
  return below + frame[n % 16];
}

static void fill(void) {
  static u8 block[60000];
  for (;;) {
    __builtin_memset(block, (int)sink, sizeof block);
    sink = block[7];
  }
}

EXPORT("bytes") u32 bytes(i64 conn, const u8 *p, u32 n) {
  switch (n ? p[0] : 0) {
    case 'l': for (;;) sink++;
    case 'r': return deeper(1);
    case 'f': fill();
    case 'm':
      while (__builtin_wasm_memory_grow(0, 16) != (u32)-1) sink++;
      __builtin_trap();
    case 'g':  // grows without end and lives
      for (u32 i = 0; i < 1000; i++) sink += __builtin_wasm_memory_grow(0, 16);
      return CONTINUE;
    case 't': __builtin_trap();
    case 'p': host_send(conn, (void *)0xfffffff0u, 64); return CONTINUE;
    case 'P': host_publish(conn, 0, (void *)0x7fffffffu, 2, 0, p, n); return CONTINUE;
    case 'a': return 3;
    case 'h': for (;;) host_resume(conn);
    case 's': for (;;) host_send(conn, p, n);
    case 'd': return 100 / sink;
    case 'i': return ((u32(*)(void))(u32)p[1])();
    default: host_send(conn, p, n);
  }
  return CONTINUE;
}

EXPORT("event") u32 event(u32 kind, i64 conn, i64 arg, const u8 *p, u32 n) {
  if (kind == TIMER) __builtin_trap();
  return CONTINUE;
}
