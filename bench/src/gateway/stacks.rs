//! Sampled stacks, told by area, by thread and by function. It knows what `perf script` prints
//! and what the functions of a call path are called.

use std::collections::BTreeMap;

type Areas = &'static [(&'static str, &'static [&'static str])];
/// Where a frame belongs, by a part of its name; the first that fits counts. Frames that tell
/// nothing, as those of the allocator or of copying, belong to whoever called them.
const AREAS: Areas = &[
    ("certificate", &["certificate", "biscuit"]),
    ("journal", &["::journal::", "journal::"]),
    ("answers kept for retries", &["gateway::answers", "chacha20", "poly1305"]),
    ("signatures", &["ed25519", "curve25519", "keys::batch"]),
    ("upstream: event stream", &["compute::upstream::sse", "compute::upstream::dialect"]),
    (
        "upstream: HTTP client",
        &["reqwest", "hyper::client", "hyper_util::client", "proto::h1::dispatch::Client"],
    ),
    ("upstream: engine", &["compute::upstream", "ambar_compute"]),
    ("route, view and state", &["gateway::route", "gateway::view", "consensus::database", "redb"]),
    (
        "admission and licence",
        &["gateway::admission", "gateway::books", "ambar_licence", "gateway::leases"],
    ),
    ("metering and bill", &["gateway::meter", "gateway::attribute", "ambar_receipt"]),
    ("settling", &["gateway::settle", "gateway::settled", "gateway::archive", "gateway::window"]),
    ("retries and pending", &["gateway::pending", "gateway::replay"]),
    ("dialect, out", &["openai::stream", "openai::answer", "openai::wire"]),
    ("dialect, in", &["openai::request", "openai::routes", "gateway::dialect"]),
    ("call path, else", &["ambar_gateway"]),
    (
        "ledger and consensus",
        &["ambar_ledger", "ambar_chain", "ambar_consensus", "commonware", "ambar_machine"],
    ),
    ("index", &["ambar_index", "tantivy"]),
    ("JSON", &["serde_json"]),
];
/// The same for stacks without any of these: what runs below both ends of a call.
const BELOW: [Areas; 2] = [
    &[("server: HTTP", &["ambar_node", "axum", "tower", "hyper"])],
    &[("tasks and timers", &["tokio::"])],
];
/// What no frame tells.
const ELSEWHERE: &str = "elsewhere";

/// Counted samples.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// All.
    pub samples: u64,
    areas: BTreeMap<String, u64>,
    threads: BTreeMap<String, u64>,
    functions: BTreeMap<String, u64>,
}

impl Stacks {
    /// Areas, the costliest first.
    #[must_use]
    pub fn areas(&self) -> Vec<(String, u64)> {
        ordered(&self.areas)
    }

    /// Threads by name.
    #[must_use]
    pub fn threads(&self) -> Vec<(String, u64)> {
        ordered(&self.threads)
    }

    /// Innermost functions.
    #[must_use]
    pub fn functions(&self) -> Vec<(String, u64)> {
        ordered(&self.functions)
    }

    fn take(&mut self, thread: &str, frames: &[&str]) {
        let Some(innermost) = frames.first() else { return };
        self.samples += 1;
        *self.areas.entry(area(frames)).or_default() += 1;
        *self.threads.entry(thread.to_owned()).or_default() += 1;
        *self.functions.entry((*innermost).to_owned()).or_default() += 1;
    }
}

fn ordered(counts: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut list: Vec<_> = counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
    list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    list
}

/// The area of a stack, and whether the time was spent in the kernel for it.
fn area(frames: &[&str]) -> String {
    let innermost = |areas: Areas| {
        let of = |frame: &&str| {
            let fits = |parts: &[&str]| parts.iter().any(|part| frame.contains(part));
            areas.iter().find(|(_, parts)| fits(parts)).map(|(area, _)| *area)
        };
        frames.iter().find_map(of)
    };
    let area = [AREAS].into_iter().chain(BELOW).find_map(innermost).unwrap_or(ELSEWHERE);
    let kernel = frames.iter().any(|frame| frame.starts_with("entry_SYSCALL_64"));
    if kernel { format!("{area}, in the kernel") } else { area.to_owned() }
}

/// Reads what `perf script -F comm,ip,sym` prints: for each sample a line with the thread's
/// name, then a line for each frame, innermost first, then an empty line.
#[must_use]
pub fn parse(text: &str) -> Stacks {
    let (mut stacks, mut thread, mut frames) = (Stacks::default(), "", Vec::new());
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            stacks.take(thread, &frames);
            frames.clear();
        } else if line.starts_with(char::is_whitespace) {
            frames.extend(line.trim().split_once(' ').map(|(_, function)| function));
        } else {
            thread = line.trim();
        }
    }
    stacks
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
tokio-rt-worker
\t    7f00 malloc
\t    55aa serde_json::to_vec
\t    55ab ambar_gateway::journal::write
\t    55ac tokio::runtime::task::poll

tokio-rt-worker
\tffffffff tcp_sendmsg
\tffffffff entry_SYSCALL_64_after_hwframe
\t    55ad hyper::proto::h1::io::flush
\t    55ac tokio::runtime::task::poll

pace
\t    7f01 [unknown]
";

    #[test]
    fn samples_are_told_by_the_innermost_frame_that_tells() {
        let stacks = parse(SCRIPT);
        assert_eq!(stacks.samples, 3);
        let has = |list: Vec<(String, u64)>, name: &str| {
            list.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
        };
        assert_eq!(has(stacks.areas(), "JSON"), Some(1));
        assert_eq!(has(stacks.areas(), "server: HTTP, in the kernel"), Some(1));
        assert_eq!(has(stacks.areas(), ELSEWHERE), Some(1));
        assert_eq!(has(stacks.threads(), "tokio-rt-worker"), Some(2));
        assert_eq!(has(stacks.functions(), "malloc"), Some(1));
        assert_eq!(stacks.areas().iter().map(|(_, count)| count).sum::<u64>(), 3);
        assert_eq!(parse("").samples, 0);
    }
}
