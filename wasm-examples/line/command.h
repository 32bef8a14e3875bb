// The commands of the line protocol.
#ifndef LINE_COMMAND_H
#define LINE_COMMAND_H

#include "input.h"
#include "printable.h"

// The tokens of the calls.
enum { TOKEN_LOGIN = 1, TOKEN_PUB, TOKEN_PUB1, TOKEN_SUB, TOKEN_UNSUB };

// Calls to the broker in one event; the host's limit of 10,000 calls would end the whole instance.
#define CALLS_MAX 4096
static uint32_t calls_left;

static void say(xp_str s) {
  out_text(s);
  out_byte('\n');
}

static void say_refused(xp_str what, xp_code code, xp_str why) {
  out_text(XP_STR("error: "));
  out_text(what);
  out_text(XP_STR(" refused: "));
  if (why.n > 0) out_foreign(why);
  else if (code == XP_LIMIT) out_text(XP_STR("too many commands are under way, wait for an answer"));
  else if (code == XP_DENIED) out_text(XP_STR("not allowed"));
  else if (code == XP_BAD_PARAM || code == XP_MISSING) out_text(XP_STR("not a valid topic or name"));
  else out_text(XP_STR("the broker cannot take it"));
  out_byte('\n');
}

static void check(xp_str what, xp_code code) {
  if (code != XP_OK) say_refused(what, code, (xp_str){0});
}

// check for a call answered by the broker.
static void check_call(struct device *d, xp_str what, xp_code code) {
  check(what, code);
  if (code == XP_OK) d->unanswered++;
}

// Splits the first word off s, and one space after it.
static xp_str word(xp_str *s) {
  xp_str w = {s->p, 0};
  while (w.n < s->n && w.p[w.n] != ' ' && w.p[w.n] != '\t') w.n++;
  uint32_t taken = w.n < s->n ? w.n + 1 : w.n;
  s->p += taken;
  s->n -= taken;
  return w;
}

static bool is(xp_str s, xp_str literal) {
  if (s.n != literal.n) return false;
  for (uint32_t i = 0; i < s.n; i++)
    if (s.p[i] != literal.p[i]) return false;
  return true;
}

static void help(void) {
  say(XP_STR("login <clientid> [username password]  first of all"));
  say(XP_STR("pub <topic> <text>                    publish; answered only when refused"));
  say(XP_STR("pub1 <topic> <text>                   publish; answered when the broker has it"));
  say(XP_STR("sub <filter>                          messages come as: < topic text"));
  say(XP_STR("unsub <filter>"));
  say(XP_STR("keepalive <seconds>                   be told goodbye after that long a silence"));
  say(XP_STR("ping\nquit                                  after the answers that are owed"));
}

static xp_action login(struct device *d, xp_str rest) {
  xp_client c = {.proto_name = XP_STR("line"), .proto_version = XP_STR("1")};
  c.client_id = word(&rest);
  bool named = rest.n > 0;
  c.username = word(&rest);
  if (c.client_id.n == 0 || (named && (c.username.n == 0 || rest.n == 0))) {
    say(XP_STR("error: usage: login <clientid> [username password]"));
    return XP_CONTINUE;
  }
  if (d->login == LOGGED_IN) {
    say(XP_STR("error: you are logged in already"));
    return XP_CONTINUE;
  }
  xp_code code = xp_authenticate(d->conn, TOKEN_LOGIN, &c, rest);
  check(XP_STR("login"), code);
  if (code == XP_OK) d->login = LOGGING_IN;
  return XP_CONTINUE;
}

static bool may_call(const struct device *d) {
  if (d->login != LOGGED_IN) {
    say(XP_STR("error: login first"));
    return false;
  }
  if (calls_left == 0) {
    say(XP_STR("error: too many commands at once"));
    return false;
  }
  calls_left--;
  return true;
}

static void publish(struct device *d, xp_str rest, uint32_t qos) {
  xp_str topic = word(&rest);
  if (topic.n == 0) {
    say(qos ? XP_STR("error: usage: pub1 <topic> <text>") : XP_STR("error: usage: pub <topic> <text>"));
    return;
  }
  if (!may_call(d)) return;
  check_call(d, XP_STR("publish"), xp_publish(d->conn, qos ? TOKEN_PUB1 : TOKEN_PUB, topic, qos, rest));
}

static void subscribe(struct device *d, xp_str rest) {
  xp_str filter = word(&rest);
  if (filter.n == 0) say(XP_STR("error: usage: sub <filter>"));
  else if (may_call(d)) check_call(d, XP_STR("subscribe"), xp_subscribe(d->conn, TOKEN_SUB, filter, 1));
}

static void unsubscribe(struct device *d, xp_str rest) {
  xp_str filter = word(&rest);
  if (filter.n == 0) say(XP_STR("error: usage: unsub <filter>"));
  else if (may_call(d)) check_call(d, XP_STR("unsubscribe"), xp_unsubscribe(d->conn, TOKEN_UNSUB, filter));
}

// Parses a number of seconds from 1 to 86400; returns 0 for anything else.
static uint32_t read_seconds(xp_str s) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9' || n > 8640) return 0;
    n = n * 10 + (s.p[i] - '0');
  }
  return n <= 86400 ? n : 0;
}

static void keepalive(struct device *d, xp_str rest) {
  uint32_t seconds = read_seconds(word(&rest));
  if (seconds == 0) {
    say(XP_STR("error: usage: keepalive <seconds>, from 1 to 86400"));
    return;
  }
  xp_code code = xp_start_timer(d->conn, seconds);
  check(XP_STR("keepalive"), code);
  if (code == XP_OK) say(XP_STR("ok"));
}

static void unknown(xp_str command) {
  out_text(XP_STR("error: unknown command '"));
  if (command.n > 32) command.n = 32;
  out_foreign(command);
  say(XP_STR("', try help"));
}

// Leaves once all answers have arrived, so that a script may end with quit.
static xp_action quit(struct device *d) {
  if (d->unanswered > 0) {
    d->leaving = true;
    return XP_PAUSE;
  }
  say(XP_STR("bye"));
  return XP_CLOSE;
}

// Executes one line.
static xp_action run_command(struct device *d, xp_str line) {
  xp_str command = word(&line);
  if (is(command, XP_STR("pub"))) publish(d, line, 0);
  else if (is(command, XP_STR("pub1"))) publish(d, line, 1);
  else if (is(command, XP_STR("ping"))) say(XP_STR("pong"));
  else if (is(command, XP_STR("sub"))) subscribe(d, line);
  else if (is(command, XP_STR("unsub"))) unsubscribe(d, line);
  else if (is(command, XP_STR("login"))) return login(d, line);
  else if (is(command, XP_STR("keepalive"))) keepalive(d, line);
  else if (is(command, XP_STR("help"))) help();
  else if (is(command, XP_STR("quit"))) return quit(d);
  else if (command.n > 0) unknown(command);
  return XP_CONTINUE;
}

#endif
