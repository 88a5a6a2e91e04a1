//! Frames: how records stand in a segment.
//!
//! `length (u32) ‖ CRC-32C (u32) ‖ payload`, little endian. The checksum (RFC 3720, appendix
//! B.4) covers salt ‖ offset ‖ length ‖ payload: the segment's random salt and the frame's own
//! place are never written beside it, but a frame that was copied elsewhere, or that a client
//! wrote into the body of a call, is none.
//!
//! A length with its top bit set is a *mark*: its payload is an offset (u64) before which
//! everything in this segment had been made durable when the mark was written. Damage before
//! that offset cannot be a crash's torn tail.
//!
//! Invariant: bytes are a frame at one place of one segment only.

use std::ops::Range;

/// Longest record, bytes.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// What a frame adds to its record, bytes.
pub(super) const FRAME_HEAD_BYTES: usize = 8;

/// A mark's frame, bytes.
pub(super) const MARK_BYTES: usize = FRAME_HEAD_BYTES + 8;

/// The bit of a length that makes a mark.
const MARK_FLAG: u32 = 1 << 31;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Frame {
    /// A record: where its payload stands.
    Record(Range<usize>),
    /// Everything before this offset is durable.
    Mark(u64),
}

fn checksum(salt: u32, offset: u64, length: [u8; 4], payload: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(salt, &offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, &length), payload)
}

fn put(out: &mut Vec<u8>, salt: u32, offset: u64, flag: u32, payload: &[u8]) {
    debug_assert!(payload.len() <= RECORD_BYTES_MAX, "callers refuse longer records");
    let length = (payload.len() as u32 | flag).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(salt, offset, length, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Writes the frame of a record that will stand at `offset`.
pub(super) fn put_record(out: &mut Vec<u8>, salt: u32, offset: u64, record: &[u8]) {
    put(out, salt, offset, 0, record);
}

/// Writes a mark that will stand at `offset`.
pub(super) fn put_mark(out: &mut Vec<u8>, salt: u32, offset: u64, durable: u64) {
    put(out, salt, offset, MARK_FLAG, &durable.to_le_bytes());
}

/// The length of the payload that a frame's head announces, bytes; nothing if no frame has it.
pub(super) fn payload_bytes(head: [u8; FRAME_HEAD_BYTES]) -> Option<usize> {
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    Some((length & !MARK_FLAG) as usize).filter(|bytes| *bytes <= RECORD_BYTES_MAX)
}

/// The payload of the frame that `bytes` begin with and that stands at `offset`, and whether it
/// is a mark's; nothing if there is no whole one.
fn payload_at(bytes: &[u8], salt: u32, offset: u64) -> Option<(&[u8], bool)> {
    let head = *bytes.first_chunk::<FRAME_HEAD_BYTES>()?;
    let [l0, l1, l2, l3, sum @ ..] = head;
    let payload = bytes[FRAME_HEAD_BYTES..].get(..payload_bytes(head)?)?;
    let expected = checksum(salt, offset, [l0, l1, l2, l3], payload);
    let is_mark = u32::from_le_bytes([l0, l1, l2, l3]) & MARK_FLAG != 0;
    (u32::from_le_bytes(sum) == expected).then_some((payload, is_mark))
}

/// The record whose frame `bytes` begin with and that stands at `offset`.
pub(super) fn record_at(bytes: &[u8], salt: u32, offset: u64) -> Option<&[u8]> {
    payload_at(bytes, salt, offset).filter(|(_, is_mark)| !is_mark).map(|(payload, _)| payload)
}

/// The frame at `at`, and where the next one begins; nothing if there is no whole one.
/// `bytes` are the segment from its start on.
fn read(bytes: &[u8], salt: u32, at: usize) -> Option<(Frame, usize)> {
    let (payload, is_mark) = payload_at(bytes.get(at..)?, salt, at as u64)?;
    let start = at + FRAME_HEAD_BYTES;
    let next = start + payload.len();
    if !is_mark {
        return Some((Frame::Record(start..next), next));
    }
    let durable = u64::from_le_bytes(payload.try_into().ok()?);
    (durable <= at as u64).then_some((Frame::Mark(durable), next))
}

/// What a segment says from `start` on.
pub(super) struct Scan {
    /// Its records: where their frames begin, and where their payloads stand.
    pub(super) records: Vec<(u64, Range<usize>)>,
    /// Where its whole frames end.
    pub(super) end: usize,
    /// The furthest offset that a mark among them calls durable; `start` without marks.
    pub(super) durable: u64,
}

/// Reads frames from `start` until there is no whole one.
pub(super) fn scan(bytes: &[u8], salt: u32, start: usize) -> Scan {
    let mut scan = Scan { records: Vec::new(), end: start, durable: start as u64 };
    while let Some((frame, next)) = read(bytes, salt, scan.end) {
        match frame {
            Frame::Record(payload) => scan.records.push((scan.end as u64, payload)),
            Frame::Mark(durable) => scan.durable = scan.durable.max(durable),
        }
        scan.end = next;
    }
    scan
}

/// Whether a mark anywhere after `end` says that more than `end` bytes were durable.
pub(super) fn marked_beyond(bytes: &[u8], salt: u32, end: usize) -> bool {
    let flag = (MARK_FLAG | 8).to_le_bytes();
    (end..bytes.len().saturating_sub(MARK_BYTES - 1))
        .filter(|&at| bytes[at..].starts_with(&flag))
        .filter_map(|at| read(bytes, salt, at))
        .any(|(frame, _)| matches!(frame, Frame::Mark(durable) if durable > end as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_at_its_own_place_only() {
        let mut bytes = vec![0; 5];
        put_record(&mut bytes, 7, 5, b"record");
        let end = bytes.len();
        assert_eq!(read(&bytes, 7, 5), Some((Frame::Record(13..19), end)));
        assert_eq!(read(&bytes, 8, 5), None);
        assert_eq!(read(&bytes[1..], 7, 4), None);
        for cut in 0..end {
            assert_eq!(read(&bytes[..cut], 7, 5), None, "{cut}");
        }
    }

    #[test]
    fn zeros_are_no_frame() {
        assert!((0..1_000).all(|salt| read(&[0; 64], salt, 8).is_none()));
    }

    #[test]
    fn a_mark_behind_damage_is_found() {
        let mut bytes = Vec::new();
        put_record(&mut bytes, 7, 0, b"one");
        let end = bytes.len();
        put_mark(&mut bytes, 7, end as u64, end as u64);
        assert_eq!(scan(&bytes, 7, 0).durable, end as u64);
        bytes[9] ^= 1;
        assert_eq!(scan(&bytes, 7, 0).end, 0);
        assert!(marked_beyond(&bytes, 7, 0));
        assert!(!marked_beyond(&bytes[..bytes.len() - 1], 7, 0));
        assert!(!marked_beyond(&bytes, 7, end));
    }
}
