//! How much memory a model takes, before it is loaded, and how much a machine
//! has.
//!
//! It knows formulas and files of the kernel, no library. Figures of a model are
//! upper bounds for the usual architectures: what is shared, windowed or
//! recurrent takes less.

use std::path::{Path, PathBuf};

use crate::limits::{MACHINE_BYTES_UNKNOWN, PREFILL_BATCH_TOKENS};

use super::header::Shape;
use super::settings::Settings;

/// Bytes of one number of the key-value cache: `f16`, llama.cpp's default.
const CACHE_NUMBER_BYTES: u64 = 2;
/// Bytes of one number of what is computed: `f32`.
const COMPUTED_NUMBER_BYTES: u64 = 4;
/// Intermediate results of a token that exist at one time, in embedding widths.
const COMPUTED_WIDTHS: u64 = 16;

/// Bytes of a context: the cache of keys and values, and what one step computes.
///
/// cache = layers × cells × key-value heads × (key length + value length) × 2,
/// with cells = streams × context tokens, rounded up to 256 per stream;
/// step = 512 tokens × (vocabulary + 16 × embedding width + context tokens) × 4.
pub(super) fn context_bytes(shape: &Shape, width: Option<u32>, settings: Settings) -> u64 {
    let number = |value: Option<u32>| u64::from(value.unwrap_or_default());
    let (heads, width) = (number(shape.heads).max(1), number(width));
    let length = |given: Option<u32>| given.map_or(width / heads, u64::from);
    let per_head = length(shape.key_length) + length(shape.value_length);
    let heads = shape.heads_kv.map_or(heads, u64::from);
    let cache = number(shape.layers)
        .saturating_mul(u64::from(settings.cells()))
        .saturating_mul(heads.saturating_mul(per_head))
        .saturating_mul(CACHE_NUMBER_BYTES);
    let context = u64::from(settings.context_tokens().get());
    let per_token = number(shape.vocabulary) + COMPUTED_WIDTHS * width + context;
    let step = u64::from(PREFILL_BATCH_TOKENS) * per_token * COMPUTED_NUMBER_BYTES;
    cache.saturating_add(step)
}

/// Memory that this process may use, in bytes: the machine's, or its control
/// group's where that is less.
pub(super) fn machine_bytes() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = meminfo.as_deref().and_then(total_bytes);
    let limits = groups().into_iter().filter_map(|file| limit_bytes(&file));
    limits.chain(machine).min().unwrap_or(MACHINE_BYTES_UNKNOWN)
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB (proc(5)).
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Files that may hold a limit of this process: of its own control group and all
/// above it (cgroup v2), and of the root as a container sees it (v1 too).
fn groups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let below = Path::new(own).ancestors().map(|group| root.join(group).join("memory.max"));
    below.chain([root.join("memory/memory.limit_in_bytes")]).collect()
}

/// The limit in such a file; `max` is none, and what is not there neither.
fn limit_bytes(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::GgufOptions;
    use super::*;
    use std::num::NonZeroU32;

    fn settings(context_tokens: u32, streams: u32) -> Settings {
        let options = GgufOptions {
            context_tokens: NonZeroU32::new(context_tokens),
            streams: NonZeroU32::new(streams),
            ..GgufOptions::default()
        };
        Settings::new(&options, None)
    }

    #[test]
    fn a_context_grows_with_its_streams() {
        let shape = Shape {
            layers: Some(30),
            heads: Some(9),
            heads_kv: Some(3),
            key_length: None,
            value_length: None,
            vocabulary: Some(1_000),
        };
        let step = 512 * (1_000 + 16 * 576 + 2_048) * 4;
        let cache = |streams: u64| 30 * streams * 2_048 * 3 * 128 * 2;
        let bytes = |streams| context_bytes(&shape, Some(576), settings(2_048, streams));
        assert_eq!(bytes(1), cache(1) + step);
        assert_eq!(bytes(4), cache(4) + step);
        let long = Shape { key_length: Some(96), value_length: Some(32), ..shape.clone() };
        assert_eq!(context_bytes(&long, Some(576), settings(2_048, 1)), cache(1) + step);
        // Without grouped heads every head has keys and values of its own.
        let wide = Shape { heads_kv: None, ..shape };
        assert_eq!(context_bytes(&wide, Some(576), settings(2_048, 1)), 3 * cache(1) + step);
        let unknown = context_bytes(&Shape::default(), None, settings(2_048, 1));
        assert_eq!(unknown, 512 * 2_048 * 4);
    }

    #[test]
    fn the_kernels_files_are_read() {
        let check = |text: &str, expect| assert_eq!(total_bytes(text), expect, "{text}");
        check("MemTotal:        2048 kB\nMemFree: 1 kB\n", Some(2 << 20));
        check("MemFree: 1 kB\n", None);
        check("MemTotal: many\n", None);
        let directory = tempfile::tempdir().unwrap();
        for (text, expect) in [("max\n", None), ("4096\n", Some(4096)), ("", None)] {
            let file = directory.path().join("memory.max");
            std::fs::write(&file, text).unwrap();
            assert_eq!(limit_bytes(&file), expect, "{text}");
        }
        assert_eq!(limit_bytes(&directory.path().join("none")), None);
        assert!(machine_bytes() > 0);
    }
}
