//! Content ids: CIDv1, dag-cbor, SHA-256 (multiformats CID specification), the only
//! form Ambar writes or accepts.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::digest::Digest;
use multihash::Multihash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

const DAG_CBOR: u64 = 0x71;
const SHA2_256: u64 = 0x12;

/// The id of a dag-cbor document, printed in base32 (`bafyrei…`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(pub Digest);

/// The text or link is not a CIDv1 of a dag-cbor document hashed with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id (a CIDv1 of dag-cbor with SHA-256, which starts with bafyrei)")]
pub struct CidError;

impl Cid {
    /// The id of a document's bytes.
    #[must_use]
    pub fn of(document: &[u8]) -> Self {
        Self(Digest::of(document))
    }

    fn to_multiformat(self) -> cid::Cid {
        let hash = Multihash::wrap(SHA2_256, &self.0.0).expect("32 bytes fit a 64-byte multihash");
        cid::Cid::new_v1(DAG_CBOR, hash)
    }

    fn from_multiformat(cid: &cid::Cid) -> Result<Self, CidError> {
        let hash = cid.hash();
        let shape = (cid.version(), cid.codec(), hash.code());
        if shape != (cid::Version::V1, DAG_CBOR, SHA2_256) {
            return Err(CidError);
        }
        hash.digest().try_into().map(|bytes| Self(Digest(bytes))).map_err(|_| CidError)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_multiformat().fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = CidError;

    /// Accepts the printed form only: another multibase is another spelling.
    fn from_str(text: &str) -> Result<Self, CidError> {
        let id = Self::from_multiformat(&text.parse().map_err(|_| CidError)?)?;
        if id.to_string() == text { Ok(id) } else { Err(CidError) }
    }
}

impl Encode for Cid {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for Cid {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

impl Serialize for Cid {
    /// An IPLD link.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_multiformat().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let link = cid::Cid::deserialize(deserializer)?;
        Self::from_multiformat(&link).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let id = Cid::of(b"hello");
        assert!(id.to_string().starts_with("bafyrei"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn refuses_other_forms() {
        let check = |text: &str| assert_eq!(text.parse::<Cid>(), Err(CidError), "{text}");
        check("");
        check("hello");
        check("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG");
        check("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
        check(&Cid::of(b"hello").to_string().to_uppercase());
    }
}
