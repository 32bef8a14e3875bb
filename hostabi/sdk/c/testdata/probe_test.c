//go:build ignore

// The probe in the fake gateway: every event is delivered, every call checked.
#define XP_REQUEST_BUFFER (16 << 10)
#include "../exproto_test.h"
#include "../probe/probe.c"

static void events(void) {
  uint8_t bytes[64];
  xp_buf properties = XP_BUF(bytes);
  xp_test_put_property(&properties, XP_CONN_PROPERTY, (xp_property){XP_STR("path"), XP_STR("/ws")});
  xp_conninfo info = {
      XP_DTLS, {XP_STR("2001:db8::1"), 65535}, {XP_STR("10.0.0.1"), 7993}, XP_STR("pump"), XP_STR("CN=pump"), xp_written(&properties),
  };
  XP_EXPECT_INT(xp_same(xp_property_of(&info, XP_STR("path")), XP_STR("/ws")), true);
  XP_EXPECT_INT(xp_property_of(&info, XP_STR("none")).n, 0);
  XP_EXPECT_INT(xp_test_connect(7, &info), XP_CONTINUE);
  XP_EXPECT_SENT(7, "created type=3 peer=2001:db8::1:65535 local=10.0.0.1:7993 cn=pump dn=CN=pump path=/ws\n");
  xp_property user = {XP_STR("k"), XP_STR("v")};
  xp_message all[] = {
      {XP_STR("n"), XP_STR("i"), XP_STR("f"), XP_STR("t"), XP_STR("p"), 2, 1790000000000, {0}},
      {.topic = XP_STR("u"), .properties = {.retain = true, .response_topic = XP_STR("r"), .correlation = XP_STR("c"), .user = &user, .user_n = 1}},
  };
  XP_EXPECT_INT(xp_test_messages(7, all, 2), XP_CONTINUE);
  XP_EXPECT_SENT(7, "message node=n id=i qos=2 from=f topic=t at=1790000000000 payload=p\n"
                    "message node= id= qos=0 from= topic=u at=0 payload= retain=1 response=r correlation=c k=v\n");
  xp_test_bytes(7, XP_STR("answer 1 yes\npubp t 0 1 9 a b - k - x\n"));
  XP_EXPECT_CALLS("publish_with 7 token=2 \"r\" qos=1 \"yes\" correlation=\"c\"\n"
                  "publish_with 7 token=2 \"t\" qos=0 \"x\" retain=1 expiry=9 type=\"a\" response=\"b\" name=\"k\" value=\"\"\n");
  xp_test_timeout(7);
  XP_EXPECT_INT(xp_test_alarm(7, 15), XP_CONTINUE);
  xp_test_drain(7);
  XP_EXPECT_SENT(7, "timer 0\nalarm 15\ndrain\n");
  xp_test_disconnect(7, "tcp_closed");
  XP_EXPECT_CALLS("log 0 \"closed tcp_closed\"\n");
}

static void calls(void) {
  xp_test_connect(8, NULL);
  XP_EXPECT_INT(xp_test_bytes(8, XP_STR("mount m/\nauth id user a \"b\"\n")), XP_PAUSE);
  XP_EXPECT_INT(xp_test_result(8, 1, XP_DENIED, "not you"), XP_CONTINUE);
  xp_test_bytes(8, XP_STR("pub t 1 \xff\\\t\r\nsub f 2\nunsub f\ntimer 9\nalarm 3 250\nalarm 3 4294967295\nlog warn w\nclose why\n"));
  XP_EXPECT_CALLS("authenticate 8 token=1 proto=\"probe\" version=\"1\" clientid=\"id\" username=\"user\" mountpoint=\"m/\" password=\"a \\\"b\\\"\"\n"
                  "resume 8\n"
                  "publish 8 token=2 \"t\" qos=1 \"\\xff\\\\\\t\"\n"
                  "subscribe 8 token=3 \"f\" qos=2\n"
                  "unsubscribe 8 token=4 \"f\"\n"
                  "start_timer 8 type=0 seconds=9\n"
                  "set_timer 8 id=3 ms=250\n"
                  "set_timer 8 id=3 ms=-1\n"
                  "log 4 \"w\"\n"
                  "close 8 \"why\"\n");
  xp_test_bytes(8, XP_STR("save a b\n"));
  XP_EXPECT_INT(xp_test_logged_in(8, 1, XP_STR("7")), XP_CONTINUE);
  XP_EXPECT_CALLS("save_state 8 token=5 \"a b\"\nresume 8\n");
  xp_test_refuse("publish", XP_LIMIT);
  xp_test_refuse("resume", XP_UNSUPPORTED);
  xp_test_bytes(8, XP_STR("pub t 1\nresume\nsub f 1\n"));
  xp_test_refuse("publish", XP_OK);
  xp_test_bytes(8, XP_STR("pub t 1\n"));
  XP_EXPECT_SENT(8, "created type=0 peer=:0 local=:0 cn= dn=\nok\nresult 1 5 not you\nok\nok\nok\nok\nresult 1 0\nkept 7\nrefused pub 16\nrefused resume 17\n");
  xp_test_disconnect(8, "normal");
  XP_EXPECT_INT(xp_host_send(8, "late", 4), XP_NOT_ALIVE);
  XP_EXPECT_INT(xp_resume(8), XP_NOT_ALIVE);
  XP_EXPECT_STR(xp_code_name(XP_NOT_ALIVE), "CONN_PROCESS_NOT_ALIVE");
  XP_EXPECT_STR(xp_code_name((xp_code)99), "of a later version");
}

int main(void) {
  XP_EXPECT_INT(xp_test_start("refuse"), 1);
  XP_EXPECT_INT(xp_test_start("hello"), 0);
  events();
  calls();
  return xp_test_end();
}
