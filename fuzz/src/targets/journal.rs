//! Frames of the call journal: what was written is found, and damage cuts, but never
//! invents.
//!
//! The gateway that keeps them is too large for this workspace, so their one file is
//! compiled here.

use crate::{Reach, Target, promise};
use ambar_base::Encode;

#[path = "../../../crates/gateway/src/journal/frame.rs"]
mod frame;

pub(super) const TARGET: Target = Target { name: "journal", seeds, attempt };

const SALT: u32 = 7;
/// Where frames begin: a segment's own head lies before them, bytes.
const START: usize = 16;

/// Records, a mark after each of them or not, and a byte to damage.
type Written = (Vec<(Vec<u8>, bool)>, (u64, u16));

fn seeds() -> Vec<Vec<u8>> {
    let records: Vec<(Vec<u8>, bool)> =
        [&b"one"[..], b"", b"a longer record, with bytes"].map(|text| (text.to_vec(), true)).into();
    let written = |damage| -> Written { (records.clone(), damage) };
    [(0, 0), (20, 1), (60, 0x80)].map(|damage| written(damage).to_bytes()).into()
}

fn attempt(input: &[u8]) -> Reach {
    let found = frame::scan(input, SALT, 0);
    assert!(found.end <= input.len() && found.durable <= input.len() as u64, "within the input");
    let Some((records, (at, damage))) = promise::compact::<Written>(input) else {
        return Reach::Refused;
    };
    let (mut segment, places) = write(&records);
    let whole = frame::scan(&segment, SALT, START);
    assert_eq!((whole.end, payloads(&segment, &whole)), (segment.len(), texts(&records)));
    let damaged = segment.len().checked_sub(START).filter(|bytes| *bytes > 0);
    let (Some(bytes), damage @ 1..) = (damaged, damage as u8) else { return Reach::Decoded };
    let at = START + (at % bytes as u64) as usize;
    segment[at] ^= damage;
    let left = frame::scan(&segment, SALT, START);
    let intact = places.iter().take_while(|end| **end <= at).count();
    assert_eq!(payloads(&segment, &left), texts(&records)[..intact], "what precedes damage");
    assert!(left.end <= at, "a damaged frame is none");
    let _ = frame::marked_beyond(&segment, SALT, left.end);
    Reach::Used
}

/// A segment, and where each record's frame ends.
fn write(records: &[(Vec<u8>, bool)]) -> (Vec<u8>, Vec<usize>) {
    let (mut segment, mut places) = (vec![0; START], Vec::new());
    for (record, marked) in records {
        let at = segment.len();
        frame::put_record(&mut segment, SALT, at as u64, record);
        assert_eq!(frame::record_at(&segment[at..], SALT, at as u64), Some(record.as_slice()));
        let head = segment[at..].first_chunk().copied().and_then(frame::payload_bytes);
        assert_eq!(head, Some(record.len()), "a head announces its record");
        places.push(segment.len());
        if *marked {
            let at = segment.len() as u64;
            frame::put_mark(&mut segment, SALT, at, at);
        }
    }
    (segment, places)
}

fn payloads(segment: &[u8], scan: &frame::Scan) -> Vec<Vec<u8>> {
    scan.records.iter().map(|(_, range)| segment[range.clone()].to_vec()).collect()
}

fn texts(records: &[(Vec<u8>, bool)]) -> Vec<Vec<u8>> {
    records.iter().map(|(record, _)| record.clone()).collect()
}
