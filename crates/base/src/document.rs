//! Documents that people exchange: canonical dag-cbor with an id.
//!
//! A document's bytes are decoded, encoded again and compared, so a map in another
//! order, a longer integer or a duplicate key is refused: one document, one id.

use crate::cid::Cid;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes are not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Longer than the limit of its kind.
    #[error("a document of {bytes} bytes exceeds the limit of {bytes_max}")]
    TooLarge {
        /// Length found.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// Not dag-cbor of this shape.
    #[error("not a document of this kind: {0}")]
    Shape(String),
    /// Decodes, but is not in the canonical form.
    #[error("the document is not in canonical form")]
    NotCanonical,
}

/// The canonical bytes of a document.
///
/// # Panics
/// Never for the document types of this workspace: their maps have text keys and their
/// numbers are integers of at most 64 bits, which is all that dag-cbor asks for.
#[must_use]
pub fn encode<T: Serialize>(document: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(document).expect("documents have text keys and 64-bit integers")
}

/// The id of a document.
#[must_use]
pub fn id<T: Serialize>(document: &T) -> Cid {
    Cid::of(&encode(document))
}

/// Reads a document of at most `bytes_max` bytes.
pub fn decode<T>(bytes: &[u8], bytes_max: usize) -> Result<T, DocumentError>
where
    T: Serialize + DeserializeOwned,
{
    if bytes.len() > bytes_max {
        return Err(DocumentError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    let document: T = serde_ipld_dagcbor::from_slice(bytes)
        .map_err(|error| DocumentError::Shape(error.to_string()))?;
    if encode(&document) == bytes { Ok(document) } else { Err(DocumentError::NotCanonical) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        bb: u64,
        a: String,
        link: Cid,
    }

    fn sample() -> Sample {
        Sample { bb: 500, a: "x".into(), link: Cid::of(b"x") }
    }

    #[test]
    fn round_trip_in_canonical_order() {
        let bytes = encode(&sample());
        // Shorter keys come first in dag-cbor, whatever the struct's order.
        assert_eq!(&bytes[..3], &[0xa3, 0x61, b'a']);
        assert_eq!(decode::<Sample>(&bytes, 100), Ok(sample()));
        assert_eq!(id(&sample()), Cid::of(&bytes));
    }

    #[test]
    fn refuses_other_spellings() {
        let bytes = encode(&sample());
        let too_large = DocumentError::TooLarge { bytes: bytes.len(), bytes_max: 9 };
        assert_eq!(decode::<Sample>(&bytes, 9), Err(too_large));
        assert!(matches!(decode::<Sample>(&bytes[1..], 100), Err(DocumentError::Shape(_))));
        // 500 as a 32-bit integer instead of a 16-bit one.
        let short = [0x62, b'b', b'b', 0x19, 0x01, 0xf4];
        let at = bytes.windows(6).position(|window| window == short).unwrap();
        let mut long = bytes.clone();
        long.splice(at + 3..at + 6, [0x1a, 0, 0, 0x01, 0xf4]);
        assert!(decode::<Sample>(&long, 100).is_err());
        let mut trailing = bytes;
        trailing.push(0);
        assert!(decode::<Sample>(&trailing, 200).is_err());
    }
}
