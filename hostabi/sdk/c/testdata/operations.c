//go:build ignore

// Runs the operations of hostabi/sdk/vectors natively: reads one a line, and writes its outcome.
#define _DEFAULT_SOURCE // strsep
#include "../exproto_test.h"

#include "../exproto_checksum.h"
#include "../exproto_civil.h"
#include "../exproto_frames.h"
#include "../exproto_gbk.h"
#include "../exproto_json.h"
#include "../exproto_packet.h"

// ---- Words

static char *word(char **line) {
  char *w = *line ? strsep(line, " ") : NULL;
  return w ? w : "";
}

// Parses hexadecimal digits, or - for none, into memory of exactly their size, so that a sanitizer detects reads beyond
// them. It is freed at the end of the operation.
static void *allocated[4096];
static size_t allocations;

static xp_str unhex(const char *digits) {
  size_t n = digits[0] == '-' ? 0 : strlen(digits) / 2;
  uint8_t *p = malloc(n ? n : 1);
  if (!p || allocations == sizeof allocated / sizeof *allocated) abort();
  allocated[allocations++] = p;
  for (size_t i = 0; i < n; i++) {
    unsigned byte;
    if (sscanf(digits + 2 * i, "%2x", &byte) != 1) abort();
    p[i] = (uint8_t)byte;
  }
  return (xp_str){p, (uint32_t)n};
}

static void print_hex(xp_str s) {
  if (s.n == 0) printf("-");
  for (uint32_t i = 0; i < s.n; i++) printf("%02x", s.p[i]);
}

// ---- Checksums

static const struct {
  const char *name;
  xp_crc *(*crc)(void);
} crcs[] = {
    {"crc8_maxim_dow", xp_crc8_maxim_dow},   {"crc8_rohc", xp_crc8_rohc},
    {"crc8_sae_j1850", xp_crc8_sae_j1850},   {"crc8_smbus", xp_crc8_smbus},
    {"crc16_arc", xp_crc16_arc},             {"crc16_ccitt_false", xp_crc16_ccitt_false},
    {"crc16_dnp", xp_crc16_dnp},             {"crc16_en13757", xp_crc16_en13757},
    {"crc16_genibus", xp_crc16_genibus},     {"crc16_kermit", xp_crc16_kermit},
    {"crc16_maxim_dow", xp_crc16_maxim_dow}, {"crc16_mcrf4xx", xp_crc16_mcrf4xx},
    {"crc16_modbus", xp_crc16_modbus},       {"crc16_umts", xp_crc16_umts},
    {"crc16_usb", xp_crc16_usb},             {"crc16_x25", xp_crc16_x25},
    {"crc16_xmodem", xp_crc16_xmodem},       {"crc32_bzip2", xp_crc32_bzip2},
    {"crc32_iscsi", xp_crc32_iscsi},         {"crc32_iso_hdlc", xp_crc32_iso_hdlc},
    {"crc32_mpeg2", xp_crc32_mpeg2},
};

static void crc(char *line) {
  char *name = word(&line);
  xp_str first = unhex(word(&line)), second = line ? unhex(word(&line)) : (xp_str){0};
  if (!strcmp(name, "lrc")) printf("%02x", xp_lrc(first));
  if (!strcmp(name, "sum8")) printf("%02x", xp_sum8(first));
  if (!strcmp(name, "sum16")) printf("%04x", xp_sum16(first));
  if (!strcmp(name, "xor")) printf("%02x", xp_xor(first));
  for (size_t i = 0; i < sizeof crcs / sizeof *crcs; i++)
    if (!strcmp(name, crcs[i].name)) {
      xp_crc *c = crcs[i].crc();
      printf("%0*x", (int)c->width / 4, xp_crc_update(c, xp_crc_sum(c, first), second));
    }
}

// ---- Fields

static void read_field(xp_packet *r, const char *name, uint32_t n) {
  if (!strcmp(name, "skip")) return xp_get_skip(r, n);
  if (!strcmp(name, "fail")) return xp_get_fail(r);
  if (!strcmp(name, "bytes")) print_hex(xp_get_bytes(r, n));
  if (!strcmp(name, "rest")) print_hex(xp_get_rest(r));
  if (!strcmp(name, "f32")) printf("%x", xp_bits_of(xp_get_f32(r)));
  if (!strcmp(name, "f32le")) printf("%x", xp_bits_of(xp_get_f32le(r)));
  if (!strcmp(name, "f64")) printf("%llx", (unsigned long long)xp_bits_of_double(xp_get_f64(r)));
  if (!strcmp(name, "f64le")) printf("%llx", (unsigned long long)xp_bits_of_double(xp_get_f64le(r)));
  if (!strcmp(name, "bcd")) printf("%llu", (unsigned long long)xp_get_bcd(r, n));
  if (!strcmp(name, "bcdle")) printf("%llu", (unsigned long long)xp_get_bcdle(r, n));
  if (!strcmp(name, "bits")) printf("%u", xp_get_bits(r, n));
#define UNSIGNED(field) \
  if (!strcmp(name, #field)) printf("%llu", (unsigned long long)xp_get_##field(r));
#define SIGNED(field) \
  if (!strcmp(name, #field)) printf("%lld", (long long)xp_get_##field(r));
  UNSIGNED(u8) UNSIGNED(u16) UNSIGNED(u16le) UNSIGNED(u24) UNSIGNED(u24le) UNSIGNED(u32) UNSIGNED(u32le)
  UNSIGNED(u64) UNSIGNED(u64le)
  SIGNED(i8) SIGNED(i16) SIGNED(i16le) SIGNED(i32) SIGNED(i32le) SIGNED(i64) SIGNED(i64le)
  printf(" ");
}

static void read_fields(char *line) {
  xp_packet r = xp_get(unhex(word(&line)));
  while (line) {
    char *argument = word(&line), *name = strsep(&argument, ":");
    read_field(&r, name, argument ? (uint32_t)atoi(argument) : 0);
  }
  printf("%s %u", xp_get_done(&r) ? "done" : xp_get_ok(&r) ? "ok" : "bad", r.n);
}

static void write_field(xp_buf *b, const char *name, uint32_t n, const char *value) {
  uint64_t v = strtoull(value, NULL, 10), bits = strtoull(value, NULL, 16);
  if (!strcmp(name, "bytes") || !strcmp(name, "text")) xp_put_bytes(b, unhex(value));
  if (!strcmp(name, "bcd")) xp_put_bcd(b, v, n);
  if (!strcmp(name, "bcdle")) xp_put_bcdle(b, v, n);
  if (!strcmp(name, "f32")) xp_put_f32(b, xp_float_of((uint32_t)bits));
  if (!strcmp(name, "f32le")) xp_put_f32le(b, xp_float_of((uint32_t)bits));
  if (!strcmp(name, "f64")) xp_put_f64(b, xp_double_of(bits));
  if (!strcmp(name, "f64le")) xp_put_f64le(b, xp_double_of(bits));
  if (!strcmp(name, "u8")) xp_put_u8(b, (uint8_t)v);
  if (!strcmp(name, "u16")) xp_put_u16(b, (uint16_t)v);
  if (!strcmp(name, "u16le")) xp_put_u16le(b, (uint16_t)v);
  if (!strcmp(name, "u24")) xp_put_u24(b, (uint32_t)v);
  if (!strcmp(name, "u24le")) xp_put_u24le(b, (uint32_t)v);
  if (!strcmp(name, "u32")) xp_put_u32(b, (uint32_t)v);
  if (!strcmp(name, "u32le")) xp_put_u32le(b, (uint32_t)v);
  if (!strcmp(name, "u64")) xp_put_u64(b, v);
  if (!strcmp(name, "u64le")) xp_put_u64le(b, v);
}

static void write_fields(char *line) {
  static uint8_t room[1 << 12];
  xp_buf b = {room, 0, (uint32_t)atoi(word(&line)), false};
  while (line) {
    char *value = word(&line), *argument = strsep(&value, "="), *name = strsep(&argument, ":");
    write_field(&b, name, argument ? (uint32_t)atoi(argument) : 0, value);
  }
  print_hex(xp_written(&b));
  printf(" %s", b.full ? "full" : "ok");
}

// ---- Time

static void print_time(const xp_time *t, int32_t offset) {
  uint8_t room[25];
  xp_buf b = XP_BUF(room);
  xp_put_time(&b, t, offset);
  printf("%.*s", (int)b.n, (const char *)b.p);
}

static void civil(char *line) {
  int64_t seconds = strtoll(word(&line), NULL, 10);
  int32_t offset = (int32_t)strtol(word(&line), NULL, 10);
  xp_time t;
  if (xp_time_from_unix(seconds, offset, &t)) print_time(&t, offset);
  else printf("invalid");
}

static void unix_time(char *line) {
  int32_t v[7];
  for (int i = 0; i < 7; i++) v[i] = (int32_t)strtol(word(&line), NULL, 10);
  xp_time t = {v[0], v[1], v[2], v[3], v[4], v[5]};
  int64_t seconds;
  if (xp_time_unix(&t, v[6], &seconds)) printf("%lld", (long long)seconds);
  else printf("invalid");
}

static void bcd_time(char *line) {
  uint8_t room[6];
  xp_buf b = XP_BUF(room);
  xp_time t;
  if (!xp_time_from_bcd(unhex(word(&line)), &t)) {
    printf("invalid");
    return;
  }
  print_time(&t, 0);
  printf(" ");
  xp_put_time_bcd(&b, &t);
  print_hex(xp_written(&b));
}

// ---- Texts

static void json(char *line) {
  static uint8_t room[1 << 16];
  uint32_t most = (uint32_t)atoi(word(&line));
  xp_json w = {.b = {room, 0, most, false}};
  while (line) {
    char *call = word(&line), *name = strsep(&call, ":"), *value = call ? strsep(&call, ":") : "";
    int32_t decimals = call ? atoi(call) : 0;
    switch (name[0]) {
    case '{': xp_json_object(&w); break;
    case '}': xp_json_end_object(&w); break;
    case '[': xp_json_array(&w); break;
    case ']': xp_json_end_array(&w); break;
    case 'k': xp_json_key(&w, unhex(value)); break;
    case 't': xp_json_text(&w, unhex(value)); break;
    case 'i': xp_json_int(&w, strtoll(value, NULL, 10)); break;
    case 'u': xp_json_uint(&w, strtoull(value, NULL, 10)); break;
    case 'd': xp_json_decimal(&w, strtoll(value, NULL, 10), decimals); break;
    case 'f': xp_json_float(&w, xp_double_of(strtoull(value, NULL, 16)), decimals); break;
    case 'b': xp_json_bool(&w, value[0] == '1'); break;
    case 'n': xp_json_null(&w); break;
    }
  }
  if (w.b.n > most) abort();
  if (xp_json_ok(&w)) print_hex(xp_json_written(&w));
  else printf("bad");
}

static void gbk(char *line, bool to) {
  static uint8_t room[1 << 16];
  xp_buf b = XP_BUF(room);
  xp_str text = unhex(word(&line));
  if (to) {
    bool all = xp_put_gbk(&b, text);
    print_hex(xp_written(&b));
    printf(" %s", all ? "true" : "false");
    return;
  }
  xp_put_from_gbk(&b, text);
  print_hex(xp_written(&b));
}

// ---- Frames

static int32_t measure_ft12(xp_str b) {
  if (b.p[0] == 0xe5) return 1;
  if (b.p[0] == 0x10) return 5;
  if (b.p[0] != 0x68) return -1;
  if (b.n < 4) return 0;
  return b.p[1] == b.p[2] && b.p[3] == 0x68 ? b.p[1] + 6 : -1;
}

static xp_pool pieces = {.size = XP_FRAME_ROOM(32), .max = 3};

static void ft12(char *line) {
  static const xp_framing rules = {.kind = XP_CUSTOM, .measure = measure_ft12, .max = 32, .pool = &pieces};
  xp_framer framer = {0};
  if (!xp_framing_valid(&rules)) abort();
  char *all = word(&line);
  for (char *digits; (digits = strsep(&all, ","));) {
    xp_str piece = unhex(digits), frame;
    for (xp_outcome o; (o = xp_next_frame(&rules, &framer, &piece, &frame)) != XP_NO_FRAME; printf(" ")) {
      if (o == XP_FRAME) print_hex(frame);
      else printf("%s", o == XP_TOO_LONG ? "too_long" : o == XP_BROKEN ? "broken" : "no_memory");
    }
    xp_frame_forget(&rules, &framer);
  }
  printf("held=%u", framer.n);
  if (framer.n == 0 && framer.piece) printf(" and a piece");
  xp_framer_reset(&rules, &framer);
}

struct device {
  xp_frame_conn conn;
};

static void send_number(struct device *d, const char *what, uint32_t n) {
  char text[32];
  int size = snprintf(text, sizeof text, "%s %u/", what, n);
  xp_send(d->conn.id, (xp_str){(const uint8_t *)text, (uint32_t)size});
}

static xp_action on_called(void *device, xp_result r) {
  struct device *d = device;
  send_number(d, "called", r.code);
  if (r.code == XP_OK) xp_resume_frames(&d->conn);
  return XP_CONTINUE;
}

static bool is(xp_str s, const char *text) { return s.n == strlen(text) && !memcmp(s.p, text, s.n); }

static xp_action on_frame(void *device, xp_str line) {
  struct device *d = device;
  xp_client client = {.client_id = XP_STR("c")};
  if (is(line, "login")) return xp_log_in(&d->conn, &client, XP_STR(""));
  if (is(line, "wait")) return XP_PAUSE;
  if (is(line, "bye")) return XP_CLOSE;
  if (is(line, "end")) return xp_close_frames(&d->conn, XP_STR("asked"));
  if (is(line, "resume")) {
    xp_resume_frames(&d->conn);
  } else if (is(line, "call")) {
    xp_publish(d->conn.id, xp_answer_to(on_called), XP_STR("t"), 1, XP_STR(""));
  } else {
    xp_send(d->conn.id, line);
    xp_send(d->conn.id, XP_STR("/"));
  }
  return XP_CONTINUE;
}

static xp_action on_frame_error(void *device, xp_outcome error) {
  struct device *d = device;
  if (error != XP_TOO_LONG) return XP_CLOSE;
  xp_send(d->conn.id, XP_STR("too long/"));
  return XP_CONTINUE;
}

static xp_action on_login(void *device, xp_result r) {
  send_number(device, "login", r.code);
  if (r.code == XP_LIMIT) return XP_PAUSE;
  return r.code == XP_OK || r.code == XP_UNSUPPORTED ? XP_CONTINUE : XP_CLOSE;
}

static xp_action on_alarm(void *device, uint32_t id) {
  struct device *d = device;
  (void)id;
  xp_resume_frames(&d->conn);
  return XP_CONTINUE;
}

static const xp_framing lines = {
    .kind = XP_DELIMITER, .mark = "\n", .mark_n = 1, .max = 16, .strip = XP_STRIP_LINE, .pool = &pieces};

XP_FRAMES(.rules = &lines, .size = sizeof(struct device), .max = 2, .frame = on_frame, .frame_error = on_frame_error,
          .login = on_login, .alarm = on_alarm);

static xp_str repeated(char *digits) {
  char *piece = strsep(&digits, "*");
  xp_str s = unhex(piece);
  uint32_t times = digits ? (uint32_t)atoi(digits) : 1;
  uint8_t *p = malloc(s.n * times + 1);
  if (!p) abort();
  allocated[allocations++] = p;
  for (uint32_t i = 0; i < times; i++) memcpy(p + i * s.n, s.p, s.n);
  return (xp_str){p, s.n * times};
}

// Prints the action, what was sent and the names of the calls, and keeps the tokens that want an answer.
static void print_event(xp_action a, xp_conn conn, int64_t *tokens, uint32_t *n) {
  static const char *const names[] = {"continue", "pause", "close"};
  xp_test_text *sent = &xp_test_find(conn)->sent;
  printf("%s:%.*s:", names[a], (int)sent->n, sent->n ? sent->p : "");
  free(sent->p);
  *sent = (xp_test_text){0};
  const char *separator = "";
  for (const char *call = xp_test_calls(); *call; call = strchr(call, '\n') + 1) {
    printf("%s%.*s", separator, (int)strcspn(call, " "), call);
    separator = "+";
    const char *end = strchr(call, '\n'), *token = strstr(call, "token=");
    if (token && token < end && *n < 16) tokens[(*n)++] = strtoll(token + 6, NULL, 10);
  }
}

static void frames(char *line) {
  static xp_conn conn;
  int64_t tokens[16];
  uint32_t n = 0, first = 0;
  xp_test_refuse("authenticate", XP_OK);
  xp_test_connect(++conn, NULL);
  char *all = word(&line);
  const char *separator = "";
  for (char *argument; (argument = strsep(&all, ","));) {
    char *name = strsep(&argument, ":");
    xp_action a = XP_CONTINUE;
    if (!strcmp(name, "refuse")) {
      xp_test_refuse("authenticate", (xp_code)atoi(argument));
      continue;
    }
    if (!strcmp(name, "bytes")) a = xp_test_bytes(conn, repeated(argument));
    if (!strcmp(name, "alarm")) a = xp_test_alarm(conn, 1);
    if (!strcmp(name, "answer")) a = xp_test_result(conn, tokens[first++], (xp_code)atoi(argument), "");
    printf("%s", separator);
    print_event(a, conn, tokens, &n);
    separator = ";";
  }
  xp_test_disconnect(conn, "");
  if (xp_frame_devices.pool.used || xp_frame_held.used || pieces.used) printf(" leaks");
}

static void run(char *line) {
  char *name = word(&line);
  if (!strcmp(name, "crc") || !strcmp(name, "crc2")) crc(line);
  if (!strcmp(name, "read")) read_fields(line);
  if (!strcmp(name, "write")) write_fields(line);
  if (!strcmp(name, "civil")) civil(line);
  if (!strcmp(name, "unix")) unix_time(line);
  if (!strcmp(name, "bcdtime")) bcd_time(line);
  if (!strcmp(name, "json")) json(line);
  if (!strcmp(name, "gbk")) gbk(line, false);
  if (!strcmp(name, "togbk")) gbk(line, true);
  if (!strcmp(name, "ft12")) ft12(line);
  if (!strcmp(name, "frames")) frames(line);
  while (allocations > 0) free(allocated[--allocations]);
}

int main(void) {
  static char line[1 << 18];
  if (xp_test_start("") != 0) return 1;
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    run(line);
    printf("\n");
    fflush(stdout);
  }
  return xp_test_end();
}
