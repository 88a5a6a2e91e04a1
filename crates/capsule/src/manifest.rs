//! The manifest: the signed core of a capsule. Its canonical dag-cbor bytes are hashed to
//! the capsule's id, and the creator signs that id.

use crate::body::{Body, Kind};
use crate::chunks::ContentRoot;
use crate::sealing::{SealedContent, SealedContentError};
use ambar_base::document::{self, DocumentError};
use ambar_base::keys::Signed;
use ambar_base::{
    AccountId, Cid, Coded, Decode, DecodeError, Domain, Encode, ErrorCode, NetworkId, PublicKey,
    Reader, SecretKey, Signature, Weight, Writer, weight,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Largest manifest, bytes.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a capsule, bytes.
pub const NAME_BYTES_MAX: usize = 80;
/// Longest description, bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 4096;
/// Most versions that one version continues or merges.
pub const PREVIOUS_MAX: usize = 8;
/// Most parents that take a share.
pub const PARENTS_MAX: usize = 16;
/// Most components.
pub const COMPONENTS_MAX: usize = 16;
/// Most royalty lines of a version line.
pub const ROYALTY_LINES_MAX: usize = 32;
/// Most attribution methods of a datanet.
pub const METHODS_MAX: usize = 8;
/// Most extension documents.
pub const EXTENSIONS_MAX: usize = 16;
/// Longest role, media type or extension name, bytes.
pub const LABEL_BYTES_MAX: usize = 64;

/// What a capsule is, whose, from what, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The manifest format: 1.
    pub ambar: u16,
    /// What its kind says.
    pub body: Body,
    /// The bytes it is about.
    pub content: Content,
    /// Who made it, for ever.
    pub creator: AccountId,
    /// The records' contributors, for datasets.
    pub datanet: Option<DatanetDeclaration>,
    /// Parents that take a share of this version's royalty.
    pub derived_from: Vec<Parent>,
    /// What people read.
    pub description: String,
    /// Documents about it, by digest.
    pub extensions: Vec<Extension>,
    /// Whether it starts a version line of its own although it has `previous` versions.
    pub fork: bool,
    /// What people call it.
    pub name: String,
    /// The versions it continues; the first is of the line it belongs to unless it forks,
    /// further ones are merged.
    pub previous: Vec<Cid>,
    /// Who earns the creator's part, for the first version of a line. Later versions pay
    /// the line's existing royalty lines, so a sold line keeps its income.
    pub royalty: Vec<RoyaltyDeclaration>,
    /// The terms of use, by id.
    pub terms: Cid,
    /// Components called within a call and charged at their own terms.
    pub uses: Vec<Component>,
}

/// The content: the chunk tree root of the file table. Lengths and roots are those of the
/// files as they are stored: of ciphertext, if the content is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Sum of the files' lengths.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
    /// How the files are sealed, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedContent>,
    /// Root of the file table's bytes.
    pub table: ContentRoot,
}

/// Whose records a dataset holds, and how a call's use of them is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatanetDeclaration {
    /// The contributor table, by id.
    pub contributors: Cid,
    /// Attribution methods by number, ascending, with the part that each decides; the
    /// parts sum to the whole.
    pub methods: Vec<(u16, Weight)>,
    /// The part of the royalty that goes to the contributors.
    pub share: Weight,
    /// How evidence of use is shared, if not as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<SharingDeclaration>,
    /// Who is paid when a call used none of the records.
    pub treasury: AccountId,
}

/// Rules of sharing that differ from the usual ones: records that hold the same words share
/// equally, there is no floor and no cap. What the rules do is the attribution's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingDeclaration {
    /// The most that one contributor gets by evidence, above zero.
    pub cap: Weight,
    /// How many contributors the table has: one of so many is drawn.
    pub contributors: u32,
    /// The rule for records that hold the same words, by number; 1 is the usual one.
    pub duplicates: u16,
    /// The part that goes to whoever is drawn, at most a half.
    pub floor: Weight,
}

impl SharingDeclaration {
    /// Whether it says only what holds without it.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.duplicates == 1 && self.floor == Weight::ZERO && self.cap == Weight::ONE
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.is_usual() {
            return Err(ManifestError::Rule("the usual rules of sharing are left out"));
        }
        let cap = Weight::ZERO < self.cap && self.cap <= Weight::ONE;
        if cap && self.floor.0 <= Weight::ONE.0 / 2 && self.contributors > 0 {
            return Ok(());
        }
        let rule = "the floor of sharing is at most 50%, the cap above 0%, and there is somebody";
        Err(ManifestError::Rule(rule))
    }
}

/// A parent and the share of the royalty that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its part of this version's royalty.
    pub share: Weight,
    /// The parent version.
    pub version: Cid,
}

/// A component and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Such as `model` or `datanet`; each once.
    pub role: String,
    /// The component version.
    pub version: Cid,
}

/// A part of the creator's royalty that is an object of its own and can be sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoyaltyDeclaration {
    /// Who holds it at first.
    pub holder: AccountId,
    /// Its part of what the version line keeps for itself.
    pub weight: Weight,
}

/// A document about the capsule: Croissant, model card, ML-BOM, licence text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Length in bytes.
    pub bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// What it is called.
    pub name: String,
    /// Root of its bytes.
    pub root: ContentRoot,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not a manifest, or too large.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Written for another version of Ambar.
    #[error("manifest format {0} is not known; this version reads format 1")]
    Format(u16),
    /// A text is empty, too long or holds control characters.
    #[error("{field} has 1 to {bytes_max} bytes of plain text")]
    Text {
        /// Which field.
        field: &'static str,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// More entries than a list may hold.
    #[error("{field} has {count} entries; at most {max} are allowed")]
    TooMany {
        /// Which list.
        field: &'static str,
        /// Entries found.
        count: usize,
        /// Most allowed.
        max: usize,
    },
    /// An entry stands twice.
    #[error("{0} names something twice")]
    Twice(&'static str),
    /// Shares of parents sum to more than the whole.
    #[error("the shares in derived_from sum to more than 100%")]
    Shares,
    /// Weights that should sum to the whole do not.
    #[error("the weights in {0} are above zero and sum to 100%")]
    Weights(&'static str),
    /// What it says of sealed content.
    #[error(transparent)]
    Sealed(#[from] SealedContentError),
    /// Fields contradict one another.
    #[error("{0}")]
    Rule(&'static str),
    /// Not signed by the key given.
    #[error("the capsule is not signed by its creator's key")]
    Signature,
}

impl Coded for ManifestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Document(DocumentError::TooLarge { .. }) => ErrorCode::ManifestTooLarge,
            Self::Document(_) => ErrorCode::DocumentInvalid,
            Self::Shares => ErrorCode::ShareExceeded,
            Self::Signature => ErrorCode::SignatureInvalid,
            _ => ErrorCode::ManifestInvalid,
        }
    }
}

impl Manifest {
    /// The manifest format that this version writes.
    pub const FORMAT: u16 = 1;

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// The capsule's id.
    #[must_use]
    pub fn id(&self) -> Cid {
        Cid::of(&self.encode())
    }

    /// Reads and checks a manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = document::decode(bytes, MANIFEST_BYTES_MAX)?;
        manifest.check().map(|()| manifest)
    }

    /// The part of the royalty that the version line keeps: what no parent takes.
    #[must_use]
    pub fn own_share(&self) -> Option<Weight> {
        weight::total(self.derived_from.iter().map(|parent| parent.share))?.complement()
    }

    /// Checks every rule that needs no other capsule.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.ambar != Self::FORMAT {
            return Err(ManifestError::Format(self.ambar));
        }
        check_text("name", &self.name, NAME_BYTES_MAX)?;
        if self.description.len() > DESCRIPTION_BYTES_MAX {
            let bytes_max = DESCRIPTION_BYTES_MAX;
            return Err(ManifestError::Text { field: "description", bytes_max });
        }
        self.check_edges()?;
        self.check_royalty()?;
        self.check_datanet()?;
        self.check_extensions()?;
        self.check_sealed()?;
        self.check_body()
    }

    /// What stands in the manifest itself, everybody reads: a capsule that is nothing else
    /// cannot be sealed.
    fn check_sealed(&self) -> Result<(), ManifestError> {
        let Some(sealed) = &self.content.sealed else { return Ok(()) };
        sealed.check()?;
        if matches!(self.kind(), Kind::Agent | Kind::Prompt) {
            return Err(ManifestError::Rule(
                "a prompt or an agent stands in its manifest, which everybody reads: it is not sealed",
            ));
        }
        Ok(())
    }

    fn check_edges(&self) -> Result<(), ManifestError> {
        check_each("previous", &self.previous, PREVIOUS_MAX, |version| *version)?;
        check_each("derived_from", &self.derived_from, PARENTS_MAX, |parent| parent.version)?;
        check_each("uses", &self.uses, COMPONENTS_MAX, |component| component.role.clone())?;
        for component in &self.uses {
            check_text("a role", &component.role, LABEL_BYTES_MAX)?;
        }
        if self.fork && self.previous.is_empty() {
            return Err(ManifestError::Rule("a fork names the version that it leaves"));
        }
        let own = self.own_share().ok_or(ManifestError::Shares)?;
        if own == Weight::ZERO && self.datanet.is_some() {
            return Err(ManifestError::Rule("a datanet keeps a part of its royalty"));
        }
        Ok(())
    }

    fn check_royalty(&self) -> Result<(), ManifestError> {
        check_each("royalty", &self.royalty, ROYALTY_LINES_MAX, |line| line.holder)?;
        let starts_line = self.fork || self.previous.is_empty();
        if starts_line == self.royalty.is_empty() {
            return Err(ManifestError::Rule(
                "the first version of a line declares royalty lines, later ones inherit them",
            ));
        }
        if starts_line {
            check_whole("royalty", self.royalty.iter().map(|line| line.weight))
        } else {
            Ok(())
        }
    }

    fn check_datanet(&self) -> Result<(), ManifestError> {
        if self.datanet.is_some() != (self.kind() == Kind::Dataset) {
            return Err(ManifestError::Rule(
                "a dataset declares its contributors, and nothing else does",
            ));
        }
        let Some(datanet) = &self.datanet else { return Ok(()) };
        check_each("methods", &datanet.methods, METHODS_MAX, |(method, _)| *method)?;
        if !datanet.methods.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err(ManifestError::Rule("attribution methods ascend by number"));
        }
        if datanet.share > Weight::ONE {
            return Err(ManifestError::Weights("the contributors' share"));
        }
        datanet.sharing.as_ref().map_or(Ok(()), SharingDeclaration::check)?;
        check_whole("methods", datanet.methods.iter().map(|(_, weight)| *weight))
    }

    fn check_extensions(&self) -> Result<(), ManifestError> {
        let name = |extension: &Extension| extension.name.clone();
        check_each("extensions", &self.extensions, EXTENSIONS_MAX, name)?;
        self.extensions.iter().try_for_each(|extension| {
            check_text("an extension's name", &extension.name, LABEL_BYTES_MAX)?;
            check_text("an extension's media type", &extension.media_type, LABEL_BYTES_MAX)
        })
    }

    fn check_body(&self) -> Result<(), ManifestError> {
        let has_role = |role: &str| self.uses.iter().any(|component| component.role == role);
        match &self.body {
            Body::Prompt(prompt) => {
                prompt.check().map_err(ManifestError::Rule)?;
                if !has_role("model") || (prompt.passages_max > 0) != has_role("datanet") {
                    return Err(ManifestError::Rule(
                        "a prompt uses a model, and a datanet exactly if it retrieves",
                    ));
                }
                Ok(())
            }
            Body::Dataset(dataset) if dataset.records == 0 => {
                Err(ManifestError::Rule("a dataset has at least one record"))
            }
            Body::Dataset(dataset) => {
                check_text("a media type", &dataset.media_type, LABEL_BYTES_MAX)
            }
            Body::Model(model) => {
                check_text("an architecture", &model.architecture, LABEL_BYTES_MAX)
            }
            Body::Code(code) => check_text("a runtime", &code.runtime, LABEL_BYTES_MAX),
            Body::Agent(_) => Ok(()),
        }
    }
}

fn check_text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), ManifestError> {
    let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    let fits = plain && text.len() <= bytes_max;
    if fits { Ok(()) } else { Err(ManifestError::Text { field, bytes_max }) }
}

fn check_each<T, K: Ord>(
    field: &'static str,
    list: &[T],
    max: usize,
    key: impl Fn(&T) -> K,
) -> Result<(), ManifestError> {
    if list.len() > max {
        return Err(ManifestError::TooMany { field, count: list.len(), max });
    }
    let distinct = list.iter().map(key).collect::<BTreeSet<_>>().len();
    if distinct == list.len() { Ok(()) } else { Err(ManifestError::Twice(field)) }
}

fn check_whole(
    field: &'static str,
    weights: impl Iterator<Item = Weight> + Clone,
) -> Result<(), ManifestError> {
    let positive = weights.clone().all(|weight| weight > Weight::ZERO);
    let whole = weight::total(weights) == Some(Weight::ONE);
    if positive && whole { Ok(()) } else { Err(ManifestError::Weights(field)) }
}

/// A manifest's bytes with its creator's signature over the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    /// The canonical bytes of the manifest.
    pub bytes: Vec<u8>,
    /// The key that signed, which the ledger compares with the creator's keys.
    pub key: PublicKey,
    /// The signature over the id.
    pub signature: Signature,
}

impl SignedManifest {
    /// Signs a manifest.
    #[must_use]
    pub fn sign(manifest: &Manifest, network: NetworkId, key: &SecretKey) -> Self {
        let bytes = manifest.encode();
        let signature = key.sign(Domain::Capsule, network, &Cid::of(&bytes).0.0);
        Self { bytes, key: key.public(), signature }
    }

    /// The capsule's id.
    #[must_use]
    pub fn id(&self) -> Cid {
        Cid::of(&self.bytes)
    }

    /// The creator's signature, to be checked.
    #[must_use]
    pub fn signed(&self, network: NetworkId) -> Signed {
        Signed::new(&self.key, Domain::Capsule, network, &self.id().0.0, &self.signature)
    }

    /// Checks signature and manifest.
    pub fn open(&self, network: NetworkId) -> Result<Manifest, ManifestError> {
        self.signed(network).verify().map_err(|_| ManifestError::Signature)?;
        Manifest::decode(&self.bytes)
    }
}

impl Encode for SignedManifest {
    fn encode(&self, writer: &mut Writer) {
        self.bytes.encode(writer);
        self.key.encode(writer);
        self.signature.encode(writer);
    }
}

impl Decode for SignedManifest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = Decode::decode(reader)?;
        Ok(Self { bytes, key: Decode::decode(reader)?, signature: Decode::decode(reader)? })
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
