//! What was found in a record, and what follows from it.

use crate::language::Language;
use crate::rules::{Action, Rules};
use std::collections::BTreeSet;

/// How bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Too many control characters: a file of another kind.
    Binary,
    /// Not UTF-8.
    NotUtf8,
    /// It begins as UTF-16 does.
    Utf16,
    /// A zero byte, which no record of a corpus holds.
    ZeroByte,
}

impl Encoding {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Binary => "control characters, as in a binary file",
            Self::NotUtf8 => "bytes that are not UTF-8",
            Self::Utf16 => "UTF-16; records are UTF-8",
            Self::ZeroByte => "a zero byte",
        }
    }
}

/// Why a record says little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FillerKind {
    /// So few of its shingles are different, of a thousand.
    Repetition(u32),
    /// The same character so many times after one another.
    Run(u32),
    /// A printer's dummy text.
    LoremIpsum,
    /// So few of its bytes are letters or digits, of a thousand.
    NoWords(u32),
}

/// Which record a share is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// So much of this record stands in the other.
    This,
    /// So much of the other stands in this record.
    Other,
}

/// What may belong to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PersonalKind {
    /// A number of a payment card (Luhn).
    Card,
    /// A Brazilian company's number, with its check digits.
    Cnpj,
    /// A Brazilian person's number, with its check digits.
    Cpf,
    /// An e-mail address.
    Email,
    /// An account number (ISO 13616), with its check digits.
    Iban,
    /// An IP address of the public network.
    Ip,
    /// A telephone number.
    Phone,
}

impl PersonalKind {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Card => "card number",
            Self::Cnpj => "CNPJ",
            Self::Cpf => "CPF",
            Self::Email => "e-mail address",
            Self::Iban => "IBAN",
            Self::Ip => "IP address",
            Self::Phone => "telephone number",
        }
    }
}

/// One thing that was found. Places are bytes from the start of the record; records are named
/// by their numbers in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing but blanks.
    Empty,
    /// Fewer bytes than the rules ask for.
    TooShort {
        /// Its length.
        bytes: u64,
    },
    /// More bytes than the rules allow; nothing else was looked at.
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// No text; nothing else was looked at.
    NotText {
        /// Where it ends to be one.
        at: usize,
        /// How.
        why: Encoding,
    },
    /// The same bytes are there.
    ExactDuplicate {
        /// The record.
        of: u32,
    },
    /// Nearly the same words are there.
    NearDuplicate {
        /// The record.
        of: u32,
        /// Estimated Jaccard index of the shingles.
        per_mille: u32,
    },
    /// One record is to a large part in another.
    Overlap {
        /// The other record.
        of: u32,
        /// The share.
        per_mille: u32,
        /// Of which of the two.
        part: Part,
    },
    /// Much of it stands in many records, or in well-known licences.
    Boilerplate {
        /// The share of its shingles.
        per_mille: u32,
        /// Where the first of it begins.
        at: usize,
    },
    /// It says little.
    Filler {
        /// Why.
        why: FillerKind,
        /// Where it begins.
        at: usize,
    },
    /// It speaks to a model instead of to a reader.
    AddressesModel {
        /// Where.
        at: usize,
        /// The pattern that it fits.
        phrase: &'static str,
    },
    /// A language that the rules do not list.
    Language {
        /// Which.
        found: Language,
    },
    /// What may belong to a person.
    Personal {
        /// What.
        kind: PersonalKind,
        /// Where.
        at: usize,
    },
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident $text:literal;)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $($(#[$doc])* $variant),* }

        impl Check {
            /// Every kind, alphabetical.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As scripts read it.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

checks! {
    /// [`Finding::AddressesModel`].
    AddressesModel "addresses_model";
    /// [`Finding::Boilerplate`].
    Boilerplate "boilerplate";
    /// [`Finding::Empty`].
    Empty "empty";
    /// [`Finding::ExactDuplicate`].
    ExactDuplicate "exact_duplicate";
    /// [`Finding::Filler`].
    Filler "filler";
    /// [`Finding::Language`].
    Language "language";
    /// [`Finding::NearDuplicate`].
    NearDuplicate "near_duplicate";
    /// [`Finding::NotText`].
    NotText "not_text";
    /// [`Finding::Overlap`].
    Overlap "overlap";
    /// [`Finding::Personal`].
    Personal "personal";
    /// [`Finding::TooLong`].
    TooLong "too_long";
    /// [`Finding::TooShort`].
    TooShort "too_short";
}

impl Finding {
    /// Its kind.
    #[must_use]
    pub fn check(&self) -> Check {
        match self {
            Self::Empty => Check::Empty,
            Self::TooShort { .. } => Check::TooShort,
            Self::TooLong { .. } => Check::TooLong,
            Self::NotText { .. } => Check::NotText,
            Self::ExactDuplicate { .. } => Check::ExactDuplicate,
            Self::NearDuplicate { .. } => Check::NearDuplicate,
            Self::Overlap { .. } => Check::Overlap,
            Self::Boilerplate { .. } => Check::Boilerplate,
            Self::Filler { .. } => Check::Filler,
            Self::AddressesModel { .. } => Check::AddressesModel,
            Self::Language { .. } => Check::Language,
            Self::Personal { .. } => Check::Personal,
        }
    }

    /// Where it is, if it is at one place: a byte of the record.
    #[must_use]
    pub fn at(&self) -> Option<usize> {
        match self {
            Self::NotText { at, .. }
            | Self::Boilerplate { at, .. }
            | Self::Filler { at, .. }
            | Self::AddressesModel { at, .. }
            | Self::Personal { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// The record that it names.
    #[must_use]
    pub fn of(&self) -> Option<u32> {
        match self {
            Self::ExactDuplicate { of }
            | Self::NearDuplicate { of, .. }
            | Self::Overlap { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// What the rules do about it.
    fn action(&self, rules: &Rules) -> Action {
        match self {
            Self::Empty | Self::TooShort { .. } | Self::TooLong { .. } | Self::NotText { .. } => {
                Action::Reject
            }
            Self::ExactDuplicate { .. } => rules.exact,
            Self::NearDuplicate { per_mille, .. } if *per_mille >= rules.near_reject => {
                Action::Reject
            }
            Self::NearDuplicate { .. } => Action::Review,
            Self::Overlap { .. } => rules.overlap,
            Self::Boilerplate { .. } => rules.boilerplate,
            Self::Filler { .. } => rules.filler,
            Self::AddressesModel { .. } => rules.addresses_model,
            Self::Language { .. } => rules.language,
            Self::Personal { .. } => rules.personal,
        }
    }
}

/// What becomes of a record, with the kinds of findings that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Accept,
    /// A person decides.
    Review(BTreeSet<Check>),
    /// The rules refuse it.
    Reject(BTreeSet<Check>),
}

impl Verdict {
    /// What follows from these findings by these rules.
    #[must_use]
    pub fn of(findings: &[Finding], rules: &Rules) -> Self {
        let acting = |action: Action| -> BTreeSet<Check> {
            let found = findings.iter().filter(|finding| finding.action(rules) == action);
            found.map(Finding::check).collect()
        };
        let (rejecting, reviewing) = (acting(Action::Reject), acting(Action::Review));
        match (rejecting.is_empty(), reviewing.is_empty()) {
            (false, _) => Self::Reject(rejecting),
            (true, false) => Self::Review(reviewing),
            (true, true) => Self::Accept,
        }
    }

    /// In a word: `accept`, `review` or `reject`.
    #[must_use]
    pub fn text(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Review(_) => "review",
            Self::Reject(_) => "reject",
        }
    }
}
