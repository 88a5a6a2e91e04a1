//! On what the figures were measured: machine, date, compiler, versions.

use ambar_base::Moment;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The versions that this program was built with.
const LOCK: &str = include_str!("../../Cargo.lock");
/// Crates whose version decides a figure.
const CRATES: [&str; 9] = [
    "ambar",
    "axum",
    "biscuit-auth",
    "ed25519-dalek",
    "libsais",
    "llama-cpp-2",
    "redb",
    "tokio",
    "zstd",
];

/// The lines above the tables.
#[must_use]
pub fn describe() -> String {
    let versions: Vec<String> =
        CRATES.iter().filter_map(|name| Some(format!("{name} {}", locked(LOCK, name)?))).collect();
    format!(
        "date     {}\nmachine  {}, {} cores, {}\nload     {}\nrustc    {}\ncrates   {}\n",
        date(),
        cpu(),
        std::thread::available_parallelism().map_or(1, usize::from),
        std::env::consts::ARCH,
        load(),
        rustc(),
        versions.join(", "),
    )
}

/// The load averages of the last 1, 5 and 15 minutes (Linux).
#[must_use]
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split(' ').take(3).collect();
    if averages.len() == 3 { averages.join(" ") } else { "unknown".into() }
}

fn date() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ambar_licence::calendar::print(Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name\t: "));
    model.unwrap_or("unknown CPU").to_owned()
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

/// The version of a crate that this program was built with.
#[must_use]
pub fn version(name: &str) -> Option<&'static str> {
    locked(LOCK, name)
}

/// The version of a crate in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_crate_is_in_the_lock_file() {
        for name in CRATES {
            assert!(locked(LOCK, name).is_some(), "{name}");
        }
        assert_eq!(locked(LOCK, "no such crate"), None);
    }
}
