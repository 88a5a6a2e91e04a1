//! The limits that every engine enforces alike: an item past one of them is refused by
//! consensus, the same on every machine. Changing one changes what replays.

/// Most rounds in which an item may ask for keys.
pub const ROUNDS_MAX: usize = 8;

/// Most keys and ids that one item may ask for in all its rounds.
pub const KEYS_PER_ITEM_MAX: usize = 65_536;

/// Most writes of one item.
pub const WRITES_PER_ITEM_MAX: usize = 65_536;

/// Longest key, bytes.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Longest value, bytes.
pub const VALUE_BYTES_MAX: usize = 4 << 20;

/// Longest outcome of one item, bytes.
pub const OUTCOME_BYTES_MAX: usize = 4 << 20;

/// Most entries that one scan yields.
pub const SCAN_ENTRIES_MAX: usize = 10_000;
