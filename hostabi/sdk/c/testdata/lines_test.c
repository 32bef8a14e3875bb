//go:build ignore

#include "../exproto_test.h"
#include "lines.c"

int main(void) {
  XP_EXPECT_INT(xp_test_start(""), 0);
  xp_test_connect(1, NULL);
  xp_test_bytes(1, XP_STR("hello\r\nwor"));
  XP_EXPECT_SENT(1, "hello!\n");
  xp_test_bytes(1, XP_STR("ld\n"));
  XP_EXPECT_SENT(1, "world!\n");
  XP_EXPECT_CALLS("");
  xp_test_disconnect(1, "tcp_closed");
  return xp_test_end();
}
