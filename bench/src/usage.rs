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
    megabytes(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, MB (10^6 bytes).
pub fn peak_megabytes(pid: u32) -> Result<f64> {
    megabytes(pid, "VmHWM:")
}

fn megabytes(pid: u32, name: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let units = line.and_then(|line| line.split_whitespace().next());
    let units = units.with_context(|| format!("process {pid} has no {name}"))?;
    Ok(units.parse::<f64>()? * STATUS_UNIT_BYTES / 1e6)
}

/// The processes that a process started, and those that these did, as far as they still run.
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = text.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
            open.extend(children.clone());
            found.extend(children);
        }
    }
    found
}

/// CPU time of a process and of all that it started and that still runs.
pub fn tree_cpu(pid: u32) -> Result<Duration> {
    let own = process_cpu(pid)?;
    // One that ended since it was listed has no figures.
    Ok(descendants(pid).into_iter().filter_map(|pid| process_cpu(pid).ok()).fold(own, |a, b| a + b))
}

/// The most resident memory of a process and of all that it started, each at its own time, MB.
pub fn tree_peak_megabytes(pid: u32) -> Result<f64> {
    let others = descendants(pid).into_iter().filter_map(|pid| peak_megabytes(pid).ok());
    Ok(peak_megabytes(pid)? + others.sum::<f64>())
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
    fn what_a_process_started_is_found() {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "cat; true"]).stdin(std::process::Stdio::piped());
        let mut child = shell.spawn().unwrap();
        while descendants(child.id()).is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "it waits for its input");
        }
        assert!(descendants(std::process::id()).contains(&child.id()));
        assert!(tree_cpu(child.id()).is_ok() && tree_peak_megabytes(child.id()).unwrap() > 0.0);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn this_process_is_there() {
        assert!(peak_megabytes(std::process::id()).unwrap() > 1.0);
        assert!(resident_megabytes(std::process::id()).unwrap() > 1.0);
        assert!(process_cpu(std::process::id()).is_ok() && thread_cpu().is_ok());
    }
}
