//! The compact encoding of what decisions depend on: see [`ambar_base::codec`].

use crate::narrowing::Narrowing;
use crate::purpose::Purpose;
use crate::terms::Right;
use crate::territory::Territory;
use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};

/// Each right with its tag: a tag is never given to another.
const RIGHTS: [(Right, u8); 6] = [
    (Right::Call, 1),
    (Right::Compose, 2),
    (Right::Fetch, 3),
    (Right::Derive, 4),
    (Right::Train, 5),
    (Right::Compute, 6),
];

impl Encode for Right {
    fn encode(&self, writer: &mut Writer) {
        let tag = RIGHTS.iter().find_map(|(right, tag)| (right == self).then_some(*tag));
        writer.tag(tag.unwrap_or_default());
    }
}

impl Decode for Right {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = reader.tag()?;
        let right = RIGHTS.iter().find_map(|(right, known)| (*known == tag).then_some(*right));
        right.ok_or(DecodeError::Tag(tag))
    }
}

impl Encode for Purpose {
    fn encode(&self, writer: &mut Writer) {
        self.as_str().to_owned().encode(writer);
    }
}

impl Decode for Purpose {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = |_| DecodeError::Rule("a purpose is a word");
        Self::try_from(String::decode(reader)?).map_err(rule)
    }
}

impl Encode for Territory {
    fn encode(&self, writer: &mut Writer) {
        self.as_str().to_owned().encode(writer);
    }
}

impl Decode for Territory {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = |_| DecodeError::Rule("a territory is an assigned code");
        String::decode(reader)?.parse().map_err(rule)
    }
}

impl Encode for Narrowing {
    fn encode(&self, writer: &mut Writer) {
        let Self { budget, calls, expires, purposes, capsules, agent } = self;
        budget.encode(writer);
        calls.encode(writer);
        expires.encode(writer);
        purposes.encode(writer);
        capsules.encode(writer);
        agent.encode(writer);
    }
}

impl Decode for Narrowing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let narrowing = Self {
            budget: Decode::decode(reader)?,
            calls: Decode::decode(reader)?,
            expires: Decode::decode(reader)?,
            purposes: Decode::decode(reader)?,
            capsules: Decode::decode(reader)?,
            agent: Decode::decode(reader)?,
        };
        let rule = |_| DecodeError::Rule("a narrowing is one that a certificate can say");
        narrowing.check().map(|()| narrowing).map_err(rule)
    }
}
