//! CPU time and memory of this thread and of other processes, as Linux counts them.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// Clock ticks per second in `/proc/PID/stat` (proc(5); `USER_HZ` is 100 on Linux).
const TICKS_PER_SECOND: u64 = 100;
/// Fields of `/proc/PID/stat` between the name of the command and `utime`.
const FIELDS_BEFORE_UTIME: usize = 11;
/// Bytes of the unit that `/proc/PID/status` calls kB.
const STATUS_UNIT_BYTES: f64 = 1024.0;

/// CPU time of this thread so far.
pub fn thread_cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("CPU time needs Linux")?;
    let nanoseconds = text.split(' ').next().context("schedstat is empty")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// CPU time of a process so far, user and system, ended threads included; in steps of 10 ms.
pub fn process_cpu(pid: u32) -> Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&text).context("/proc/PID/stat has no CPU time")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// User and system ticks: the name before them may hold spaces and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(FIELDS_BEFORE_UTIME);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Resident memory of a process, MB (10^6 bytes).
pub fn resident_megabytes(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let units = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(units.parse::<f64>()? * STATUS_UNIT_BYTES / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_shift_the_fields() {
        let check = |stat: &str, expect: Option<u64>| assert_eq!(ticks(stat), expect, "{stat}");
        check("7 (a) S 1 7 7 0 -1 4 5 0 0 0 30 12 0 0 20", Some(42));
        check("7 (a) b (c) d) S 1 7 7 0 -1 4 5 0 0 0 30 12 0 0 20", Some(42));
        check("7 (a) S 1 7", None);
    }

    #[test]
    fn this_process_is_there() {
        assert!(resident_megabytes(std::process::id()).unwrap() > 1.0);
        assert!(process_cpu(std::process::id()).is_ok() && thread_cpu().is_ok());
    }
}
