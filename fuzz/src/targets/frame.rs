//! Frames of a serving node's answer: they do not depend on how their bytes were cut.

use crate::sample::errand;
use crate::wire::{Frame, FrameError, Frames};
use crate::{Reach, Target};

pub(super) const TARGET: Target = Target { name: "frame", seeds, attempt };

/// Cuts that are tried, bytes.
const CUTS: [usize; 3] = [1, 3, 64];

fn seeds() -> Vec<Vec<u8>> {
    let frames = errand::frames();
    let row = frames.iter().flat_map(Frame::packed).collect();
    frames.iter().map(Frame::packed).chain([row]).collect()
}

/// The frames of bytes that come in pieces, and how they end.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<(), FrameError>) {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for piece in pieces {
        frames.push(piece);
        loop {
            match frames.pop() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(()))
}

fn attempt(input: &[u8]) -> Reach {
    let whole = read([input].into_iter());
    for cut in CUTS {
        assert!(read(input.chunks(cut)) == whole, "{cut} bytes at a time give other frames");
    }
    let (frames, end) = whole;
    let again: Vec<u8> = frames.iter().flat_map(Frame::packed).collect();
    assert!(input.starts_with(&again), "a frame has one spelling");
    match (frames.is_empty(), end) {
        (true, _) => Reach::Refused,
        (false, Ok(())) if again.len() == input.len() => Reach::Used,
        (false, _) => Reach::Decoded,
    }
}
