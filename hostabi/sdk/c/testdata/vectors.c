//go:build ignore

// Runs framers natively. Standard input has lines: "framer NOTATION" starts a new framer, "stuff NOTATION" sets the
// rules for frames to stuff, and any other line is a piece or a frame in hexadecimal digits. It answers each piece with
// a line of its outcomes, each frame with its wire form, each notation with ok or refused.
#include "../exproto_test.h"
#include "../exproto_notation.h"

XP_HANDLER(0);

static xp_pool pieces = {.size = XP_FRAME_ROOM(XP_MAX_FRAME), .max = 1};
static xp_framing rules = {.pool = &pieces};
static xp_framer framer;

static void print_hex(xp_str s) {
  for (uint32_t i = 0; i < s.n; i++) printf("%02x", s.p[i]);
}

static void run(xp_str piece) {
  xp_str frame;
  const char *comma = "";
  for (xp_outcome o; (o = xp_next_frame(&rules, &framer, &piece, &frame)) != XP_NO_FRAME; comma = ",") {
    printf("%s", comma);
    if (o == XP_FRAME) printf("="), print_hex(frame);
    else printf("%s", o == XP_TOO_LONG ? "too_long" : o == XP_BROKEN ? "broken" : "no_memory");
  }
  if (framer.n > rules.max + 8 || (framer.n == 0 && pieces.used > 0)) printf("%sholds_too_much", comma);
}

static void stuff(xp_str frame) {
  static uint8_t bytes[1 << 16];
  xp_buf out = XP_BUF(bytes);
  xp_stuff(&rules, &out, frame);
  print_hex(xp_written(&out));
}

// Parses a line's digits into memory of exactly their size, so that a sanitizer detects reads beyond them.
static xp_str unhex(const char *digits, uint32_t n) {
  uint8_t *p = malloc(n / 2 + 1);
  if (!p) abort();
  xp_str s = {p, n / 2};
  p = realloc(p, s.n > 0 ? s.n : 1);
  xp_words w = {.more = true};
  s.p = p;
  if (n > 0) xp_hex(&w, (xp_str){(const uint8_t *)digits, n}, p, n / 2);
  if (w.bad) abort();
  return s;
}

static void choose(const char *notation, uint32_t n) {
  xp_framer_reset(&rules, &framer);
  printf("%s", xp_parse_framing(&rules, (xp_str){(const uint8_t *)notation, n}) ? "ok" : "refused");
}

int main(void) {
  static char line[1 << 18];
  bool stuffing = false;
  while (fgets(line, sizeof line, stdin)) {
    uint32_t n = (uint32_t)strcspn(line, "\n");
    if (strncmp(line, "framer ", 7) == 0) {
      stuffing = false;
      choose(line + 7, n - 7);
    } else if (strncmp(line, "stuff ", 6) == 0) {
      stuffing = true;
      choose(line + 6, n - 6);
    } else {
      xp_str bytes = unhex(line, n);
      if (stuffing) stuff(bytes);
      else run(bytes);
      free((void *)bytes.p);
    }
    printf("\n");
    fflush(stdout);
  }
  xp_framer_reset(&rules, &framer);
  return xp_test_end();
}
