//go:build ignore

#include "../exproto_test.h"
#include "echo.c"

int main(void) {
  xp_test_start("");
  xp_test_connect(1, NULL);
  XP_EXPECT_INT(xp_test_bytes(1, XP_STR("hello\n")), XP_CONTINUE);
  XP_EXPECT_SENT(1, "hello\n");
  return xp_test_end();
}
