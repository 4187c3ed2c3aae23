//! Instants as others read them: RFC 3339, in UTC, to the microsecond.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Open;
use crate::values::At;

const DAY_MICROS: i64 = 86_400_000_000;

/// The first and the last instant that four digits can write the year of.
const FIRST: i64 = -62_167_219_200_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// An instant, written as `2026-11-15T08:41:00.000000Z`. One beyond the years 0 to 9999 is written as the nearest within.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Time(pub At);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.0.clamp(FIRST, LAST);
        let (year, month, day) = date(micros.div_euclid(DAY_MICROS));
        let rest = micros.rem_euclid(DAY_MICROS);
        let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01. Years are reckoned from March on, so that a leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let from_year_zero = days + 719_468;
    let (era, day_of_era) = (from_year_zero.div_euclid(ERA_DAYS), from_year_zero.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Open for Time {
    fn is() -> String {
        "a time in UTC, as RFC 3339 writes it".to_owned()
    }

    fn example() -> Time {
        Time(At(1_767_225_600_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_to_the_microsecond() {
        for (micros, written) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_767_225_600_000_000, "2026-01-01T00:00:00.000000Z"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Time(At(micros)).to_string(), written);
        }
    }

    #[test]
    fn what_no_four_digits_can_say_is_the_nearest_that_they_can() {
        assert_eq!(Time(At(i64::MAX)).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Time(At(i64::MIN)).to_string(), "0000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let (first, last) = (FIRST / DAY_MICROS, LAST / DAY_MICROS);
        let (mut year, mut month, mut day) = date(first);
        assert_eq!((year, month, day), (0, 1, 1));
        for days in first + 1..=last {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let in_month = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > in_month[usize::try_from(month - 1).unwrap()] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
            assert_eq!(date(days), (year, month, day));
        }
        assert_eq!((year, month, day), (9999, 12, 31));
    }
}
