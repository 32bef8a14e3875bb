// Converts between seconds since 1970 and dates with times of day, for devices that send the latter.

const DAYS_TO_1970: i64 = 719162; // from 0001-01-01
const SECONDS_A_DAY: i64 = 86400;
const MOST: i64 = 253402300799; // the last second of the year 9999

/** Whether year has 366 days. */
export function leapYear(year: i32): bool {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/** The number of days of a month, 0 if there is no such month. */
export function daysIn(year: i32, month: i32): i32 {
  if (month == 2) return leapYear(year) ? 29 : 28;
  if (month == 4 || month == 6 || month == 9 || month == 11) return 30;
  return month >= 1 && month <= 12 ? 31 : 0;
}

/** A date and a time of day in the proleptic Gregorian calendar. Seconds have no leap seconds. */
export class Time {
  /**
   * @param year 1 to 9999
   * @param month from 1
   * @param day from 1
   */
  constructor(
    public year: i32,
    public month: i32,
    public day: i32,
    public hour: i32,
    public minute: i32,
    public second: i32,
  ) {}

  /** Whether there is such a time. */
  valid(): bool {
    if (this.year < 1 || this.year > 9999 || this.day < 1 || this.day > daysIn(this.year, this.month)) return false;
    const time = this.hour >= 0 && this.hour < 24 && this.minute >= 0 && this.minute < 60;
    return time && this.second >= 0 && this.second < 60;
  }

  /** The seconds since 1970 of a valid time that is offset seconds ahead of UTC, 3600 for Central European Time. */
  unix(offset: i32 = 0): i64 {
    const y: i64 = this.year - 1;
    let days: i64 = y * 365 + y / 4 - y / 100 + y / 400 - DAYS_TO_1970 + this.day - 1;
    for (let m = 1; m < this.month; m++) days += daysIn(this.year, m);
    return days * SECONDS_A_DAY + this.hour * 3600 + this.minute * 60 + this.second - offset;
  }

  /** The time, offset seconds ahead of UTC, of seconds since 1970. null outside of the years 1 to 9999. */
  static fromUnix(seconds: i64, offset: i32 = 0): Time | null {
    const least = -DAYS_TO_1970 * SECONDS_A_DAY;
    if (offset < -<i32>SECONDS_A_DAY || offset > <i32>SECONDS_A_DAY) return null;
    if (seconds < least - SECONDS_A_DAY || seconds > MOST + SECONDS_A_DAY) return null;
    seconds += offset;
    if (seconds < least || seconds > MOST) return null;
    seconds -= least;
    const t = Time.fromDays(seconds / SECONDS_A_DAY);
    const rest = <i32>(seconds % SECONDS_A_DAY);
    t.hour = rest / 3600;
    t.minute = (rest / 60) % 60;
    t.second = rest % 60;
    return t;
  }

  /** The date that is so many days after 0001-01-01: 400 years have 146,097 days, 100 have 36,524, and 4 have 1,461. */
  private static fromDays(days: i64): Time {
    const n400 = days / 146097;
    days %= 146097;
    const n100 = min<i64>(days / 36524, 3);
    days -= n100 * 36524;
    const n4 = days / 1461;
    days %= 1461;
    const n1 = min<i64>(days / 365, 3);
    days -= n1 * 365;
    const t = new Time(<i32>(400 * n400 + 100 * n100 + 4 * n4 + n1) + 1, 1, <i32>days + 1, 0, 0, 0);
    for (let n = 31; t.day > n; n = daysIn(t.year, t.month)) {
      t.day -= n;
      t.month++;
    }
    return t;
  }

  /**
   * Reads six bytes of two digits each, YY MM DD hh mm ss, in the years 2000 to 2099. null if there is no such time.
   */
  static fromBCD(bytes: Uint8Array): Time | null {
    if (bytes.length != 6) return null;
    const v = new StaticArray<i32>(6);
    for (let i = 0; i < 6; i++) {
      const b = bytes[i];
      if (b >> 4 > 9 || (b & 15) > 9) return null;
      v[i] = (b >> 4) * 10 + (b & 15);
    }
    const t = new Time(2000 + v[0], v[1], v[2], v[3], v[4], v[5]);
    return t.valid() ? t : null;
  }

  /** What fromBCD reads: the last two digits of the year, and the rest. */
  bcd(): Uint8Array {
    const bytes = new Uint8Array(6);
    const v: StaticArray<i32> = [this.year, this.month, this.day, this.hour, this.minute, this.second];
    for (let i = 0; i < 6; i++) bytes[i] = <u8>((((v[i] / 10) % 10) << 4) | v[i] % 10);
    return bytes;
  }

  /**
   * The time in the form of RFC 3339, such as 2024-02-29T12:30:00+01:00, offset seconds ahead of UTC: 0 is written as
   * Z, and parts of minutes are left out.
   */
  text(offset: i32 = 0): string {
    const date = two(this.year / 100) + two(this.year) + "-" + two(this.month) + "-" + two(this.day);
    const time = date + "T" + two(this.hour) + ":" + two(this.minute) + ":" + two(this.second);
    const ahead = abs(offset);
    if (ahead < 60) return time + "Z";
    return time + (offset < 0 ? "-" : "+") + two(ahead / 3600) + ":" + two((ahead / 60) % 60);
  }
}

/** The last two digits of v. */
function two(v: i32): string {
  return ((v / 10) % 10).toString() + (v % 10).toString();
}
