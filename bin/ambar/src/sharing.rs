//! Rules of sharing as they are said on a command line, kept in `contributors.toml`, and read.

use crate::failure::{Failure, Outcome};
use ambar_attribution::{Duplicates, Sharing, SharingError};
use ambar_base::{ErrorCode, Weight};
use ambar_node::api::dto;
use ambar_node::contributors::ContributorsFile;
use ambar_node::files::CONTRIBUTORS_FILE;
use clap::Args;

/// Rules of sharing; those that are not said stay, or are the usual ones.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct SharingArgs {
    /// How records that hold the same words share: equal, first or halving [default: first in a
    /// pool, equal elsewhere]
    #[arg(long, value_name = "RULE")]
    duplicates: Option<Duplicates>,
    /// The part that goes to whoever is drawn among all contributors, up to 50% [default: 0%]
    #[arg(long, value_name = "PERCENT")]
    floor: Option<Weight>,
    /// The most that one contributor gets of a call by evidence [default: 100%]
    #[arg(long, value_name = "PERCENT")]
    cap: Option<Weight>,
}

impl SharingArgs {
    /// Whether any is said.
    pub fn are_said(&self) -> bool {
        self.duplicates.is_some() || self.floor.is_some() || self.cap.is_some()
    }

    /// The rules, where `before` holds what is not said.
    pub fn over(&self, before: Sharing) -> Outcome<Sharing> {
        let sharing = Sharing {
            duplicates: self.duplicates.unwrap_or(before.duplicates),
            floor: self.floor.unwrap_or(before.floor),
            cap: self.cap.unwrap_or(before.cap),
        };
        sharing.check().map_err(|error| Failure::input(error.to_string()))?;
        Ok(sharing)
    }

    /// The rules of records that are published: what was voted stands in their file.
    pub fn of_records(&self, declared: &ContributorsFile) -> Outcome<Sharing> {
        match declared.sharing()? {
            Some(_) if self.are_said() => Err(Failure::input(format!(
                "{CONTRIBUTORS_FILE} says the rules of sharing: leave --duplicates, --floor and \
                 --cap out"
            ))),
            Some(said) => Ok(said),
            None => self.over(Sharing::USUAL),
        }
    }
}

/// What a node says the rules are.
pub fn parsed(said: &dto::Sharing) -> Outcome<Sharing> {
    let odd = || {
        let dto::Sharing { duplicates, floor, cap } = said;
        let message =
            format!("the node says rules of sharing that are none: {duplicates}, {floor}, {cap}");
        Failure::new(ErrorCode::BadGateway, message)
    };
    let rule: Result<Duplicates, SharingError> = said.duplicates.parse();
    let weight = |text: &str| text.parse::<Weight>().map_err(|_| odd());
    let duplicates = rule.map_err(|_| odd())?;
    let sharing = Sharing { duplicates, floor: weight(&said.floor)?, cap: weight(&said.cap)? };
    if sharing.check().is_ok() { Ok(sharing) } else { Err(odd()) }
}

/// The table of `contributors.toml` that says these rules.
pub fn table(rules: &Sharing) -> String {
    let Sharing { duplicates, floor, cap } = rules;
    format!("[sharing]\nduplicates = \"{duplicates}\"\nfloor = \"{floor}\"\ncap = \"{cap}\"\n\n")
}

/// The rules as lines with their names.
pub fn rows(rules: &dto::Sharing) -> [(&'static str, String); 3] {
    [
        ("duplicates share", rules.duplicates.clone()),
        ("floor for all", rules.floor.clone()),
        ("cap of one", rules.cap.clone()),
    ]
}

/// The rules in half a sentence.
pub fn words(rules: &Sharing) -> String {
    let Sharing { duplicates, floor, cap } = rules;
    format!("duplicates share by `{duplicates}`, floor {floor}, cap {cap}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(rule: &str, floor: &str, cap: &str) -> SharingArgs {
        let weight = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let duplicates = (!rule.is_empty()).then(|| rule.parse().unwrap());
        SharingArgs { duplicates, floor: weight(floor), cap: weight(cap) }
    }

    #[test]
    fn what_is_not_said_stays() {
        let before = said("halving", "5%", "30%").over(Sharing::OF_POOLS).unwrap();
        assert_eq!(said("", "", "").over(before).unwrap(), before);
        let after = said("first", "", "40%").over(before).unwrap();
        assert_eq!(after, said("first", "5%", "40%").over(Sharing::USUAL).unwrap());
        assert_eq!(said("", "51%", "").over(before).unwrap_err().code, ErrorCode::RequestInvalid);
        assert!(said("", "", "0%").over(before).is_err());
    }

    #[test]
    fn what_was_voted_is_what_pays() {
        let rules = said("first", "12.5%", "40%").over(Sharing::USUAL).unwrap();
        let file = ContributorsFile::parse(&table(&rules)).unwrap();
        assert_eq!(said("", "", "").of_records(&file).unwrap(), rules);
        assert!(said("", "12.5%", "").of_records(&file).is_err(), "said twice");
        let silent = ContributorsFile::default();
        assert_eq!(said("", "", "").of_records(&silent).unwrap(), Sharing::USUAL);
        assert_eq!(said("first", "12.5%", "40%").of_records(&silent).unwrap(), rules);
    }

    #[test]
    fn a_node_is_read_with_care() {
        let rules = said("halving", "5%", "30%").over(Sharing::USUAL).unwrap();
        let shown = dto::Sharing::of(&rules);
        assert_eq!(parsed(&shown).unwrap(), rules);
        let odd = [
            dto::Sharing { duplicates: "all".into(), ..shown.clone() },
            dto::Sharing { floor: "60%".into(), ..shown.clone() },
            dto::Sharing { cap: "0%".into(), ..shown.clone() },
            dto::Sharing { cap: "30".into(), ..shown },
        ];
        for odd in odd {
            assert_eq!(parsed(&odd).unwrap_err().code, ErrorCode::BadGateway);
        }
    }
}
