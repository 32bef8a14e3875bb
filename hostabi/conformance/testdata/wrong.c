// A guest that is wrong in one way, which the first byte of its configuration chooses. It echoes otherwise.
#include <stdbool.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("exproto_v1"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("send") extern uint32_t host_send(int64_t conn, const void *p, uint32_t n);
IMPORT("close") extern uint32_t host_close(int64_t conn, const void *why, uint32_t n);
IMPORT("publish") extern uint32_t host_publish(int64_t conn, int64_t token, const void *topic, uint32_t n, uint32_t qos, const void *p, uint32_t m);

enum { CREATED = 1, CLOSED = 2, TIMER = 3, MESSAGES = 4, RESULT = 5, DRAIN = 6 };

static uint8_t buffer[65536];
static char wrong;
static int64_t last_closed;
static uint32_t kept;   // bytes that a leak holds
static uint32_t events;

// leak keeps n bytes for ever.
static void leak(uint32_t n) {
  static uint32_t end;
  if (end == 0) end = __builtin_wasm_memory_size(0) << 16;
  kept += n;
  while (end + kept > (uint32_t)__builtin_wasm_memory_size(0) << 16) {
    if (__builtin_wasm_memory_grow(0, 1) == (uint32_t)-1) __builtin_trap();
  }
}

EXPORT("exproto_v1_buffer") uint8_t *guest_buffer(uint32_t size) {
  if (wrong == 'o' && size > sizeof buffer) return (uint8_t *)0xfffffff0u; // outside the memory
  return size <= sizeof buffer ? buffer : 0;
}

EXPORT("exproto_v1_init") int32_t guest_init(const uint8_t *p, uint32_t n) {
  wrong = n > 0 ? (char)p[0] : 0;
  if (wrong == 'r') return 3;        // refuses any configuration
  if (wrong == 0 && n > 0) return 1;
  return 0;
}

EXPORT("exproto_v1_bytes") uint32_t guest_bytes(int64_t conn, const uint8_t *p, uint32_t n) {
  switch (wrong) {
  case 'e': if (n == 0) __builtin_trap(); break;
  case '1': if (n == 1 && p[0] == 0x80) __builtin_trap(); break;
  case 'b': if (n == sizeof buffer) __builtin_trap(); break;
  case 'u': leak(n); break;
  case 'E': leak(64); break;
  case 'a': return 7;
  case 'f': host_send(1, "x", 1); break;
  case 'i': conn = (int32_t)conn; break; // a connection id cut to 32 bits
  case 'l': while (host_send(conn, p, n) == 16) {
    if (++events == 1000000) __builtin_trap(); // it would go on for ever
  } return 0;
  case 'p': host_send(conn, n == 1 ? "one" : "more", 3); return 0;
  case 'R': host_publish(conn, 5, "t", 1, 0, p, n); return 0;
  case 'z': return 2;
  }
  if (wrong == 'L' && last_closed != 0) host_close(last_closed, "late", 4);
  host_send(conn, p, n);
  return 0;
}

EXPORT("exproto_v1_event")
uint32_t guest_event(uint32_t kind, int64_t conn, int64_t arg, const uint8_t *p, uint32_t n) {
  switch (kind) {
  case CREATED: if (wrong == 'z') return 2; return 0;
  case CLOSED:
    last_closed = conn;
    if (wrong == 'c') leak(100);
    if (wrong == 'C') host_send(conn, "bye", 3);
    return 0;
  case TIMER: if (wrong == 't' && arg != 0) __builtin_trap(); return 0;
  case MESSAGES:
    if (wrong == 'm' && n == 0) __builtin_trap();
    if (wrong == 'M' && n > 60000) __builtin_trap();
    if (wrong == 'n' && n > 0 && p[0] != 0x12) __builtin_trap(); // knows every field that there will ever be
    return 0;
  case RESULT:
    if (wrong == 'T' && arg != 5) __builtin_trap();
    if (wrong == 'R' && n > 0) __builtin_trap();
    return 0;
  case DRAIN: if (wrong == 'd') __builtin_trap(); return 0;
  }
  return wrong == 'k' ? 1 : 0;
}
