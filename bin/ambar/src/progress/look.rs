//! How progress looks: columns, amounts and times. Knows no terminal.
//!
//! A line has the same columns while work goes on and when it is over, so that nothing
//! jumps: mark, time, name, and what is to be said.

use crate::paint::Paint;
use std::time::Duration;

/// Width of a time: `12.3 s`, `3m20s`, `1h05m`.
const TIME_CHARS: usize = 6;
/// Width of a name.
pub const NAME_CHARS: usize = 22;
/// Bytes per kB, MB and so on: what disks and networks count in.
const THOUSAND: u64 = 1_000;
const BYTE_UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
/// Until then a rate says nothing.
const RATE_AFTER: Duration = Duration::from_millis(300);

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should.
    Done,
    /// Otherwise.
    Failed,
}

/// The beginning of a line: the time that it took and its name.
pub fn head(took: Duration, name: &str) -> String {
    format!("{:>TIME_CHARS$}  {name:<NAME_CHARS$}", time(took))
}

/// The line that work leaves behind; marks are for terminals.
pub fn line(mark: Mark, took: Duration, name: &str, result: &str, terminal: bool) -> String {
    let paint = Paint::stderr();
    let (sign, failed) = match mark {
        Mark::Done => (paint.green("✓"), ""),
        Mark::Failed => (paint.red("✗"), "failed"),
    };
    let said = joined([failed, result].map(|part| (!part.is_empty()).then(|| part.to_owned())));
    let text = format!("{}  {said}", head(took, name));
    let text = text.trim_end();
    if terminal { format!("{sign} {text}") } else { text.to_owned() }
}

/// A time in a fixed width.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..100 => format!("{:.1} s", time.as_secs_f64()),
        100..6_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// Bytes in the unit that fits, three or four digits.
pub fn bytes(count: u64) -> String {
    let unit = unit_of(count);
    format!("{} {}", in_unit(count, unit), BYTE_UNITS[unit])
}

/// A part of bytes, both in the whole's unit.
pub fn bytes_of(part: u64, whole: u64) -> String {
    let unit = unit_of(whole);
    format!("{} of {} {}", in_unit(part, unit), in_unit(whole, unit), BYTE_UNITS[unit])
}

fn unit_of(count: u64) -> usize {
    let fits = |unit: &usize| count < THOUSAND.pow(*unit as u32 + 1);
    (0..BYTE_UNITS.len()).find(fits).unwrap_or(BYTE_UNITS.len() - 1)
}

fn in_unit(count: u64, unit: usize) -> String {
    let size = THOUSAND.pow(unit as u32);
    let tenths = count / size * 10 + count % size * 10 / size;
    // A hundred and more of a unit need no tenths, and bytes have none.
    if unit == 0 || tenths >= 1_000 {
        return (tenths / 10).to_string();
    }
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// How fast work goes, on the average since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So much is done in a second.
    pub per_second: u64,
    /// How long the rest takes if it goes on like this.
    left: Duration,
}

/// The pace of work; nothing as long as it would be a guess.
pub fn pace(done: u64, total: u64, elapsed: Duration) -> Option<Pace> {
    if elapsed < RATE_AFTER || done == 0 {
        return None;
    }
    let per_second = (done as f64 / elapsed.as_secs_f64()) as u64;
    let times = total.saturating_sub(done) as f64 / done as f64;
    let left = Duration::try_from_secs_f64(elapsed.as_secs_f64() * times).unwrap_or(Duration::MAX);
    Some(Pace { per_second, left })
}

impl Pace {
    /// How long the rest takes, in whole seconds; nothing if there is none.
    pub fn left(self) -> Option<String> {
        let text = match self.left.as_millis().div_ceil(1_000) {
            0 => return None,
            seconds @ 1..100 => format!("{seconds} s"),
            _ => time(self.left),
        };
        Some(format!("{text} left"))
    }
}

/// `1 file`, `2 files`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The parts that there are, with a gap between them.
pub fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let check = |count, expect: &str| assert_eq!(bytes(count), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(99_949, "99.9 kB");
        check(100_000, "100 kB");
        check(200_000_000, "200 MB");
        check(1_540_000_000_000, "1.5 TB");
        check(u64::MAX, "18446744 TB");
        assert_eq!(bytes_of(1_500, 200_000_000), "0.0 of 200 MB");
        assert_eq!(bytes_of(12_345_678, 50_000_000), "12.3 of 50.0 MB");
    }

    #[test]
    fn times_keep_their_width() {
        let check = |seconds: f64, expect: &str| {
            let text = time(Duration::from_secs_f64(seconds));
            assert_eq!(text, expect);
            assert!(text.len() <= TIME_CHARS);
        };
        check(0.04, "0.0 s");
        check(99.94, "99.9 s");
        check(100.0, "1m40s");
        check(5_999.0, "99m59s");
        check(7_500.0, "2h05m");
    }

    #[test]
    fn what_is_left_is_said_when_it_is_no_guess() {
        let check = |done, total, seconds: f64, expect: Option<&str>| {
            let left = pace(done, total, Duration::from_secs_f64(seconds)).and_then(Pace::left);
            assert_eq!(left.as_deref(), expect);
        };
        check(0, 100, 9.0, None);
        check(50, 100, 0.1, None);
        check(50, 100, 5.0, Some("5 s left"));
        check(1, 3, 17.5, Some("35 s left"));
        check(1, 1_000, 1.0, Some("16m39s left"));
        check(100, 100, 5.0, None);
    }

    #[test]
    fn lines_have_columns() {
        let took = Duration::from_millis(1_250);
        let text = line(Mark::Done, took, "hashing 3 files", "200 MB", false);
        assert_eq!(text, " 1.2 s  hashing 3 files         200 MB");
        let failed = line(Mark::Failed, took, "hashing 3 files", "", false);
        assert_eq!(failed, " 1.2 s  hashing 3 files         failed");
        assert_eq!(head(took, "hashing 3 files").chars().count(), TIME_CHARS + 2 + NAME_CHARS);
        assert_eq!(counted(1, "file", "files"), "1 file");
    }
}
