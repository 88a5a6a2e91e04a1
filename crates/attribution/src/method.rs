//! The methods of attribution and what each of them means.

use crate::sharing::Duplicates;
use ambar_base::choice;

choice! {
    /// A published way to attribute an answer. Numbers are for ever; a changed rule takes
    /// a new version.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Method {
        /// Passages that were given to the model as context.
        Retrieval = 1,
        /// Stretches of the answer that stand word for word in the corpus.
        VerbatimSpan = 2,
        /// Words of the answer that follow in the corpus where a model that is the corpus would
        /// take them from.
        CorpusModel = 3,
        /// A draw among all contributors: a rule of sharing, not a part of any mix.
        CommonFloor = 4,
    }
}

impl Method {
    /// Every method, ascending.
    pub const ALL: &'static [Self] =
        &[Self::Retrieval, Self::VerbatimSpan, Self::CorpusModel, Self::CommonFloor];

    /// The number used on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Retrieval => 1,
            Self::VerbatimSpan => 2,
            Self::CorpusModel => 3,
            Self::CommonFloor => 4,
        }
    }

    /// The version of the rule that turns evidence into claims.
    #[must_use]
    pub const fn version(self) -> u16 {
        1
    }

    /// The name that people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::VerbatimSpan => "verbatim-span",
            Self::CorpusModel => "corpus-model",
            Self::CommonFloor => "common-floor",
        }
    }

    /// What a share by this method says, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Retrieval => {
                "passages of this contributor were given to the model with the question: \
                 evidence of use, not of causal influence"
            }
            Self::VerbatimSpan => {
                "stretches of the answer stand word for word in records of this contributor: \
                 evidence of use, not of causal influence"
            }
            Self::CorpusModel => {
                "words of the answer follow in records of this contributor on the words before \
                 them: exactly where an answer of the corpus model was drawn from, of any other \
                 answer evidence of use, not of causal influence"
            }
            Self::CommonFloor => {
                "this contributor was drawn among all of the datanet, by its rules of sharing: \
                 no evidence of use"
            }
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }
}

/// What the evidence of one method says for one contributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// Size of the claim; comparable only with claims from the same evidence. At most
    /// [`ambar_base::weight::CLAIM_MAX`].
    pub raw: u128,
}

/// Evidence that speaks for contributors.
pub trait Attributor {
    /// The method whose evidence this is.
    fn method(&self) -> Method;

    /// One claim per contributor that the evidence names with more than nothing,
    /// ascending by contributor.
    fn claims(&self) -> Vec<Claim>;

    /// The same, where a rule says how records that hold the same words share.
    fn claims_by(&self, _rule: Duplicates) -> Vec<Claim> {
        self.claims()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec::{Encode, decode};

    #[test]
    fn numbers_and_names_are_for_ever() {
        let check = |method: Method, number: u8, name| {
            assert_eq!((method.number(), method.name()), (number, name));
            assert_eq!(method.to_bytes(), [number]);
            assert_eq!(decode(&[number]), Ok(method));
            assert_eq!(Method::named(name), Some(method));
            assert!(method.meaning().contains("evidence of use"));
        };
        check(Method::Retrieval, 1, "retrieval");
        check(Method::VerbatimSpan, 2, "verbatim-span");
        check(Method::CorpusModel, 3, "corpus-model");
        check(Method::CommonFloor, 4, "common-floor");
        assert_eq!(Method::named("influence"), None);
        assert!(decode::<Method>(&[0]).is_err());
    }
}
