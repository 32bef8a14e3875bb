//! Converts between seconds since 1970 and dates with times of day, for devices that send the latter.
//!
//! ```
//! use exproto::civil::Time;
//!
//! let t = Time::from_unix(1_709_164_800, 3600).unwrap();
//! assert_eq!(t.text(3600), "2024-02-29T01:00:00+01:00");
//! assert_eq!(t.unix(3600), Some(1_709_164_800));
//! ```

/// A date and a time of day in the proleptic Gregorian calendar. Seconds have no leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// From 1 to 9999.
    pub year: i32,
    /// From 1.
    pub month: i32,
    /// From 1.
    pub day: i32,
    /// From 0 to 23.
    pub hour: i32,
    /// From 0 to 59.
    pub minute: i32,
    /// From 0 to 59.
    pub second: i32,
}

/// Days from 0001-01-01 to 1970-01-01, and in 400, 100 and 4 years.
const DAYS_TO_1970: i64 = 719_162;
const DAYS_IN_400: i64 = 146_097;
const DAYS_IN_100: i64 = 36_524;
const DAYS_IN_4: i64 = 1_461;
const SECONDS_A_DAY: i64 = 86_400;

/// Whether year has 366 days.
pub fn leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days of a month, 0 if there is no such month.
pub fn days_in(year: i32, month: i32) -> i32 {
    match month {
        2 if leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    }
}

impl Time {
    /// Whether there is such a time.
    pub fn valid(&self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
    }

    /// The seconds since 1970 of a time that is offset seconds ahead of UTC, 3600 for Central European Time. None if
    /// the time is not valid.
    pub fn unix(&self, offset: i32) -> Option<i64> {
        if !self.valid() {
            return None;
        }
        let y = i64::from(self.year - 1);
        let months: i32 = (1..self.month).map(|m| days_in(self.year, m)).sum();
        let days = y * 365 + y / 4 - y / 100 + y / 400 - DAYS_TO_1970 + i64::from(months + self.day - 1);
        let second = self.hour * 3600 + self.minute * 60 + self.second;
        Some(days * SECONDS_A_DAY + i64::from(second) - i64::from(offset))
    }

    /// The time, offset seconds ahead of UTC, of seconds since 1970. None outside of the years 1 to 9999.
    pub fn from_unix(seconds: i64, offset: i32) -> Option<Time> {
        if !(-86_400..=86_400).contains(&offset) {
            return None;
        }
        let since = seconds.checked_add(i64::from(offset))?.checked_add(DAYS_TO_1970 * SECONDS_A_DAY)?;
        if !(0..=315_537_897_599).contains(&since) {
            return None;
        }
        let rest = (since % SECONDS_A_DAY) as i32;
        let date = Time::from_days(since / SECONDS_A_DAY);
        Some(Time { hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60, ..date })
    }

    /// The date that is so many days after 0001-01-01.
    fn from_days(mut days: i64) -> Time {
        let n400 = days / DAYS_IN_400;
        days %= DAYS_IN_400;
        let n100 = (days / DAYS_IN_100).min(3);
        days -= n100 * DAYS_IN_100;
        let n4 = days / DAYS_IN_4;
        days %= DAYS_IN_4;
        let n1 = (days / 365).min(3);
        days -= n1 * 365;
        let year = (400 * n400 + 100 * n100 + 4 * n4 + n1) as i32 + 1;
        let mut t = Time { year, month: 1, day: days as i32 + 1, ..Time::default() };
        while t.day > days_in(year, t.month) {
            t.day -= days_in(year, t.month);
            t.month += 1;
        }
        t
    }

    /// Reads six bytes of two digits each, YY MM DD hh mm ss, in the years 2000 to 2099. None if there is no such time.
    pub fn from_bcd(bytes: &[u8]) -> Option<Time> {
        let mut v = [0; 6];
        if bytes.len() != v.len() {
            return None;
        }
        for (v, &b) in v.iter_mut().zip(bytes) {
            if b >> 4 > 9 || b & 15 > 9 {
                return None;
            }
            *v = i32::from((b >> 4) * 10 + (b & 15));
        }
        let [year, month, day, hour, minute, second] = v;
        let t = Time { year: 2000 + year, month, day, hour, minute, second };
        t.valid().then_some(t)
    }

    /// What [`from_bcd`](Self::from_bcd) reads: the last two digits of the year, and the rest.
    pub fn bcd(&self) -> [u8; 6] {
        let bcd = |v: i32| ((v / 10 % 10) << 4 | (v % 10)) as u8;
        [bcd(self.year), bcd(self.month), bcd(self.day), bcd(self.hour), bcd(self.minute), bcd(self.second)]
    }

    /// The time in the form of RFC 3339, such as 2024-02-29T12:30:00+01:00, offset seconds ahead of UTC: 0 is written
    /// as Z, and parts of minutes are left out.
    pub fn text(&self, offset: i32) -> String {
        let mut text = String::with_capacity(25);
        let fields = [(self.year / 100, ""), (self.year, "-"), (self.month, "-"), (self.day, "T")];
        let time = [(self.hour, ":"), (self.minute, ":"), (self.second, "")];
        for &(v, separator) in fields.iter().chain(&time) {
            digits(&mut text, v);
            text.push_str(separator);
        }
        let ahead = offset.unsigned_abs() as i32;
        if ahead < 60 {
            text.push('Z');
            return text;
        }
        text.push(if offset < 0 { '-' } else { '+' });
        digits(&mut text, ahead / 3600);
        text.push(':');
        digits(&mut text, ahead / 60 % 60);
        text
    }
}

/// Appends the last two digits of v.
fn digits(text: &mut String, v: i32) {
    for digit in [v / 10 % 10, v % 10] {
        text.push(char::from(b'0' + digit as u8));
    }
}
