// State of connections for a C guest: memory that grows on demand, pools of pieces of one size, and a table from
// connection to piece. Nothing here traps when memory runs out: functions that can fail return NULL, and the guest can
// report that to the device.
#ifndef EXPROTO_STATE_H
#define EXPROTO_STATE_H

#include "exproto.h"

#define XP_PAGE 65536u

#ifdef XP_MEMORY // a guest with a libc has one heap: define XP_MEMORY(size) as calloc(1, size) before the include

static inline void *xp_memory(uint32_t size) { return XP_MEMORY(size); }

#elif defined(__wasm__)

extern uint8_t __heap_base; // the end of the guest's data, set by the linker

// Allocates size zeroed bytes, aligned to 8, forever. Returns NULL if the module's memory limit is reached.
static inline void *xp_memory(uint32_t size) {
  static uint32_t next, end;
  if (next == 0) {
    next = ((uint32_t)&__heap_base + 7) & ~7u;
    end = (uint32_t)__builtin_wasm_memory_size(0) * XP_PAGE;
  }
  size = (size + 7) & ~7u;
  if (size > end - next) {
    uint32_t pages = (size - (end - next) + XP_PAGE - 1) / XP_PAGE;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
    end += pages * XP_PAGE;
  }
  void *p = (void *)next;
  next += size;
  return p;
}

#else

#ifndef XP_TEST_MEMORY
#define XP_TEST_MEMORY (16u << 20) // bytes of memory for a guest in a native test
#endif

static inline void *xp_memory(uint32_t size) {
  static _Alignas(8) uint8_t memory[XP_TEST_MEMORY];
  static uint32_t next;
  size = (size + 7) & ~7u;
  if (size > sizeof memory - next) return NULL;
  void *p = memory + next;
  next += size;
  return p;
}

#endif

// A pool of pieces of one size, at least 8 bytes. Initialize it with {.size = sizeof(struct piece), .max = the most
// pieces}.
typedef struct {
  uint32_t size, max;
  uint32_t used; // pieces in use
  void *free;
} xp_pool;

// Takes a zeroed piece. Returns NULL if max pieces are in use or memory is exhausted.
static inline void *xp_take(xp_pool *pool) {
  if (pool->used == pool->max) return NULL;
  void *p = pool->free;
  if (p) {
    pool->free = *(void **)p;
    __builtin_memset(p, 0, pool->size);
  } else if (!(p = xp_memory(pool->size))) {
    return NULL;
  }
  pool->used++;
  return p;
}

static inline void xp_give(xp_pool *pool, void *p) {
  *(void **)p = pool->free;
  pool->free = p;
  pool->used--;
}

// A hash table of the connections' state. The state is a struct of the guest whose first member is `xp_conn conn`.
// Initialize it with {.pool = {.size = sizeof(struct state), .max = the most connections}}.
typedef struct {
  xp_pool pool;
  xp_conn **slots;
  uint32_t mask; // number of slots minus one
} xp_table;

static inline uint32_t xp_slot(const xp_table *t, xp_conn conn) {
  return (uint32_t)(((uint64_t)conn * 0x9E3779B97F4A7C15ull) >> 32) & t->mask;
}

static inline uint32_t xp_probe(const xp_table *t, xp_conn conn) {
  uint32_t i = xp_slot(t, conn);
  while (t->slots[i] && *t->slots[i] != conn) i = (i + 1) & t->mask;
  return i;
}

// Returns the state of conn, or NULL.
static inline void *xp_find(const xp_table *t, xp_conn conn) { return t->slots ? t->slots[xp_probe(t, conn)] : NULL; }

// Doubles the slots. The old ones are not reused: together they are smaller than the new ones.
static inline bool xp_table_grow(xp_table *t) {
  xp_table wider = {.mask = t->slots ? t->mask * 2 + 1 : 63};
  wider.slots = xp_memory((wider.mask + 1) * sizeof *wider.slots);
  if (!wider.slots) return false;
  for (uint32_t i = 0; t->slots && i <= t->mask; i++)
    if (t->slots[i]) wider.slots[xp_probe(&wider, *t->slots[i])] = t->slots[i];
  t->slots = wider.slots;
  t->mask = wider.mask;
  return true;
}

// Adds zeroed state for a new connection. Returns NULL if the table is full or memory is exhausted: tell the device and
// close it.
static inline void *xp_add(xp_table *t, xp_conn conn) {
  if (!t->slots || t->pool.used * 4 >= t->mask * 3) {
    if (!xp_table_grow(t)) return NULL;
  }
  xp_conn *state = xp_take(&t->pool);
  if (!state) return NULL;
  *state = conn;
  t->slots[xp_probe(t, conn)] = state;
  return state;
}

// Frees the state of conn. Call it at the closed event.
static inline void xp_remove(xp_table *t, xp_conn conn) {
  if (!t->slots) return;
  uint32_t hole = xp_probe(t, conn);
  if (!t->slots[hole]) return;
  xp_give(&t->pool, t->slots[hole]);
  for (uint32_t i = (hole + 1) & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
    uint32_t wanted = xp_slot(t, *t->slots[i]);
    if (((i - wanted) & t->mask) < ((i - hole) & t->mask)) continue; // it is between its home slot and the hole
    t->slots[hole] = t->slots[i];
    hole = i;
  }
  t->slots[hole] = NULL;
}

#endif
