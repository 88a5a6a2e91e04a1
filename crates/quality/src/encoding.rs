//! The index in bytes, so that whoever has decided can go on after a restart: its records in
//! the order of their numbers. What is looked up is made again from them.

use crate::VERSION;
use crate::seen::{RECORDS_MAX, Seen};
use crate::shingles::{Print, SIGNATURE_ROWS, SKETCH_MAX, Signature};
use ambar_base::{Decode, DecodeError, Digest, Encode, Reader, Writer};

/// Bytes of a row, and of a number of a sketch.
const ROW_BYTES: usize = size_of::<u32>();
const HASH_BYTES: usize = size_of::<u64>();

impl Encode for Seen {
    fn encode(&self, writer: &mut Writer) {
        VERSION.encode(writer);
        writer.varint(self.len() as u128);
        for (number, print) in self.records() {
            number.encode(writer);
            print.encode(writer);
        }
    }
}

impl Decode for Seen {
    /// Refuses an index of other checks: its prints are not comparable.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if u16::decode(reader)? != VERSION {
            return Err(DecodeError::Rule("an index belongs to these checks"));
        }
        let count = reader.length()?;
        if count > RECORDS_MAX {
            return Err(DecodeError::Rule("an index has a largest number of records"));
        }
        let (mut seen, mut last) = (Self::default(), None);
        for _ in 0..count {
            let number = u32::decode(reader)?;
            if last.is_some_and(|last| last >= number) {
                return Err(DecodeError::Rule("records ascend strictly"));
            }
            last = Some(number);
            let taken = seen.add(number, Print::decode(reader)?);
            taken.map_err(|_| DecodeError::Rule("records ascend strictly"))?;
        }
        Ok(seen)
    }
}

impl Encode for Print {
    fn encode(&self, writer: &mut Writer) {
        self.digest.encode(writer);
        writer.varint(self.sketch.len() as u128);
        self.sketch.iter().for_each(|hash| writer.raw(&hash.to_be_bytes()));
        if !self.sketch.is_empty() {
            self.signature.iter().for_each(|row| writer.raw(&row.to_be_bytes()));
        }
    }
}

impl Decode for Print {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let digest = Digest::decode(reader)?;
        let count = reader.length()?;
        if count > SKETCH_MAX {
            return Err(DecodeError::Rule("a sketch has a largest number of shingles"));
        }
        let mut sketch: Vec<u64> = Vec::with_capacity(count);
        for _ in 0..count {
            let hash = u64::from_be_bytes(array::<HASH_BYTES>(reader)?);
            if sketch.last().is_some_and(|last| *last >= hash) {
                return Err(DecodeError::Rule("shingles ascend strictly"));
            }
            sketch.push(hash);
        }
        let mut signature: Signature = [u32::MAX; SIGNATURE_ROWS];
        if count > 0 {
            for row in &mut signature {
                *row = u32::from_be_bytes(array::<ROW_BYTES>(reader)?);
            }
        }
        Ok(Self { digest, signature, sketch })
    }
}

fn array<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], DecodeError> {
    <[u8; N]>::decode(reader)
}
