//! Changes of inputs: bits, bytes, integers in the three ways in which formats here write
//! them, and whole pieces, cut, doubled or taken from another input.
#![expect(clippy::ptr_arg, reason = "changes that keep the length have the type of all")]

use crate::random::Random;

/// Most changes between an input and the one made from it.
const CHANGES_MAX: usize = 6;
/// Longest piece that is moved, bytes.
const PIECE_BYTES_MAX: usize = 96;
/// A byte is repeated less than 2 to this power times.
const REPEATS_BITS_MAX: usize = 14;
/// Bytes at which types, lengths and encodings change.
const EDGES: [u8; 12] = [0, 1, 0x17, 0x18, 0x1b, 0x3b, 0x7f, 0x80, 0x9f, 0xd8, 0xf6, 0xff];

/// What a change reads besides the input itself.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Where choices come from.
    pub random: &'a mut Random,
    /// Another input, to take pieces from.
    pub other: &'a [u8],
    /// Longest input made, bytes.
    pub bytes_max: usize,
}

type Change = fn(&mut Vec<u8>, &mut Surroundings<'_>);

const CHANGES: [Change; 13] = [
    flip_bit,
    set_edge,
    set_any,
    set_digit,
    repeat_byte,
    step_byte,
    step_wide,
    stretch_varint,
    truncate,
    remove_piece,
    double_piece,
    splice,
    overwrite,
];

/// Makes another input from one.
#[must_use]
pub fn mutate(input: &[u8], around: &mut Surroundings<'_>) -> Vec<u8> {
    let mut made = input.to_vec();
    for _ in 0..=around.random.below(CHANGES_MAX) {
        let change = CHANGES[around.random.below(CHANGES.len())];
        change(&mut made, around);
        made.truncate(around.bytes_max);
    }
    made
}

fn flip_bit(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let (at, bit) = (around.random.below(input.len()), around.random.below(8));
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

fn set(input: &mut Vec<u8>, around: &mut Surroundings<'_>, value: u8) {
    let at = around.random.below(input.len() + 1);
    match input.get_mut(at) {
        Some(byte) => *byte = value,
        None => input.push(value),
    }
}

fn set_edge(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let value = EDGES[around.random.below(EDGES.len())];
    set(input, around, value);
}

fn set_any(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let value = around.random.number() as u8;
    set(input, around, value);
}

/// A digit, where one stands or anywhere: texts are full of numbers.
fn set_digit(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let digits: Vec<usize> = (0..input.len()).filter(|at| input[*at].is_ascii_digit()).collect();
    let value = b'0' + around.random.below(10) as u8;
    match around.random.one_of(&digits) {
        Some(at) if around.random.below(2) == 0 => input[*at] = value,
        Some(at) => input.insert(*at, value),
        None => set(input, around, value),
    }
}

/// A byte many times: openings that nest, and lengths that run out.
fn repeat_byte(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let at = around.random.below(input.len());
    let Some(byte) = input.get(at).copied() else { return };
    let count = 1 << around.random.below(REPEATS_BITS_MAX);
    input.splice(at..at, std::iter::repeat_n(byte, count));
}

/// A byte by a little, as a length or a small count.
fn step_byte(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let (at, step) = (around.random.below(input.len()), around.random.below(9) as u8);
    if let Some(byte) = input.get_mut(at) {
        *byte = byte.wrapping_add(step).wrapping_sub(4);
    }
}

/// An integer of 2, 4 or 8 bytes, either end first, to an edge of its range.
fn step_wide(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let width = 2 << around.random.below(3);
    let at = around.random.below(input.len());
    let Some(bytes) = input.get_mut(at..at + width) else { return };
    let value = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 31][around.random.below(6)];
    if around.random.below(2) == 0 {
        bytes.copy_from_slice(&value.to_le_bytes()[..width]);
    } else {
        bytes.copy_from_slice(&value.to_be_bytes()[8 - width..]);
    }
}

/// The same LEB128 integer in a longer spelling, or a larger one.
fn stretch_varint(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let at = around.random.below(input.len());
    let Some(byte) = input.get_mut(at) else { return };
    *byte |= 0x80;
    let count = 1 + around.random.below(10);
    let last = around.random.below(3) as u8;
    let tail = std::iter::repeat_n(0x80 | (last * 0x7f), count - 1).chain([last]);
    input.splice(at + 1..at + 1, tail);
}

fn truncate(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let length = around.random.below(input.len() + 1);
    input.truncate(length);
}

fn piece(bytes: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(bytes.len() + 1);
    let length = random.below(PIECE_BYTES_MAX.min(bytes.len() - start) + 1);
    start..start + length
}

fn remove_piece(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let range = piece(input, around.random);
    input.drain(range);
}

fn double_piece(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let range = piece(input, around.random);
    let copy = input[range.clone()].to_vec();
    input.splice(range.start..range.start, copy);
}

fn splice(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let (from, to) = (piece(around.other, around.random), piece(input, around.random));
    input.splice(to, around.other[from].iter().copied());
}

/// A piece of the other input at the very place where it stands there.
fn overwrite(input: &mut Vec<u8>, around: &mut Surroundings<'_>) {
    let range = piece(around.other, around.random);
    if let Some(bytes) = input.get_mut(range.clone()) {
        bytes.copy_from_slice(&around.other[range]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_what_is_made_and_the_limit_holds() {
        let made = |seed| {
            let mut random = Random::new(seed);
            (0..200)
                .map(|_| {
                    let other = b"other bytes";
                    let around = &mut Surroundings { random: &mut random, other, bytes_max: 40 };
                    mutate(b"some bytes to change", around)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(1).iter().all(|input| input.len() <= 40));
    }

    #[test]
    fn every_change_takes_nothing() {
        for (index, change) in CHANGES.iter().enumerate() {
            let mut random = Random::new(index as u64);
            for _ in 0..100 {
                let around = &mut Surroundings { random: &mut random, other: b"", bytes_max: 9 };
                change(&mut Vec::new(), around);
            }
        }
    }
}
