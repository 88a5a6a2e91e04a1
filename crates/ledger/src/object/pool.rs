//! Pools: where a datanet's records are gathered, under rules that their contributors vote.
//!
//! A pool is the life of a datanet between two versions: what stands in it becomes the records of
//! the next dataset that its steward publishes.

use ambar_attribution::Sharing;
use ambar_base::{Amount, Digest, Domain, Encode, Height, Moment, Price, choice, record};
use std::fmt;

/// Longest name of a pool, bytes.
pub const POOL_NAME_BYTES_MAX: usize = 64;
/// Longest theme, reason, name, licence or source of a record, bytes.
pub const POOL_TEXT_BYTES_MAX: usize = 512;
/// Most reviewers of a pool.
pub const REVIEWERS_MAX: usize = 32;
/// Most licences that a pool names.
pub const LICENCES_MAX: usize = 32;
/// Largest record that any pool takes, bytes.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;
/// For how long after it was committed a record may be revealed, milliseconds of consensus time.
/// Nobody decides on it sooner, so that whoever committed the same content before can say so.
pub const REVEAL_MS: u64 = 20_000;

record! {
    /// What a pool takes, and how it decides.
    pub struct PoolRules {
        /// Whether anybody may join; otherwise the steward brings members in.
        pub open: bool,
        /// How many reviewers must agree.
        pub agreeing: u16,
        /// What a submission sets aside, returned unless it is rejected.
        pub deposit: Price,
        /// Largest record, bytes.
        pub bytes_max: u64,
        /// The licences that records may have, as SPDX writes them; none: any.
        pub licences: Vec<String>,
        /// The SHA-256 of the rules of quality that reviewers go by; zero: those of the program.
        pub quality: Digest,
        /// How calls of its snapshots pay contributors. The ledger keeps them; the manifest of a
        /// version says what holds for it.
        pub sharing: Sharing,
    }
}

record! {
    /// A pool.
    pub struct Pool {
        /// What it is called, once in a network.
        pub name: String,
        /// What its records are about.
        pub theme: String,
        /// The account that made it, which publishes its snapshots.
        pub steward: u64,
        /// What holds now.
        pub rules: PoolRules,
        /// Who decides on records, ascending.
        pub reviewers: Vec<u64>,
        /// How often the rules have changed.
        pub revision: u64,
        /// The pool whose rules it began with.
        pub forked_from: Option<u64>,
        /// How many belong to it.
        pub members: u64,
        /// How many of them have a record that stands: those vote.
        pub contributors: u64,
        /// How many records stand.
        pub records: u64,
        /// The number of the next submission.
        pub submissions: u64,
        /// The number of the next proposal.
        pub proposals: u64,
    }
}

record! {
    /// Somebody who belongs to a pool.
    pub struct PoolMember {
        /// Since when.
        pub joined: Height,
        /// How many records of theirs stand.
        pub records: u64,
    }
}

choice! {
    /// Where a record is from, as its contributor says.
    pub enum Source {
        /// Nothing is said.
        Unstated = 0,
        /// The contributor made it.
        Own = 1,
        /// It stands at this address.
        Address(String) = 2,
        /// The DOI of a publication.
        Doi(String) = 3,
        /// The ORCID iD of who made it.
        Orcid(String) = 4,
        /// The digest of a C2PA manifest.
        C2pa(Digest) = 5,
    }
}

record! {
    /// What a record is.
    pub struct PoolRecord {
        /// The root of its content, by which nodes store it.
        pub content: Digest,
        /// How long it is, bytes.
        pub bytes: u64,
        /// What it is called.
        pub title: String,
        /// The licence that it may be used under, as SPDX writes it.
        pub licence: String,
        /// Where it is from.
        pub source: Source,
    }
}

record! {
    /// Something that somebody wants to add to a pool.
    pub struct Submission {
        /// Whose it is.
        pub contributor: u64,
        /// [`commitment`] to what it is.
        pub commitment: Digest,
        /// When it was committed.
        pub committed: Moment,
        /// What is set aside for it, until it is decided.
        pub deposit: Amount,
        /// What became of it.
        pub state: SubmissionState,
    }
}

choice! {
    /// What became of a submission.
    pub enum SubmissionState {
        /// Nobody knows what it is.
        Committed = 1,
        /// It is known, and not decided.
        Revealed(Revealed) = 2,
        /// It stands.
        Accepted(Decided) = 3,
        /// It was not taken.
        Rejected(Decided) = 4,
        /// Its contributor took it back.
        Withdrawn(TakenBack) = 5,
    }
}

record! {
    /// A record that is not decided.
    pub struct Revealed {
        /// What it is.
        pub record: PoolRecord,
        /// Reviewers who would take it.
        pub accepting: Vec<u64>,
        /// Reviewers who would not.
        pub rejecting: Vec<u64>,
    }
}

record! {
    /// A decided record.
    pub struct Decided {
        /// What it is.
        pub record: PoolRecord,
        /// At which height.
        pub height: Height,
        /// Why, if it was rejected.
        pub reason: String,
    }
}

record! {
    /// What was taken back.
    pub struct TakenBack {
        /// What it was, if anybody knew.
        pub record: Option<PoolRecord>,
        /// At which height.
        pub height: Height,
    }
}

record! {
    /// Rules that members vote about.
    pub struct Proposal {
        /// Who made it.
        pub by: u64,
        /// The rules.
        pub rules: PoolRules,
        /// The reviewers.
        pub reviewers: Vec<u64>,
        /// The revision that it changes: it lapses when another passes first.
        pub revision: u64,
        /// When it was made. Who joined later does not vote.
        pub height: Height,
        /// Who is for it, ascending.
        pub ayes: Vec<u64>,
        /// Who is against it, ascending.
        pub noes: Vec<u64>,
        /// When it passed.
        pub passed: Option<Height>,
    }
}

/// What is committed to before a record is revealed, so that nobody takes it for their own from
/// what they see: only its contributor can open it.
#[must_use]
pub fn commitment(pool: u64, contributor: u64, record: &PoolRecord, salt: &Digest) -> Digest {
    let place = [pool.to_bytes(), contributor.to_bytes()].concat();
    Domain::Submission.digest(&[place, record.to_bytes(), salt.to_bytes()].concat())
}

impl Submission {
    /// When the time to reveal it is over, and that to decide it begins.
    #[must_use]
    pub fn opens(&self) -> Moment {
        self.committed.after(REVEAL_MS)
    }

    /// Whether its deposit is held.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, SubmissionState::Committed | SubmissionState::Revealed(_))
    }

    /// What it is, if anybody knows.
    #[must_use]
    pub fn record(&self) -> Option<&PoolRecord> {
        match &self.state {
            SubmissionState::Committed => None,
            SubmissionState::Revealed(revealed) => Some(&revealed.record),
            SubmissionState::Accepted(decided) | SubmissionState::Rejected(decided) => {
                Some(&decided.record)
            }
            SubmissionState::Withdrawn(taken) => taken.record.as_ref(),
        }
    }
}

impl SubmissionState {
    /// The word for it.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Revealed(_) => "revealed",
            Self::Accepted(_) => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Withdrawn(_) => "withdrawn",
        }
    }
}

impl Source {
    /// The kind as it is written.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unstated => "unstated",
            Self::Own => "own",
            Self::Address(_) => "address",
            Self::Doi(_) => "doi",
            Self::Orcid(_) => "orcid",
            Self::C2pa(_) => "c2pa",
        }
    }

    /// Whether what it says has the form of its kind.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Unstated | Self::Own | Self::C2pa(_) => true,
            Self::Address(text) => is_text(text) && text.contains("://"),
            Self::Doi(text) => {
                let parts = text.strip_prefix("10.").and_then(|rest| rest.split_once('/'));
                let registrant = |text: &str| {
                    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                };
                is_text(text)
                    && parts.is_some_and(|(who, what)| registrant(who) && !what.is_empty())
            }
            Self::Orcid(text) => is_orcid(text),
        }
    }
}

/// Sixteen digits in four groups, the last a check digit.
/// Source: ISO/IEC 7064 MOD 11-2; <https://support.orcid.org>, "Structure of the ORCID Identifier".
fn is_orcid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let symbols = groups.concat();
    let shaped = groups.len() == 4 && groups.iter().all(|group| group.len() == 4);
    let Some((last, digits)) = symbols.as_bytes().split_last().filter(|_| shaped) else {
        return false;
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let total = digits.iter().fold(0_u32, |sum, digit| (sum + u32::from(digit - b'0')) * 2);
    match (12 - total % 11) % 11 {
        10 => *last == b'X',
        check => u32::from(*last) == u32::from(b'0') + check,
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unstated | Self::Own => f.write_str(self.kind()),
            Self::Address(text) => f.write_str(text),
            Self::Doi(text) | Self::Orcid(text) => write!(f, "{}:{text}", self.kind()),
            Self::C2pa(digest) => write!(f, "c2pa:{digest}"),
        }
    }
}

/// A line of text that no table or log misunderstands.
pub(crate) fn is_text(text: &str) -> bool {
    (1..=POOL_TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl PoolRecord {
    /// Whether it says what a record must.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let texts = [&self.title, &self.licence].into_iter().all(|text| is_text(text));
        texts && self.source.is_sound() && (1..=RECORD_BYTES_MAX).contains(&self.bytes)
    }
}

impl PoolRules {
    /// Whether every rule is within its limits.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let licences = self.licences.len() <= LICENCES_MAX;
        let sound = licences && self.licences.iter().all(|licence| is_text(licence));
        let agreeing = (1..=REVIEWERS_MAX).contains(&usize::from(self.agreeing));
        let sharing = self.sharing.check().is_ok();
        sound && agreeing && sharing && (1..=RECORD_BYTES_MAX).contains(&self.bytes_max)
    }

    /// Why a record is not for this pool, if it is not.
    #[must_use]
    pub fn refuses(&self, record: &PoolRecord) -> Option<String> {
        if record.bytes > self.bytes_max {
            return Some(format!(
                "a record has at most {} bytes here, this one has {}",
                self.bytes_max, record.bytes
            ));
        }
        if !self.licences.is_empty() && !self.licences.contains(&record.licence) {
            let known = self.licences.join(", ");
            return Some(format!("the licence {} is none of {known}", record.licence));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_the_form_of_their_kind() {
        let sound = [
            Source::Orcid("0000-0002-1825-0097".into()),
            Source::Orcid("0000-0002-1694-233X".into()),
            Source::Doi("10.1000/182".into()),
            Source::Address("https://example.org/1790".into()),
            Source::Own,
        ];
        assert!(sound.iter().all(Source::is_sound));
        let unsound = [
            Source::Orcid("0000-0002-1825-0098".into()),
            Source::Orcid("0000-0002-18250097".into()),
            Source::Orcid("0000-0002-1694-233x".into()),
            Source::Orcid("---".into()),
            Source::Doi("11.1000/182".into()),
            Source::Doi("10.1000".into()),
            Source::Doi("10./x".into()),
            Source::Address("example".into()),
            Source::Address("https://a\nb".into()),
        ];
        let wrong: Vec<_> = unsound.iter().filter(|source| source.is_sound()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_commitment_is_to_one_record_of_one_contributor_in_one_pool() {
        let record = PoolRecord {
            content: Digest::of(b"content"),
            bytes: 7,
            title: "title".into(),
            licence: "CC0-1.0".into(),
            source: Source::Own,
        };
        let salt = Digest::of(b"salt");
        let one = commitment(1, 2, &record, &salt);
        let other = PoolRecord { bytes: 8, ..record.clone() };
        let others = [
            commitment(2, 2, &record, &salt),
            commitment(1, 3, &record, &salt),
            commitment(1, 2, &other, &salt),
            commitment(1, 2, &record, &Digest::of(b"other")),
        ];
        assert!(!others.contains(&one));
        assert_eq!(one, commitment(1, 2, &record, &salt));
    }
}
