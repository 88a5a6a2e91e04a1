//! Figures and how they are printed: one row each, with median, least, most and, where the
//! design names one, the target.
//!
//! **Invariant**: a row shows only what was measured in this run, and a missed target is
//! said, never hidden and never a failure.

use std::fmt::{self, Display, Formatter};

/// What the design asks of a figure's median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
}

impl Target {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "<= {limit}"),
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
        }
    }
}

/// One figure.
#[derive(Clone, Debug)]
struct Row {
    what: String,
    unit: &'static str,
    samples: Vec<f64>,
    target: Option<Target>,
    /// Why nothing was measured.
    reason: Option<String>,
}

/// What a bench found.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a figure that is reported without a target.
    pub fn row(&mut self, what: impl Into<String>, unit: &'static str, samples: Vec<f64>) {
        self.rows.push(Row { what: what.into(), unit, samples, target: None, reason: None });
    }

    /// Adds a figure whose median has a target.
    pub fn aimed(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        samples: Vec<f64>,
        target: Target,
    ) {
        let target = Some(target);
        self.rows.push(Row { what: what.into(), unit, samples, target, reason: None });
    }

    /// Adds a figure that could not be measured, and why.
    pub fn absent(&mut self, what: impl Into<String>, unit: &'static str, reason: &str) {
        let (what, reason) = (what.into(), Some(reason.to_owned()));
        self.rows.push(Row { what, unit, samples: Vec::new(), target: None, reason });
    }

    /// Adds a line below the table.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// How many targets there are, and how many of them were missed.
    #[must_use]
    pub fn targets(&self) -> (usize, usize) {
        let met = |row: &Row| Some(row.target?.met(Spread::of(&row.samples)?.median));
        let verdicts: Vec<bool> = self.rows.iter().filter_map(met).collect();
        (verdicts.len(), verdicts.iter().filter(|met| !**met).count())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0).max(6);
        writeln!(
            f,
            "{:<width$}  {:<8} {:>10} {:>10} {:>10} {:>6}  {:<10} met",
            "figure", "unit", "median", "min", "max", "n", "target"
        )?;
        for row in &self.rows {
            writeln!(f, "{}", row.line(width))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

impl Row {
    fn line(&self, width: usize) -> String {
        let Self { what, unit, samples, target, reason } = self;
        let Some(Spread { median, min, max }) = Spread::of(samples) else {
            let reason = reason.as_deref().unwrap_or("nothing was measured");
            return format!("{what:<width$}  {unit:<8} {reason}");
        };
        let verdict = match target {
            None => "-",
            Some(target) if target.met(median) => "yes",
            Some(_) => "NO",
        };
        format!(
            "{what:<width$}  {unit:<8} {:>10} {:>10} {:>10} {:>6}  {:<10} {verdict}",
            number(median),
            number(min),
            number(max),
            samples.len(),
            target.map_or("-".into(), |target| target.to_string()),
        )
    }
}

/// Median, least and most of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number, the mean of both.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these samples; nothing if there are none.
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let below = if sorted.len().is_multiple_of(2) { middle - 1 } else { middle };
        Some(Self { median: (sorted[below] + sorted[middle]) / 2.0, min, max })
    }
}

/// The sample below which `percent` of them lie; nothing if there are none.
#[must_use]
pub fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied()
}

/// With about four significant digits.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        let check = |samples: &[f64], expect: Option<(f64, f64, f64)>| {
            let spread = Spread::of(samples).map(|s| (s.median, s.min, s.max));
            assert_eq!(spread, expect, "{samples:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[9.0, 1.0, 4.0], Some((4.0, 1.0, 9.0)));
        check(&[4.0, 1.0, 9.0, 2.0], Some((3.0, 1.0, 9.0)));
    }

    #[test]
    fn percentiles() {
        let samples: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&samples, 50), Some(50.0));
        assert_eq!(percentile(&samples, 99), Some(99.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn missed_targets_are_said() {
        let mut table = Table::default();
        table.aimed("fast", "ms", vec![1.0, 2.0, 9.0], Target::AtMost(5.0));
        table.aimed("slow", "ms", vec![6.0], Target::AtMost(5.0));
        table.aimed("rate", "1/s", vec![5.0], Target::AtLeast(5.0));
        table.aimed("skipped", "1/s", vec![], Target::AtLeast(5.0));
        table.row("size", "MB", vec![1234.56]);
        table.absent("absent", "MB", "no such program");
        table.note("a note");
        assert_eq!(table.targets(), (3, 1));
        let text = table.to_string();
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("fast").ends_with("<= 5       yes"), "{text}");
        assert!(line("slow").ends_with("<= 5       NO"), "{text}");
        assert!(line("rate").ends_with(">= 5       yes"), "{text}");
        assert!(line("skipped").ends_with("nothing was measured"), "{text}");
        assert!(line("absent").ends_with("no such program"), "{text}");
        assert!(line("size").contains(" 1235 ") && line("size").ends_with("-          -"));
        assert!(text.ends_with("  a note\n"));
    }
}
