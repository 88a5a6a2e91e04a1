//! Little-endian 32-bit integers in bytes, read where they lie.

/// A view of bytes as integers.
#[derive(Clone, Copy, Debug)]
pub struct Integers<'a> {
    bytes: &'a [u8],
}

impl<'a> Integers<'a> {
    /// Bytes per integer.
    pub const BYTES: usize = 4;

    /// The integers in `bytes`; bytes of an incomplete last one are left out.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.bytes.len() / Self::BYTES
    }

    /// The integer at `index`, which is below [`Self::len`].
    pub fn at(self, index: usize) -> u32 {
        let start = index * Self::BYTES;
        let bytes = &self.bytes[start..start + Self::BYTES];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// The first index in `low..high` for which `before` is false; `before` is true up to
    /// some index and false from there on.
    pub fn partition(self, mut low: usize, mut high: usize, before: impl Fn(u32) -> bool) -> usize {
        while low < high {
            let middle = low.midpoint(high);
            if before(self.at(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The bytes of integers.
pub fn to_bytes(integers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(Integers::BYTES * integers.len());
    integers.iter().for_each(|integer| bytes.extend_from_slice(&integer.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let bytes = to_bytes(&[1, u32::MAX, 0x0102_0304]);
        assert_eq!(&bytes[8..], [4, 3, 2, 1]);
        let view = Integers::new(&bytes);
        assert_eq!((view.len(), view.at(0), view.at(1)), (3, 1, u32::MAX));
        assert_eq!(Integers::new(&to_bytes(&[1, 3, 5, 7])).partition(0, 4, |v| v < 5), 2);
    }
}
