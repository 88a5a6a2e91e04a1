//! How the system's allocator keeps memory that is free.
//!
//! Threads of a node hand memory to one another: a call is made by one, settled by a second and
//! archived by a third. An arena for each thread then keeps what none of them uses, and large
//! pieces, which settling takes for a moment, end among small ones that last.
//!
//! **Invariant**: nothing here changes what a program does, only what it takes.

/// Arenas that all threads share.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: i32 = 2;
/// From how many bytes on a piece is mapped by itself, and given back when it is free. Said once,
/// it does not grow with the pieces that were freed, as it does otherwise.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: i32 = 256 << 10;
/// Free bytes at the end of an arena that are kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: i32 = 1 << 20;

/// Sets it, before there are threads. Where another allocator serves nothing is set.
pub fn set() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (what, value) in [
        (libc::M_ARENA_MAX, ARENAS),
        (libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
    ] {
        #[expect(unsafe_code, reason = "the allocator is set by this call alone")]
        // SAFETY: it takes two numbers, and knows what to do with any.
        let _ = unsafe { libc::mallopt(what, value) };
    }
}
