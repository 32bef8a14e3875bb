// Package civil converts between seconds since 1970 and dates with times of day, for devices that send the latter.
// (Package time makes a module 0.1 MB larger, and knows no BCD.)
package civil

// Time is a date and a time of day in the proleptic Gregorian calendar. Seconds have no leap seconds.
type Time struct {
	Year                 int // 1 to 9999
	Month, Day           int // from 1
	Hour, Minute, Second int
}

// LeapYear reports whether year has 366 days.
func LeapYear(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// DaysIn returns the number of days of a month, 0 if there is no such month.
func DaysIn(year, month int) int {
	switch month {
	case 2:
		if LeapYear(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	case 1, 3, 5, 7, 8, 10, 12:
		return 31
	}
	return 0
}

// Valid reports whether there is such a time.
func (t Time) Valid() bool {
	return 1 <= t.Year && t.Year <= 9999 && 1 <= t.Day && t.Day <= DaysIn(t.Year, t.Month) &&
		0 <= t.Hour && t.Hour < 24 && 0 <= t.Minute && t.Minute < 60 && 0 <= t.Second && t.Second < 60
}

// Days from 0001-01-01 to 1970-01-01, and in 400, 100 and 4 years.
const (
	daysTo1970  = 719162
	daysIn400   = 146097
	daysIn100   = 36524
	daysIn4     = 1461
	secondsADay = 86400
)

// daysBefore returns the number of days from 0001-01-01 to the first of a year.
func daysBefore(year int) int64 {
	y := int64(year - 1)
	return y*365 + y/4 - y/100 + y/400
}

// Unix returns the seconds since 1970 of a time that is offset seconds ahead of UTC, 3600 for Central European Time. ok
// is false if the time is not valid.
func (t Time) Unix(offset int) (seconds int64, ok bool) {
	if !t.Valid() {
		return 0, false
	}
	days := daysBefore(t.Year) - daysTo1970 + int64(t.Day-1)
	for m := 1; m < t.Month; m++ {
		days += int64(DaysIn(t.Year, m))
	}
	return days*secondsADay + int64(t.Hour*3600+t.Minute*60+t.Second) - int64(offset), true
}

// FromUnix returns the time, offset seconds ahead of UTC, of seconds since 1970. ok is false outside of the years 1 to
// 9999.
func FromUnix(seconds int64, offset int) (t Time, ok bool) {
	const least, most = -daysTo1970 * secondsADay, 253402300799
	if seconds < least-secondsADay || seconds > most+secondsADay || offset < -secondsADay || offset > secondsADay {
		return Time{}, false
	}
	seconds += int64(offset)
	if seconds < least || seconds > most {
		return Time{}, false
	}
	seconds -= least
	days := seconds / secondsADay
	t = fromDays(days)
	rest := int(seconds % secondsADay)
	t.Hour, t.Minute, t.Second = rest/3600, rest/60%60, rest%60
	return t, true
}

// fromDays returns the date that is so many days after 0001-01-01.
func fromDays(days int64) (t Time) {
	n400 := days / daysIn400
	days %= daysIn400
	n100 := min(days/daysIn100, 3)
	days -= n100 * daysIn100
	n4 := days / daysIn4
	days %= daysIn4
	n1 := min(days/365, 3)
	days -= n1 * 365
	t = Time{Year: int(400*n400+100*n100+4*n4+n1) + 1, Month: 1, Day: int(days) + 1}
	for n := DaysIn(t.Year, t.Month); t.Day > n; n = DaysIn(t.Year, t.Month) {
		t.Day -= n
		t.Month++
	}
	return t
}

// FromBCD reads six bytes of two digits each, YY MM DD hh mm ss, in the years 2000 to 2099. ok is false if there is no
// such time.
func FromBCD(b []byte) (t Time, ok bool) {
	if len(b) != 6 {
		return Time{}, false
	}
	var v [6]int
	for i, c := range b {
		if c>>4 > 9 || c&15 > 9 {
			return Time{}, false
		}
		v[i] = int(c>>4)*10 + int(c&15)
	}
	t = Time{2000 + v[0], v[1], v[2], v[3], v[4], v[5]}
	if !t.Valid() {
		return Time{}, false
	}
	return t, true
}

// AppendBCD appends what [FromBCD] reads: the last two digits of the year, and the rest.
func (t Time) AppendBCD(b []byte) []byte {
	for _, v := range [...]int{t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second} {
		b = append(b, byte(v/10%10<<4|v%10))
	}
	return b
}

// AppendText appends the time in the form of RFC 3339, such as 2024-02-29T12:30:00+01:00, offset seconds ahead of UTC:
// 0 is written as Z, and parts of minutes are left out.
func (t Time) AppendText(b []byte, offset int) []byte {
	b = append(digits(b, t.Year/100), byte('0'+t.Year/10%10), byte('0'+t.Year%10), '-')
	b = append(digits(b, t.Month), '-')
	b = append(digits(b, t.Day), 'T')
	b = append(digits(b, t.Hour), ':')
	b = append(digits(b, t.Minute), ':')
	b = digits(b, t.Second)
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	if offset < 60 {
		return append(b, 'Z')
	}
	b = append(digits(append(b, sign), offset/3600), ':')
	return digits(b, offset/60%60)
}

// digits appends the last two digits of v.
func digits(b []byte, v int) []byte { return append(b, byte('0'+v/10%10), byte('0'+v%10)) }
