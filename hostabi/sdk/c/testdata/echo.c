#include "../exproto.h"

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  xp_send(conn, bytes);
  return XP_CONTINUE;
}

XP_HANDLER(.bytes = on_bytes);
