//! What the store accepts and hands out at once.

pub use ambar_capsule::chunks::CONTENT_BYTES_MAX;

/// Longest blob that [`Store::get`](crate::Store::get) reads into memory, bytes. Larger
/// ones are read by range or copied.
pub const GET_BYTES_MAX: u64 = 1 << 30;

/// Longest range that is read at once, bytes.
pub const RANGE_BYTES_MAX: u64 = 64 << 20;

/// Most blobs that one listing names.
pub const LIST_BLOBS_MAX: usize = 1_000_000;

/// Memory for outboards that were checked, bytes: those of 128 GiB of content.
pub const CACHED_OUTBOARD_BYTES_MAX: u64 = 256 << 20;

/// Most outboards kept.
pub const CACHED_OUTBOARDS_MAX: usize = 256;
