//! What a datanet asks of a record. Thresholds are its own; the defaults are what the bench
//! `quality` measures.

use crate::VERSION;
use crate::language::Language;
use ambar_base::Digest;
use std::collections::BTreeSet;
use std::fmt;

/// Longest rules file, bytes.
pub const RULES_BYTES_MAX: usize = 64 * 1024;
/// Longest record that any rules allow, bytes: checking needs about ten times its length.
pub const RECORD_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is shown, and nothing follows.
    Note,
    /// A reviewer decides.
    Review,
    /// The record is refused.
    Reject,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Note, Self::Review, Self::Reject];

    /// As rules say it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Review => "review",
            Self::Reject => "reject",
        }
    }
}

/// The rules of a datanet. Each field says what it rewards and how it is gamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Fewest bytes of a record. Rewards records that say something; gamed by padding.
    pub bytes_min: u32,
    /// Most bytes. Rewards records that can be reviewed; gamed by splitting.
    pub bytes_max: u32,
    /// What is done about the same bytes. Rewards whoever was first; gamed by one changed letter,
    /// which is a near-duplicate.
    pub exact: Action,
    /// From this resemblance on a reviewer decides. Rewards words of one's own; gamed by changing
    /// every sixth word.
    pub near_review: u32,
    /// From this resemblance on a record is refused. Rewards and is gamed likewise.
    pub near_reject: u32,
    /// From this share of one record in another on there is an overlap. Rewards records that are
    /// not cut from others; gamed by excerpts among words of one's own.
    pub overlap_share: u32,
    /// What is done about an overlap.
    pub overlap: Action,
    /// From this share of shingles on a record is boilerplate. Rewards text besides the header;
    /// gamed by varying the header.
    pub boilerplate_share: u32,
    /// A shingle in so many records is boilerplate. Low numbers punish quoting; gamed by
    /// publishing fewer.
    pub boilerplate_records: u32,
    /// What is done about boilerplate.
    pub boilerplate: Action,
    /// With a smaller share of different shingles a record is filler. Rewards saying things once;
    /// gamed by generated prose.
    pub filler_distinct: u32,
    /// So many equal characters after one another are filler. Gamed by alternating two.
    pub filler_run: u32,
    /// What is done about filler.
    pub filler: Action,
    /// What is done about text that addresses a model. Gamed by phrases that are not listed.
    pub addresses_model: Action,
    /// The languages that are allowed; empty for any. Gamed by common words of an allowed one.
    pub languages: BTreeSet<Language>,
    /// What is done about another language.
    pub language: Action,
    /// What is done about personal data: at most a review, because a form is not a person.
    pub personal: Action,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            bytes_min: 1,
            bytes_max: 4 * 1024 * 1024,
            exact: Action::Reject,
            near_review: 300,
            near_reject: 850,
            overlap_share: 600,
            overlap: Action::Review,
            boilerplate_share: 500,
            boilerplate_records: 5,
            boilerplate: Action::Review,
            filler_distinct: 400,
            filler_run: 200,
            filler: Action::Review,
            addresses_model: Action::Review,
            languages: BTreeSet::new(),
            language: Action::Review,
            personal: Action::Review,
        }
    }
}

impl Rules {
    /// What identifies these rules and these checks.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let head = format!("ambar quality {VERSION}\n");
        Digest::of_parts(&[head.as_bytes(), self.to_string().as_bytes()])
    }
}

impl fmt::Display for Rules {
    /// The rules file that says everything, defaults included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rules = 1\n\n[bytes]")?;
        writeln!(f, "min = {}\nmax = {}", self.bytes_min, self.bytes_max)?;
        writeln!(f, "\n[duplicates]\nexact = \"{}\"", self.exact.text())?;
        writeln!(f, "review_per_mille = {}", self.near_review)?;
        writeln!(f, "reject_per_mille = {}", self.near_reject)?;
        writeln!(f, "\n[overlap]\nper_mille = {}", self.overlap_share)?;
        writeln!(f, "action = \"{}\"", self.overlap.text())?;
        writeln!(f, "\n[boilerplate]\nper_mille = {}", self.boilerplate_share)?;
        writeln!(f, "records = {}", self.boilerplate_records)?;
        writeln!(f, "action = \"{}\"", self.boilerplate.text())?;
        writeln!(f, "\n[filler]\ndistinct_per_mille = {}", self.filler_distinct)?;
        writeln!(f, "run_characters = {}", self.filler_run)?;
        writeln!(f, "action = \"{}\"", self.filler.text())?;
        writeln!(f, "\n[addresses_model]\naction = \"{}\"", self.addresses_model.text())?;
        let codes: Vec<_> =
            self.languages.iter().map(|language| format!("\"{}\"", language.code())).collect();
        writeln!(f, "\n[language]\nallow = [{}]", codes.join(", "))?;
        writeln!(f, "action = \"{}\"", self.language.text())?;
        writeln!(f, "\n[personal]\naction = \"{}\"", self.personal.text())
    }
}
