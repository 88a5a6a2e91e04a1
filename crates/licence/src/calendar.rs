//! RFC 3339 instants in UTC, as terms and certificates print them.
//!
//! Civil calendar by Hinnant's `days_from_civil` and `civil_from_days`
//! ("chrono-Compatible Low-Level Date Algorithms"). It knows no leap seconds and no time
//! zones beyond an offset in minutes.
//!
//! **Invariant**: `parse(print(m)) == m` for every moment up to [`MOMENT_MAX`].

use ambar_base::Moment;

/// The last millisecond of the year 9999, the last that RFC 3339 can write.
pub const MOMENT_MAX: Moment = Moment(253_402_300_799_999);

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A date of the Gregorian calendar and a time of day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 1970 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Milliseconds since midnight.
    pub ms: u64,
}

impl Civil {
    /// The moment, or nothing if there is no such day or it lies outside 1970 to 9999.
    #[must_use]
    pub fn moment(self) -> Option<Moment> {
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let plausible = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        if !plausible || self.day == 0 || self.ms >= Moment::DAY_MS {
            return None;
        }
        let year_from_march = year - u64::from(month <= 2);
        let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + u64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        let moment = Moment(days * Moment::DAY_MS + self.ms);
        // The 31st of February becomes a day of March: such a date does not come back.
        (Self::of(moment) == self).then_some(moment)
    }

    /// The date and time of a moment, which is at most [`MOMENT_MAX`].
    #[must_use]
    pub fn of(moment: Moment) -> Self {
        let moment = moment.min(MOMENT_MAX);
        let days = moment.day() + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self {
            year: year as u16,
            month: month as u8,
            day: (day_of_year - (153 * from_march + 2) / 5 + 1) as u8,
            ms: moment.0 % Moment::DAY_MS,
        }
    }
}

/// The instant in RFC 3339, with milliseconds only where there are some. Moments after
/// [`MOMENT_MAX`] print as it.
#[must_use]
pub fn print(moment: Moment) -> String {
    let Civil { year, month, day, ms } = Civil::of(moment);
    let (hour, minute) = (ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS);
    let (second, part) = (ms % MINUTE_MS / SECOND_MS, ms % SECOND_MS);
    let part = if part == 0 { String::new() } else { format!(".{part:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{part}Z")
}

/// Reads an instant in exactly the spelling that [`print`] writes.
#[must_use]
pub fn parse(text: &str) -> Option<Moment> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let part = if text.len() > 20 { number(20, 23)? } else { 0 };
    let ms = number(11, 13)? * HOUR_MS
        + number(14, 16)? * MINUTE_MS
        + number(17, 19)? * SECOND_MS
        + part;
    let (year, month, day) = (number(0, 4)? as u16, number(5, 7)? as u8, number(8, 10)? as u8);
    let moment = Civil { year, month, day, ms }.moment()?;
    (print(moment) == text).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        // As `date -u -d @… +%FT%TZ` prints them.
        let check = |seconds: u64, text: &str| {
            assert_eq!(print(Moment(seconds * 1000)), text);
            assert_eq!(parse(text), Some(Moment(seconds * 1000)), "{text}");
        };
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_801_353_600, "2027-01-31T00:00:00Z");
        check(4_107_542_399, "2100-02-28T23:59:59Z");
        check(253_402_300_799, "9999-12-31T23:59:59Z");
        assert_eq!(print(Moment(7)), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn refuses_other_spellings_and_days_that_are_none() {
        let check = |text: &str| assert_eq!(parse(text), None, "{text}");
        check("");
        check("2027-01-31");
        check("2027-02-29T00:00:00Z");
        check("2027-13-01T00:00:00Z");
        check("2027-01-31T24:00:00Z");
        check("2027-01-31T00:00:60Z");
        check("2027-01-31t00:00:00z");
        check("2027-01-31T00:00:00.000Z");
        check("2027-01-31T00:00:00+00:00");
        check("2027-01-31T00:00:00é");
        check("1969-12-31T23:59:59Z");
    }

    proptest! {
        #[test]
        fn printed_instants_parse(ms in 0..=MOMENT_MAX.0) {
            prop_assert_eq!(parse(&print(Moment(ms))), Some(Moment(ms)));
        }
    }
}
