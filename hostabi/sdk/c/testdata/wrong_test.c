//go:build ignore

// Wrong expectations, which the fake gateway must report.
#include "../exproto_test.h"
#include "echo.c"

int main(void) {
  xp_test_start("");
  xp_test_connect(1, NULL);
  XP_EXPECT_INT(xp_test_bytes(1, XP_STR("hello")), XP_PAUSE);
  XP_EXPECT_SENT(1, "hallo");
  XP_EXPECT_CALLS("resume 1\n");
  XP_EXPECT_STR(XP_STR("a"), "b");
  return xp_test_end();
}
