//! Datanets, tracing, and what a node serves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A datanet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Datanet {
    /// Its version's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The account that owns its line.
    pub owner: String,
    /// Who is paid when a call used none of the records.
    pub treasury: String,
    /// How many records.
    pub records: u64,
    /// The part of the royalty that goes to the contributors, per cent.
    pub share: String,
    /// Attribution methods with the part that each decides.
    pub methods: Vec<String>,
    /// How evidence of use is shared.
    pub sharing: Sharing,
    /// The contributors by index.
    pub contributors: Vec<Contributor>,
    /// Whether this node has its records.
    pub served: bool,
}

/// Rules of sharing: of a version, what its manifest says; of a pool, what was voted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sharing {
    /// `equal`, `first` or `halving`: how records that hold the same words share.
    pub duplicates: String,
    /// The part of a call's weight that goes to whoever is drawn among all contributors, per cent.
    pub floor: String,
    /// The most that one contributor gets of it by evidence, per cent.
    pub cap: String,
}

impl Sharing {
    /// The rules in words.
    #[must_use]
    pub fn of(rules: &ambar_attribution::Sharing) -> Self {
        Self {
            duplicates: rules.duplicates.to_string(),
            floor: rules.floor.to_string(),
            cap: rules.cap.to_string(),
        }
    }
}

/// A contributor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contributor {
    /// The account that is paid.
    pub account: String,
    /// The DID of the account's first key, if it has one.
    pub did: Option<String>,
    /// The name, if it is an escrow account.
    pub name: Option<String>,
}

/// A text to trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceRequest {
    /// The datanet, by id or name.
    pub datanet: String,
    /// Datanets that are searched with it as if they were one, by id or name.
    #[serde(default)]
    pub beside: Vec<String>,
    /// The text.
    pub text: String,
    /// Whether occurrences are to be proven, as far as the asker may read the records: then the
    /// request is signed.
    #[serde(default)]
    pub proofs: bool,
}

/// Where a text's words stand in a datanet's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceAnswer {
    /// The datanets that were searched, in the order of the request.
    pub datanets: Vec<TraceDatanet>,
    /// Verbatim spans of the text.
    pub spans: Vec<TraceSpan>,
    /// Whose records they are, by weight; empty if nothing was found.
    pub shares: Vec<TraceShare>,
}

/// A datanet that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceDatanet {
    /// Its id.
    pub id: String,
    /// Root of its records: what proofs lead to.
    pub root: String,
}

/// An occurrence of a verbatim span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceSpan {
    /// First byte in the text.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
    /// The datanet, by id.
    pub datanet: String,
    /// The record's path or title.
    pub document: String,
    /// The contributor: a DID, an account id or an escrow account's name.
    pub contributor: String,
    /// First byte in the record.
    pub offset: u32,
    /// Occurrences in all records of all datanets together.
    pub count: u32,
    /// If it was asked for and may be shown: that the record holds these bytes of the text, as
    /// a document in base64.
    pub proof: Option<String>,
}

/// A contributor's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceShare {
    /// The contributor: a DID, an account id or an escrow account's name.
    pub contributor: String,
    /// The part, per cent.
    pub weight: String,
}

/// What to serve a capsule with.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServingRequest {
    /// The engine's spec, for models. Datasets are served from their blobs, prompts need
    /// nothing.
    pub engine: Option<String>,
    /// The secret that an upstream engine asks for. The node keeps it sealed, for this capsule
    /// and this engine, and never shows it; without one it goes on with what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_key: Option<String>,
}

impl std::fmt::Debug for ServingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.engine_key.as_ref().map(|_| "…");
        let mut shown = f.debug_struct("ServingRequest");
        shown.field("engine", &self.engine).field("engine_key", &key).finish()
    }
}

/// What a capsule is served with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServingAnswer {
    /// The capsule's id.
    pub capsule: String,
    /// `engine`, `datanet` or `template`.
    pub offer: String,
    /// Records indexed, for datasets.
    pub records: Option<u64>,
}
