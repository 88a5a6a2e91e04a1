//! Capsules and their catalogue.

use super::Offer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A capsule version in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapsuleRow {
    /// Its id.
    pub id: String,
    /// `dataset`, `model`, `code`, `prompt` or `agent`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// The account that owns its line.
    pub owner: String,
    /// The height at which it was published.
    pub height: u64,
    /// The number of its version line.
    pub line: String,
}

/// A capsule version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capsule {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: String,
    /// `dataset`, `model`, `code`, `prompt` or `agent`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// Names registered for its line.
    pub registered: Vec<String>,
    /// What people read.
    pub description: String,
    /// Who made it.
    pub creator: String,
    /// Who owns its line.
    pub owner: String,
    /// The number of its version line.
    pub line: String,
    /// The latest version of its line.
    pub head: String,
    /// The height at which it was published.
    pub height: u64,
    /// The bytes it is about.
    pub content: Content,
    /// What only its kind says.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// The versions that it continues.
    pub previous: Vec<String>,
    /// Parents that take a share.
    pub derived_from: Vec<Parent>,
    /// Components called within a call.
    pub uses: Vec<Component>,
    /// Documents about it.
    pub extensions: Vec<Extension>,
    /// Its terms.
    pub terms: TermsView,
    /// Who its royalty goes to.
    pub plan: Vec<PlanEntry>,
    /// Whether this node serves it.
    pub served: bool,
    /// Terms that anybody may accept instead.
    #[serde(default)]
    pub offers: Vec<Offer>,
}

/// The content of a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Content {
    /// Root of the file table.
    pub table: String,
    /// How many files.
    pub files: u64,
    /// Sum of their lengths, as they are stored.
    pub bytes: u64,
    /// Whether only holders of a key read them.
    #[serde(default)]
    pub sealed: bool,
}

/// A parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parent {
    /// Its id.
    pub version: String,
    /// Its part of the royalty, per cent.
    pub share: String,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// What it is for.
    pub role: String,
    /// Its id.
    pub version: String,
    /// The author's grant.
    pub grant: String,
}

/// A document about a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    /// What it is called.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Root of its bytes.
    pub root: String,
    /// Its length, bytes.
    pub bytes: u64,
}

/// Terms, within a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsView {
    /// Their id.
    pub id: String,
    /// As the owner writes them.
    pub toml: String,
    /// In plain sentences.
    pub explain: Vec<String>,
    /// Credits per MU, 9 decimals.
    pub per_mu: String,
    /// Credits per call, 9 decimals.
    pub per_call: String,
    /// Least credits per call, 9 decimals.
    pub minimum: String,
    /// What is due instead once many calls have settled under a grant, ascending.
    #[serde(default)]
    pub tiers: Vec<TierView>,
}

/// A price that holds once so many calls have settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TierView {
    /// Calls settled under the grant.
    pub from_calls: u64,
    /// Credits per MU, 9 decimals.
    pub per_mu: String,
    /// Credits per call, 9 decimals.
    pub per_call: String,
    /// Least credits per call, 9 decimals.
    pub minimum: String,
}

/// Terms by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsText {
    /// What they say.
    #[serde(flatten)]
    pub terms: TermsView,
    /// The document, in hexadecimal: its SHA-256 is the id.
    pub document: String,
}

/// A party of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanEntry {
    /// `line` for a royalty line, `datanet` for the contributors to a call.
    pub kind: String,
    /// The number of the royalty line or of the datanet's version.
    pub number: String,
    /// The royalty line's holder, or the datanet's treasury.
    pub account: String,
    /// The capsule that the line belongs to, or the datanet.
    pub capsule: String,
    /// Its part, per cent.
    pub weight: String,
}

/// What a capsule hangs on, directly or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineageGraph {
    /// The capsule that was asked for.
    pub root: String,
    /// Every version of the graph.
    pub versions: Vec<LineageVersion>,
    /// From a version to what it hangs on.
    pub edges: Vec<LineageEdge>,
}

/// A version of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineageVersion {
    /// Its id.
    pub id: String,
    /// `dataset`, `model`, `code`, `prompt` or `agent`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// The account that owns its line.
    pub owner: String,
}

/// An edge of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineageEdge {
    /// The version that hangs on the other.
    pub from: String,
    /// The other.
    pub to: String,
    /// `derived_from`, `previous` or `uses`.
    pub kind: String,
    /// The share of `derived_from`, per cent.
    pub share: Option<String>,
    /// The role of `uses`.
    pub role: Option<String>,
}

/// What a search found, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// The rule by which the order was made.
    pub rule: String,
    /// What was found.
    pub hits: Vec<SearchHit>,
}

/// A capsule that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchHit {
    /// The capsule.
    #[serde(flatten)]
    pub capsule: CapsuleRow,
    /// What people read.
    pub description: String,
    /// How well it matches.
    pub score: u64,
}

/// A part of the catalogue's feed, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    /// What to ask for as `since` next.
    pub next: u64,
    /// Whether nothing newer is known.
    pub complete: bool,
}

/// A published version in the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its place in the feed.
    pub sequence: u64,
    /// The capsule.
    #[serde(flatten)]
    pub capsule: CapsuleRow,
    /// What people read.
    pub description: String,
}
