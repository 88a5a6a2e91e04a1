//! Promises that many decoders share.

use ambar_base::codec::{self, Decode, Encode};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// The value of the compact encoding, which has one spelling.
///
/// # Panics
/// If the value is written in another way than it was read.
#[must_use]
pub fn compact<T: Encode + Decode>(input: &[u8]) -> Option<T> {
    let value: T = codec::decode(input).ok()?;
    assert!(value.to_bytes() == input, "a value has one spelling");
    Some(value)
}

/// A document, which has one spelling and a limit.
///
/// # Panics
/// If it is written in another way than it was read, or is longer than its limit.
#[must_use]
pub fn document<T, E>(
    input: &[u8],
    bytes_max: usize,
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> Option<T> {
    let value = decode(input).ok()?;
    assert!(encode(&value) == input, "a document has one spelling");
    assert!(input.len() <= bytes_max, "{} bytes exceed the limit {bytes_max}", input.len());
    Some(value)
}

/// A text with one spelling.
///
/// # Panics
/// If the value is printed in another way than it was read.
#[must_use]
pub fn exact<T: FromStr + Display>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    assert_eq!(value.to_string(), text, "a text has one spelling");
    true
}

/// A text that people write in more than one way, and programs in one.
///
/// # Panics
/// If what is printed is read as another value.
#[must_use]
pub fn readable<T: FromStr + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    let Ok(again) = value.to_string().parse::<T>() else { panic!("{value} is not read back") };
    assert_eq!(again, value, "what is printed is read back");
    true
}
