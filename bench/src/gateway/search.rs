//! The most that a server does within a bound on latency: a search over the rates of open
//! loops. It knows no server: whoever asks brings a probe.

use anyhow::Result;

/// What a server did at a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Calls per second that fell due.
    pub rate: f64,
    /// Whether each of them was answered.
    pub answered: bool,
    /// The 99th percentile of latency, ms.
    pub p99: f64,
}

impl Probe {
    fn keeps(&self, bound: f64) -> bool {
        self.answered && self.p99 <= bound
    }
}

/// For each bound, ms, the highest rate that was seen to keep it, 0 if none; `bounds` ascend.
/// Rates go up to `most`; each bound takes at most `steps` probes, and those of other bounds
/// count for it.
pub fn search(
    most: f64,
    bounds: &[f64],
    steps: usize,
    mut probe: impl FnMut(f64) -> Result<Probe>,
) -> Result<Vec<f64>> {
    let mut seen: Vec<Probe> = Vec::new();
    let mut found = Vec::new();
    for bound in bounds {
        for _ in 0..steps {
            let (low, high) = bracket(&seen, *bound, most);
            seen.push(probe(f64::midpoint(low, high))?);
        }
        found.push(bracket(&seen, *bound, most).0);
    }
    Ok(found)
}

/// The highest rate that kept a bound, and the lowest above it that did not.
fn bracket(seen: &[Probe], bound: f64, most: f64) -> (f64, f64) {
    let kept = seen.iter().filter(|probe| probe.keeps(bound)).map(|probe| probe.rate);
    let low = kept.fold(0.0, f64::max);
    let broken = seen.iter().filter(|probe| !probe.keeps(bound) && probe.rate > low);
    (low, broken.map(|probe| probe.rate).fold(most.max(low), f64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server whose p99 grows from 0.5 ms at rest without end towards 1000 calls per second.
    fn queue(rate: f64) -> Result<Probe> {
        let p99 = if rate < 1_000.0 { 0.5 / (1.0 - rate / 1_000.0) } else { f64::INFINITY };
        Ok(Probe { rate, answered: rate < 1_200.0, p99 })
    }

    #[test]
    fn the_rate_within_each_bound_is_found() {
        let found = search(1_100.0, &[0.1, 1.0, 5.0, 50.0], 12, queue).unwrap();
        assert!(found[0] < 1.0, "{found:?}");
        for (found, expect) in found[1..].iter().zip([500.0, 900.0, 990.0]) {
            assert!((expect - 2.0..=expect).contains(found), "{found} for {expect}");
        }
    }

    #[test]
    fn a_server_that_refuses_keeps_no_bound() {
        let refusing = |rate| Ok(Probe { rate, answered: false, p99: 0.1 });
        assert!(search(100.0, &[50.0], 8, refusing).unwrap()[0] < 1e-6);
        let broken = |_| anyhow::bail!("gone");
        assert!(search(100.0, &[50.0], 1, broken).is_err());
    }
}
