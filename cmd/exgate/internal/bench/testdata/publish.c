// Publishes each 64 bytes that its one device sends, at QoS 0. The device is logged in when it connects.
#include "exproto.h"

#define FRAME 64

static uint8_t carry[FRAME];
static uint32_t carried;

static xp_action on_created(xp_conn conn, const xp_conninfo *info) {
  (void)info;
  xp_client client = {.client_id = XP_STR("bench-device")};
  xp_authenticate(conn, 1, &client, XP_STR(""));
  return XP_PAUSE;
}

static xp_action on_result(xp_conn conn, int64_t token, xp_result result) {
  (void)token;
  if (result.code != XP_OK) return XP_CLOSE;
  xp_resume(conn);
  return XP_CONTINUE;
}

static void publish(xp_conn conn, const uint8_t *frame) {
  xp_publish(conn, 0, XP_STR("bench/t"), 0, (xp_str){frame, FRAME});
}

static xp_action on_bytes(xp_conn conn, xp_str bytes) {
  while (carried > 0 && bytes.n > 0) {
    carry[carried++] = *bytes.p++;
    bytes.n--;
    if (carried == FRAME) {
      publish(conn, carry);
      carried = 0;
    }
  }
  for (; bytes.n >= FRAME; bytes.p += FRAME, bytes.n -= FRAME) publish(conn, bytes.p);
  for (; bytes.n > 0; bytes.n--) carry[carried++] = *bytes.p++;
  return XP_CONTINUE;
}

XP_HANDLER(.created = on_created, .result = on_result, .bytes = on_bytes);
