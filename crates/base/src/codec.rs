//! The compact binary encoding of everything the ledger carries and stores.
//!
//! Integers are minimal unsigned LEB128, byte arrays of fixed size are raw, texts and
//! lists carry their length first, maps and sets are strictly ascending. There is one spelling
//! per value; [`decode`] refuses every other and any trailing byte.
//!
//! Documents that people exchange (manifests, terms, tariffs) use dag-cbor instead:
//! see [`crate::document`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended inside a value.
    #[error("the input ends inside a value")]
    Truncated,
    /// Bytes remain after the value.
    #[error("{0} bytes remain after the value")]
    Trailing(usize),
    /// An integer is not minimal or does not fit its type.
    #[error("an integer is not minimal or does not fit its type")]
    Integer,
    /// A length is larger than what remains of the input.
    #[error("a length of {0} exceeds the remaining input")]
    Length(u64),
    /// A tag names no variant.
    #[error("tag {0} names no variant")]
    Tag(u8),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// A map is not strictly ascending, or a value breaks the rule of its type.
    #[error("a value breaks the rule of its type: {0}")]
    Rule(&'static str),
}

/// A growing output buffer.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// Bytes that an encoding begins with room for: most keys and objects fit, and what is longer
/// grows a few times less.
const ROOM: usize = 64;

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one raw byte: a tag.
    pub fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a minimal LEB128 integer.
    pub fn varint(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// The bytes written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A cursor over input that is not trusted.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes one raw byte: a tag.
    pub fn tag(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Takes `count` raw bytes.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes a minimal LEB128 integer of at most `bits` bits.
    pub fn varint(&mut self, bits: u32) -> Result<u128, DecodeError> {
        let mut value = 0u128;
        let mut shift = 0;
        loop {
            let byte = self.tag()?;
            let part = u128::from(byte & 0x7f);
            if shift >= bits || (bits - shift < 7 && part >> (bits - shift) != 0) {
                return Err(DecodeError::Integer);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                let minimal = byte != 0 || shift == 0;
                return if minimal { Ok(value) } else { Err(DecodeError::Integer) };
            }
            shift += 7;
        }
    }

    /// Takes a length that the remaining input can hold.
    pub fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.varint(64)? as u64;
        let fits = usize::try_from(length).ok().filter(|n| *n <= self.rest.len());
        fits.ok_or(DecodeError::Length(length))
    }

    /// Refuses bytes that remain.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}

/// A value with one encoding.
pub trait Encode {
    /// Appends the encoding.
    fn encode(&self, writer: &mut Writer);

    /// The encoding as bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer { bytes: Vec::with_capacity(ROOM) };
        self.encode(&mut writer);
        writer.into_bytes()
    }
}

/// A value that can be read from input that is not trusted.
pub trait Decode: Sized {
    /// Reads one value.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Reads exactly one value from `bytes`.
pub fn decode<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

macro_rules! integer {
    ($($name:ident)*) => {$(
        impl Encode for $name {
            fn encode(&self, writer: &mut Writer) {
                writer.varint(u128::from(*self));
            }
        }
        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(reader.varint($name::BITS)? as $name)
            }
        }
    )*};
}
integer!(u16 u32 u64 u128);

impl Encode for bool {
    fn encode(&self, writer: &mut Writer) {
        writer.tag(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.tag()? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(DecodeError::Tag(tag)),
        }
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.raw(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }
}

impl Encode for String {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.len() as u128);
        writer.raw(self.as_bytes());
    }
}

impl Decode for String {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length()?;
        let bytes = reader.raw(length)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::Utf8)
    }
}

impl Encode for Vec<u8> {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.len() as u128);
        writer.raw(self);
    }
}

impl Decode for Vec<u8> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length()?;
        Ok(reader.raw(length)?.to_vec())
    }
}

impl<T: Encode> Encode for Arc<T> {
    fn encode(&self, writer: &mut Writer) {
        T::encode(self, writer);
    }
}

impl<T: Decode> Decode for Arc<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self::new)
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.len() as u128);
        self.iter().for_each(|item| item.encode(writer));
    }
}

impl<T: Decode> Decode for Vec<T> {
    /// Every item takes at least one byte, so the input bounds what is allocated.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length()?;
        (0..length).map(|_| T::decode(reader)).collect()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.tag(u8::from(self.is_some()));
        if let Some(value) = self {
            value.encode(writer);
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if bool::decode(reader)? { T::decode(reader).map(Some) } else { Ok(None) }
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
        self.1.encode(writer);
    }
}

impl<A: Decode, B: Decode> Decode for (A, B) {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(reader)?, B::decode(reader)?))
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.len() as u128);
        for (key, value) in self {
            key.encode(writer);
            value.encode(writer);
        }
    }
}

impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length()?;
        let mut map = Self::new();
        for _ in 0..length {
            let key = K::decode(reader)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::Rule("map keys ascend strictly"));
            }
            map.insert(key, V::decode(reader)?);
        }
        Ok(map)
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.len() as u128);
        self.iter().for_each(|member| member.encode(writer));
    }
}

impl<T: Decode + Ord> Decode for BTreeSet<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length()?;
        let mut set = Self::new();
        for _ in 0..length {
            let member = T::decode(reader)?;
            if set.last().is_some_and(|last| *last >= member) {
                return Err(DecodeError::Rule("members of a set ascend strictly"));
            }
            set.insert(member);
        }
        Ok(set)
    }
}

/// Declares a struct whose encoding is that of its fields in order.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type),* }

        impl $crate::codec::Encode for $name {
            fn encode(&self, writer: &mut $crate::codec::Writer) {
                $($crate::codec::Encode::encode(&self.$field, writer);)*
            }
        }

        impl $crate::codec::Decode for $name {
            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::Decode::decode(reader)?),* })
            }
        }
    };
}

/// Declares an enum whose encoding is one tag byte and the encoding of its payload.
#[macro_export]
macro_rules! choice {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident $(($payload:ty))? = $tag:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[$variant_meta])* $variant $(($payload))?),* }

        impl $crate::codec::Encode for $name {
            fn encode(&self, writer: &mut $crate::codec::Writer) {
                match self {
                    $($crate::choice!(@pattern $name $variant value $($payload)?) => {
                        writer.tag($tag);
                        $crate::choice!(@encode writer value $($payload)?);
                    })*
                }
            }
        }

        impl $crate::codec::Decode for $name {
            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match reader.tag()? {
                    $($tag => Ok($crate::choice!(@decode reader $name $variant $($payload)?)),)*
                    tag => Err($crate::codec::DecodeError::Tag(tag)),
                }
            }
        }
    };
    (@pattern $name:ident $variant:ident $value:ident $payload:ty) => { $name::$variant($value) };
    (@pattern $name:ident $variant:ident $value:ident) => { $name::$variant };
    (@encode $writer:ident $value:ident $payload:ty) => {
        $crate::codec::Encode::encode($value, $writer)
    };
    (@encode $writer:ident $value:ident) => {};
    (@decode $reader:ident $name:ident $variant:ident $payload:ty) => {
        $name::$variant(<$payload as $crate::codec::Decode>::decode($reader)?)
    };
    (@decode $reader:ident $name:ident $variant:ident) => { $name::$variant };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    record! {
        /// A sample.
        struct Sample { number: u64, text: String, list: Vec<u16>, raw: Vec<u8>, maybe: Option<u32> }
    }

    choice! {
        /// A sample choice.
        enum Pick { Nothing = 0, Number(u64) = 1, Record(Sample) = 7 }
    }

    #[test]
    fn integers_have_one_spelling() {
        let check = |bytes: &[u8], expect| assert_eq!(decode::<u16>(bytes), expect);
        check(&[0x00], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 0x01], Ok(128));
        check(&[0xff, 0xff, 0x03], Ok(u16::MAX));
        check(&[0x80, 0x00], Err(DecodeError::Integer));
        check(&[0xff, 0xff, 0x04], Err(DecodeError::Integer));
        check(&[0x80], Err(DecodeError::Truncated));
        check(&[0x01, 0x02], Err(DecodeError::Trailing(1)));
        assert_eq!(decode::<u128>(&u128::MAX.to_bytes()), Ok(u128::MAX));
        assert_eq!(decode::<u64>(&u128::MAX.to_bytes()), Err(DecodeError::Integer));
    }

    #[test]
    fn tags_and_lengths_are_checked() {
        assert_eq!(decode::<Pick>(&[0]), Ok(Pick::Nothing));
        assert_eq!(decode::<Pick>(&[1, 5]), Ok(Pick::Number(5)));
        assert_eq!(decode::<Pick>(&[2]), Err(DecodeError::Tag(2)));
        assert_eq!(decode::<String>(&[2, 0xff, 0xff]), Err(DecodeError::Utf8));
        assert_eq!(decode::<Vec<u16>>(&[0xff, 0x01, 1]), Err(DecodeError::Length(255)));
        assert!(decode::<BTreeMap<u16, u16>>(&[2, 1, 1, 1, 2]).is_err());
    }

    proptest! {
        #[test]
        fn values_survive(number: u64, text: String, list: Vec<u16>, raw: Vec<u8>, maybe: Option<u32>) {
            let pick = Pick::Record(Sample { number, text, list, raw, maybe });
            prop_assert_eq!(decode::<Pick>(&pick.to_bytes()), Ok(pick));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes: Vec<u8>) {
            if let Ok(pick) = decode::<Pick>(&bytes) {
                prop_assert_eq!(pick.to_bytes(), bytes);
            }
        }
    }
}
