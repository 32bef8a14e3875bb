#include "../exproto_framing.h"

struct device {
  xp_conn conn;
  xp_framer framer;
};

static xp_table devices = {.pool = {.size = sizeof(struct device), .max = 10000}};
static xp_pool pieces = {.size = XP_FRAME_ROOM(1024), .max = 10000};
static const xp_framing lines = {.kind = XP_DELIMITER, .mark = "\n", .mark_n = 1, .max = 1024, .strip = XP_STRIP_LINE, .pool = &pieces};

static int32_t on_init(xp_str config) {
  (void)config;
  return !xp_framing_valid(&lines);
}

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  (void)info;
  return xp_add(&devices, conn) ? XP_CONTINUE : XP_CLOSE;
}

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  struct device *d = xp_find(&devices, conn);
  if (!d) return XP_CLOSE;
  xp_str line;
  for (xp_outcome o; (o = xp_next_frame(&lines, &d->framer, &bytes, &line)) != XP_NO_FRAME;) {
    if (o != XP_FRAME) return XP_CLOSE; // XP_TOO_LONG, or XP_NO_MEMORY
    xp_send(conn, line);
    xp_send(conn, XP_STR("!\n"));
  }
  return XP_CONTINUE;
}

static void on_closed(xp_conn conn, xp_str reason) {
  (void)reason;
  struct device *d = xp_find(&devices, conn);
  if (!d) return;
  xp_framer_reset(&lines, &d->framer);
  xp_remove(&devices, conn);
}

XP_HANDLER(.init = on_init, .created = on_created, .bytes = on_bytes, .closed = on_closed);
