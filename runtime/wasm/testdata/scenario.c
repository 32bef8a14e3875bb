// Does what the first byte of the device's packet says, and tells the device about every event: a letter and the body.
#include "guest.h"

static u8 reply[70000];
static u8 config[64];
static u32 config_n;

static void copy(u8 *to, const u8 *from, u32 n) {
  for (u32 i = 0; i < n; i++) to[i] = from[i];
}

static void tell(i64 conn, u8 letter, u32 number, const u8 *p, u32 n) {
  reply[0] = letter;
  reply[1] = (u8)number;
  copy(reply + 2, p, n);
  host_send(conn, reply, n + 2);
}

// ClientInfo{clientid: "c1"} and the password "pw".
static const u8 request[] = {0x12, 4, 0x1a, 2, 'c', '1', 0x1a, 2, 'p', 'w'};

EXPORT("init") i32 init(const u8 *p, u32 n) {
  if (n > sizeof config || (n > 0 && p[0] == '!')) return 7;
  copy(config, p, n);
  config_n = n;
  return 0;
}

EXPORT("bytes") u32 bytes(i64 conn, const u8 *p, u32 n) {
  if (n == 0) {
    tell(conn, 'e', 0, p, 0);
    return CONTINUE;
  }
  const u8 *arg = p + 1;
  u32 arg_n = n - 1;
  switch (p[0]) {
    case 'A': host_authenticate(conn, 1, request, sizeof request); return PAUSE;
    case 'a': tell(conn, 'a', host_authenticate(conn, 1, "\x12\xff", 2), 0, 0); break;
    case 'P': tell(conn, 'p', host_publish(conn, 2, "up", 2, 1, arg, arg_n), 0, 0); break;
    case 'Q': tell(conn, 'q', host_publish(conn, 0, "up", 2, 0, arg, arg_n), 0, 0); break;
    case 'q': tell(conn, 'q', host_publish(conn, 0, "\xff", 1, 0, arg, arg_n), 0, 0); break;
    case 'S': tell(conn, 's', host_subscribe(conn, 3, "down/#", 6, 1), 0, 0); break;
    case 'U': tell(conn, 'u', host_unsubscribe(conn, 4, "down/#", 6), 0, 0); break;
    case 'T': tell(conn, 't', host_start_timer(conn, 0, 30), 0, 0); break;
    case 't': tell(conn, 't', host_start_timer(conn, 9, 30), 0, 0); break;
    case 'C':
      host_close(conn, "bye\n", 4);
      return CLOSE;
    case 'c': return CLOSE;
    case 'X': tell(conn, 'x', host_send(*(const i64 *)arg, "x", 1), 0, 0); break;  // another's connection
    case 'Y': tell(conn, 'y', host_close(*(const i64 *)arg, "y", 1), 0, 0); break;
    case 'L':
      for (u32 i = 0; i < 1000; i++) host_log(0, arg, arg_n);
      break;
    case 'F': {  // sends until it may no more
      u32 code = 0;
      for (u32 i = 0; i < 100 && code == 0; i++) code = host_send(conn, buffer, sizeof buffer);
      return code == 16 ? CONTINUE : 99;
    }
    case 'n': tell(conn, 'n', sizeof config, config, config_n); break;
    default: tell(conn, 'b', 0, p, n);
  }
  return CONTINUE;
}

EXPORT("event") u32 event(u32 kind, i64 conn, i64 arg, const u8 *p, u32 n) {
  if (kind == RESULT && arg == 1) host_resume(conn);
  tell(conn, (u8)('0' + kind), (u32)arg, p, n);
  return CONTINUE;
}
