//! What a certificate says, for people and scripts. **Nothing is verified here.**

use super::CertificateError;
use super::open::{read_chain, signature};
use super::vocabulary::{Authority, checks};
use super::write::read_token;
use ambar_base::{Cid, Digest, Signature};
use ambar_licence::{CertificateBlock, Narrowing, Purpose, calendar};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The facts of its first block.
    pub authority: Authority,
    /// What each block takes away.
    pub blocks: Vec<CertificateBlock>,
    /// Who holds it.
    pub holder: Digest,
}

/// Reads a certificate without verifying it.
pub fn inspect(certificate: &str) -> Result<Description, CertificateError> {
    let chain = read_chain(&read_token(certificate)?)?;
    Ok(Description { authority: chain.authority, blocks: chain.blocks, holder: chain.holder })
}

/// By what the blocks of a certificate are revoked, from the first on: their signatures.
pub fn revocation_ids(certificate: &str) -> Result<Vec<Signature>, CertificateError> {
    let ids = read_token(certificate)?.revocation_identifiers();
    ids.iter().map(|id| signature(id)).collect()
}

impl Description {
    /// The description as JSON: amounts in credits, instants in RFC 3339, what a block
    /// does not speak of is absent.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Authority { network, channel, gateway, session } = self.authority;
        let mut description = json!({
            "verified": false,
            "network": network.to_string(),
            "channel": channel.to_string(),
            "gateway": gateway.did(),
            "holder": self.holder.to_string(),
            "blocks": self.blocks.iter().map(block_json).collect::<Vec<_>>(),
        });
        if let Some(session) = session {
            description["session"] = session.did().into();
            description["session_key"] = hex::encode(session.0).into();
        }
        description
    }
}

fn block_json(block: &CertificateBlock) -> Value {
    let Narrowing { budget, calls, expires, purposes, capsules, agent } = &block.narrowing;
    let words =
        |set: &BTreeSet<Purpose>| json!(set.iter().map(Purpose::as_str).collect::<Vec<_>>());
    let ids = |set: &BTreeSet<Cid>| json!(set.iter().map(ToString::to_string).collect::<Vec<_>>());
    let fields = [
        ("budget", budget.map(|budget| json!(budget.to_string()))),
        ("calls", calls.map(|calls| json!(calls))),
        ("expires", expires.map(|at| json!(calendar::print(at)))),
        ("purposes", purposes.as_ref().map(words)),
        ("capsules", capsules.as_ref().map(ids)),
        ("agent", agent.map(|agent| json!(agent.did()))),
    ];
    let mut object = json!({ "id": block.id.to_string() });
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

impl fmt::Display for Description {
    /// Block by block, in Biscuit's own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "holder {} (nothing here is verified)", self.holder)?;
        for (number, block) in self.blocks.iter().enumerate() {
            writeln!(f, "block {number}, id {}", block.id)?;
            let facts = if number == 0 { self.authority.lines() } else { Vec::new() };
            for line in facts.iter().chain(&checks(&block.narrowing)) {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
