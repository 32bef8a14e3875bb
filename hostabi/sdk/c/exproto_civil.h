// Converts between seconds since 1970 and dates with times of day, for devices that send the latter.
#ifndef EXPROTO_CIVIL_H
#define EXPROTO_CIVIL_H

#include "exproto.h"

// A date and a time of day in the proleptic Gregorian calendar. Seconds have no leap seconds.
typedef struct {
  int32_t year;                 // 1 to 9999
  int32_t month, day;           // from 1
  int32_t hour, minute, second; // from 0
} xp_time;

// Reports whether year has 366 days.
static inline bool xp_leap_year(int32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// Returns the number of days of a month, 0 if there is no such month.
static inline int32_t xp_days_in(int32_t year, int32_t month) {
  switch (month) {
  case 2: return xp_leap_year(year) ? 29 : 28;
  case 4:
  case 6:
  case 9:
  case 11: return 30;
  }
  return month >= 1 && month <= 12 ? 31 : 0;
}

// Reports whether there is such a time.
static inline bool xp_time_valid(const xp_time *t) {
  return t->year >= 1 && t->year <= 9999 && t->day >= 1 && t->day <= xp_days_in(t->year, t->month) && t->hour >= 0 &&
         t->hour < 24 && t->minute >= 0 && t->minute < 60 && t->second >= 0 && t->second < 60;
}

// The days from 0001-01-01 to 1970-01-01.
#define XP_DAYS_TO_1970 719162
#define XP_SECONDS_A_DAY 86400

// Finds the seconds since 1970 of a time that is offset seconds ahead of UTC, 3600 for Central European Time. Returns
// false if the time is not valid.
static inline bool xp_time_unix(const xp_time *t, int32_t offset, int64_t *seconds) {
  if (!xp_time_valid(t)) return false;
  int64_t y = t->year - 1, days = y * 365 + y / 4 - y / 100 + y / 400 - XP_DAYS_TO_1970 + t->day - 1;
  for (int32_t m = 1; m < t->month; m++) days += xp_days_in(t->year, m);
  *seconds = days * XP_SECONDS_A_DAY + t->hour * 3600 + t->minute * 60 + t->second - offset;
  return true;
}

// Finds the date that is so many days after 0001-01-01: 400 years have 146,097 days, 100 have 36,524, and 4 have 1,461.
static inline xp_time xp_time_from_days(int64_t days) {
  int64_t n400 = days / 146097, n100 = days % 146097 / 36524;
  if (n100 > 3) n100 = 3;
  days -= n400 * 146097 + n100 * 36524;
  int64_t n4 = days / 1461, n1 = days % 1461 / 365;
  if (n1 > 3) n1 = 3;
  days -= n4 * 1461 + n1 * 365;
  xp_time t = {.year = (int32_t)(400 * n400 + 100 * n100 + 4 * n4 + n1) + 1, .month = 1, .day = (int32_t)days + 1};
  for (int32_t n; t.day > (n = xp_days_in(t.year, t.month)); t.month++) t.day -= n;
  return t;
}

// Finds the time, offset seconds ahead of UTC, of seconds since 1970. Returns false outside of the years 1 to 9999.
static inline bool xp_time_from_unix(int64_t seconds, int32_t offset, xp_time *t) {
  const int64_t least = -(int64_t)XP_DAYS_TO_1970 * XP_SECONDS_A_DAY, most = 253402300799;
  if (offset < -XP_SECONDS_A_DAY || offset > XP_SECONDS_A_DAY) return false;
  if (seconds < least - XP_SECONDS_A_DAY || seconds > most + XP_SECONDS_A_DAY) return false;
  seconds += offset;
  if (seconds < least || seconds > most) return false;
  seconds -= least;
  *t = xp_time_from_days(seconds / XP_SECONDS_A_DAY);
  int32_t rest = (int32_t)(seconds % XP_SECONDS_A_DAY);
  t->hour = rest / 3600;
  t->minute = rest / 60 % 60;
  t->second = rest % 60;
  return true;
}

// Reads six bytes of two digits each, YY MM DD hh mm ss, in the years 2000 to 2099. Returns false if there is no such
// time.
static inline bool xp_time_from_bcd(xp_str s, xp_time *t) {
  int32_t v[6];
  if (s.n != 6) return false;
  for (uint32_t i = 0; i < 6; i++) {
    if (s.p[i] >> 4 > 9 || (s.p[i] & 15) > 9) return false;
    v[i] = (s.p[i] >> 4) * 10 + (s.p[i] & 15);
  }
  xp_time read = {2000 + v[0], v[1], v[2], v[3], v[4], v[5]};
  if (!xp_time_valid(&read)) return false;
  *t = read;
  return true;
}

// Writes what xp_time_from_bcd reads: the last two digits of the year, and the rest.
static inline void xp_put_time_bcd(xp_buf *b, const xp_time *t) {
  const int32_t v[] = {t->year, t->month, t->day, t->hour, t->minute, t->second};
  for (uint32_t i = 0; i < 6; i++) xp_put_byte(b, (uint8_t)(v[i] / 10 % 10 << 4 | v[i] % 10));
}

// Writes the last two digits of v, and what separates them from the next ones.
static inline void xp_put_time_digits(xp_buf *b, int32_t v, xp_str separator) {
  xp_put_byte(b, (uint8_t)('0' + v / 10 % 10));
  xp_put_byte(b, (uint8_t)('0' + v % 10));
  xp_put(b, separator);
}

// Writes the time in the form of RFC 3339, such as 2024-02-29T12:30:00+01:00, offset seconds ahead of UTC: 0 is written
// as Z, and parts of minutes are left out. It has at most 25 bytes.
static inline void xp_put_time(xp_buf *b, const xp_time *t, int32_t offset) {
  xp_put_time_digits(b, t->year / 100, XP_STR(""));
  xp_put_time_digits(b, t->year, XP_STR("-"));
  xp_put_time_digits(b, t->month, XP_STR("-"));
  xp_put_time_digits(b, t->day, XP_STR("T"));
  xp_put_time_digits(b, t->hour, XP_STR(":"));
  xp_put_time_digits(b, t->minute, XP_STR(":"));
  xp_put_time_digits(b, t->second, XP_STR(""));
  int32_t ahead = offset < 0 ? -offset : offset;
  if (ahead < 60) {
    xp_put_byte(b, 'Z');
    return;
  }
  xp_put_byte(b, offset < 0 ? '-' : '+');
  xp_put_time_digits(b, ahead / 3600, XP_STR(":"));
  xp_put_time_digits(b, ahead / 60 % 60, XP_STR(""));
}

#endif
