//! Keys of sealed content: how owners hand them to a node, and licensees are given them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For which key a node wants the key of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyOffer {
    /// The custody request, hexadecimal.
    pub request: String,
    /// The node's signature over it, hexadecimal.
    pub signature: String,
}

/// Gives a version's key to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepKey {
    /// The version's signed manifest, hexadecimal: it may not be published yet.
    pub manifest: String,
    /// The key, wrapped for the node's custody request, hexadecimal.
    pub key: String,
}

/// A key is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyKept {
    /// The version.
    pub capsule: String,
}

/// Asks for a version's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseKey {
    /// The release request, hexadecimal.
    pub request: String,
    /// Signatures of the licensee's keys over it.
    pub signatures: Vec<KeySignature>,
}

/// A key's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySignature {
    /// The key, as a DID.
    pub key: String,
    /// Its signature, hexadecimal.
    pub signature: String,
}

/// A version's key, for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyReleased {
    /// The key, wrapped for the request, hexadecimal.
    pub key: String,
}
