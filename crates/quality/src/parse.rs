//! From TOML to [`Rules`]: a closed language. What is not said is as in the defaults; every
//! error is reported, at its place.

use crate::language::Language;
use crate::problem::{Problem, RulesError, RulesErrors};
use crate::rules::{Action, RECORD_BYTES_MAX, RULES_BYTES_MAX, Rules};
use ambar_base::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key with its table.
const KEYS: &[&str] = &[
    "rules",
    "bytes",
    "bytes.min",
    "bytes.max",
    "duplicates",
    "duplicates.exact",
    "duplicates.review_per_mille",
    "duplicates.reject_per_mille",
    "overlap",
    "overlap.per_mille",
    "overlap.action",
    "boilerplate",
    "boilerplate.per_mille",
    "boilerplate.records",
    "boilerplate.action",
    "filler",
    "filler.distinct_per_mille",
    "filler.run_characters",
    "filler.action",
    "addresses_model",
    "addresses_model.action",
    "language",
    "language.allow",
    "language.action",
    "personal",
    "personal.action",
];

type Item<'t> = Spanned<DeValue<'t>>;

struct Reader<'t> {
    text: &'t str,
    items: BTreeMap<&'static str, &'t Item<'t>>,
    errors: Vec<(usize, RulesError)>,
}

impl<'t> Reader<'t> {
    fn refuse_at(&mut self, at: usize, key: &str, problem: Problem) {
        self.errors.push((at, RulesError::new(self.text, at, key, problem)));
    }

    fn refuse(&mut self, key: &str, problem: Problem) {
        let at = self.items.get(key).map_or(0, |item| item.span().start);
        self.refuse_at(at, key, problem);
    }

    fn flatten(&mut self, prefix: &str, table: &'t DeTable<'t>) {
        for (key, item) in table {
            let path = format!("{prefix}{}", key.get_ref());
            let Some(known) = KEYS.iter().find(|known| **known == path) else {
                let problem = Problem::UnknownKey { nearest: nearest(&path, KEYS) };
                self.refuse_at(key.span().start, &path, problem);
                continue;
            };
            self.items.insert(known, item);
            let is_table = prefix.is_empty() && *known != "rules";
            match item.get_ref() {
                DeValue::Table(inner) if is_table => self.flatten(&format!("{path}."), inner),
                _ if is_table => self.refuse(known, Problem::WrongType("a table")),
                _ => {}
            }
        }
    }

    fn number(&mut self, key: &'static str, least: u32, most: u32, value: &mut u32) {
        let Some(item) = self.items.get(key) else { return };
        let Some(number) = item.get_ref().as_integer() else {
            return self.refuse(key, Problem::WrongType("an integer"));
        };
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if (least..=most).contains(&number) => *value = number,
            _ => self.refuse(key, Problem::OutOfRange { least, most }),
        }
    }

    fn action(&mut self, key: &'static str, most: Action, value: &mut Action) {
        let Some(item) = self.items.get(key) else { return };
        let Some(word) = item.get_ref().as_str() else {
            return self.refuse(key, Problem::WrongType("a text in quotes"));
        };
        let allowed = Action::ALL.into_iter().filter(|action| *action <= most);
        match allowed.clone().find(|action| action.text() == word) {
            Some(action) => *value = action,
            None => {
                let expected = allowed.map(Action::text).collect::<Vec<_>>().join(", ");
                self.refuse(key, Problem::UnknownWord { word: word.to_owned(), expected });
            }
        }
    }

    fn languages(&mut self, value: &mut BTreeSet<Language>) {
        let Some(item) = self.items.get("language.allow") else { return };
        let Some(items) = item.get_ref().as_array() else {
            return self.refuse("language.allow", Problem::WrongType("a list of texts"));
        };
        for item in items {
            let word = item.get_ref().as_str().unwrap_or_default();
            match Language::ALL.iter().find(|language| language.code() == word) {
                Some(language) => {
                    value.insert(*language);
                }
                None => {
                    let codes: Vec<_> = Language::ALL.iter().map(|l| l.code()).collect();
                    let problem =
                        Problem::UnknownWord { word: word.to_owned(), expected: codes.join(", ") };
                    self.refuse_at(item.span().start, "language.allow", problem);
                }
            }
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Rules {
    let mut rules = Rules::default();
    let mut version = 1;
    if !reader.items.contains_key("rules") {
        reader.refuse("rules", Problem::Missing);
    }
    reader.number("rules", 1, 1, &mut version);
    reader.number("bytes.min", 1, RECORD_BYTES_MAX, &mut rules.bytes_min);
    reader.number("bytes.max", 1, RECORD_BYTES_MAX, &mut rules.bytes_max);
    reader.action("duplicates.exact", Action::Reject, &mut rules.exact);
    reader.number("duplicates.review_per_mille", 100, 1000, &mut rules.near_review);
    reader.number("duplicates.reject_per_mille", 100, 1001, &mut rules.near_reject);
    reader.number("overlap.per_mille", 200, 1000, &mut rules.overlap_share);
    reader.action("overlap.action", Action::Reject, &mut rules.overlap);
    reader.number("boilerplate.per_mille", 50, 1000, &mut rules.boilerplate_share);
    reader.number("boilerplate.records", 2, 1000, &mut rules.boilerplate_records);
    reader.action("boilerplate.action", Action::Reject, &mut rules.boilerplate);
    reader.number("filler.distinct_per_mille", 0, 1000, &mut rules.filler_distinct);
    reader.number("filler.run_characters", 8, 1_000_000, &mut rules.filler_run);
    reader.action("filler.action", Action::Reject, &mut rules.filler);
    reader.action("addresses_model.action", Action::Reject, &mut rules.addresses_model);
    reader.languages(&mut rules.languages);
    reader.action("language.action", Action::Reject, &mut rules.language);
    reader.action("personal.action", Action::Review, &mut rules.personal);
    if rules.bytes_min > rules.bytes_max {
        reader.refuse("bytes.min", Problem::Above("bytes.max"));
    }
    if rules.near_review > rules.near_reject {
        reader.refuse("duplicates.review_per_mille", Problem::Above("duplicates.reject_per_mille"));
    }
    rules
}

impl FromStr for Rules {
    type Err = RulesErrors;

    fn from_str(text: &str) -> Result<Self, RulesErrors> {
        if text.len() > RULES_BYTES_MAX {
            return Err(RulesErrors(vec![RulesError::new(text, 0, "", Problem::TooLong)]));
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        let syntax = errors.iter().map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            RulesError::new(text, at, "", Problem::Syntax(error.message().to_owned()))
        });
        let syntax: Vec<_> = syntax.collect();
        if !syntax.is_empty() {
            return Err(RulesErrors(syntax));
        }
        let mut reader = Reader { text, items: BTreeMap::new(), errors: Vec::new() };
        reader.flatten("", root.get_ref());
        let rules = read(&mut reader);
        let mut errors = reader.errors;
        errors.sort_by_key(|(at, _)| *at);
        if errors.is_empty() {
            return Ok(rules);
        }
        Err(RulesErrors(errors.into_iter().map(|(_, error)| error).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let mut rules = Rules::default();
        assert_eq!(rules.to_string().parse(), Ok(rules.clone()));
        assert_eq!("rules = 1".parse(), Ok(rules.clone()));
        let digest = rules.digest();
        rules.languages = [Language::English, Language::Portuguese].into();
        rules.personal = Action::Note;
        rules.near_review = 300;
        assert_eq!(rules.to_string().parse(), Ok(rules.clone()));
        assert_ne!(rules.digest(), digest);
    }

    #[test]
    fn mistakes_have_their_place() {
        let check = |text: &str, expect: &str| {
            let errors = text.parse::<Rules>().unwrap_err().to_string();
            assert_eq!(errors, expect, "{text}");
        };
        check("", "line 1, column 1: rules: this key is missing");
        check("rules = 2", "line 1, column 9: rules: expected a number from 1 to 1");
        check(
            "rules = 1\n[byte]\nmin = 1",
            "line 2, column 2: byte: no key of rules; the nearest known one is `bytes`",
        );
        check(
            "rules = 1\n[filler]\nrun_chars = 9\naction = \"refuse\"",
            "line 3, column 1: filler.run_chars: no key of rules; the nearest known one is \
             `filler.run_characters`\nline 4, column 10: filler.action: `refuse` is not one of \
             note, review, reject",
        );
        check(
            "rules = 1\n[personal]\naction = \"reject\"",
            "line 3, column 10: personal.action: `reject` is not one of note, review",
        );
        check(
            "rules = 1\nbytes = { min = 9, max = 8 }",
            "line 2, column 17: bytes.min: expected at most `bytes.max`",
        );
        check("rules = 1\nbytes = 7", "line 2, column 9: bytes: expected a table");
        assert!("rules = ".parse::<Rules>().is_err());
        assert!("rules = 1\n[language]\nallow = [\"xx\"]".parse::<Rules>().is_err());
    }
}
