//! Reading typed values out of TOML while collecting every error with its place.
//!
//! The tree is flattened to paths such as `quota.calls` against the closed list
//! [`KEYS`], so that a clause is one look-up. This module knows the shapes of values,
//! not what clauses mean.

use crate::problem::{Position, Problem, TermsError, TermsErrors};
use ambar_base::nearest::nearest;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key of the language with its table.
pub const KEYS: &[&str] = &[
    "terms",
    "grants",
    "term",
    "term.days",
    "term.until",
    "quota",
    "quota.calls",
    "quota.per",
    "quota.rate",
    "quota.spend",
    "purposes",
    "purposes.allow",
    "purposes.deny",
    "delegation",
    "delegation.depth",
    "price",
    "price.per_mu",
    "price.per_call",
    "price.minimum",
    "price.tier",
    "price.tier.from_calls",
    "price.tier.per_mu",
    "price.tier.per_call",
    "price.tier.minimum",
    "derivatives",
    "derivatives.allowed",
    "derivatives.share",
    "derivatives.floor_per_call",
    "text",
    "text.spdx",
    "text.sha256",
    "territories",
    "territories.allow",
    "territories.deny",
    "revoke_if",
    "runtime",
    "runtime.require",
];

/// Keys whose values are lists of tables.
const LISTS: &[&str] = &["price.tier"];

type Item<'t> = Spanned<DeValue<'t>>;

/// The values of a text by path, and the errors found so far.
pub struct Reader<'t> {
    text: &'t str,
    items: BTreeMap<&'static str, &'t Item<'t>>,
    errors: Vec<TermsError>,
}

impl<'t> Reader<'t> {
    /// Flattens a tree.
    pub fn new(text: &'t str, root: &'t DeTable<'t>) -> Self {
        let mut reader = Self { text, items: BTreeMap::new(), errors: Vec::new() };
        reader.flatten("", root);
        reader
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
            if is_table(known) && !LISTS.contains(known) {
                match item.get_ref() {
                    DeValue::Table(inner) => self.flatten(&format!("{path}."), inner),
                    _ => self.refuse(known, Problem::WrongType { expected: "a table" }),
                }
            }
        }
    }

    fn refuse_at(&mut self, offset: usize, key: &str, problem: Problem) {
        let position = Some(Position::of(self.text, offset));
        self.errors.push(TermsError { position, key: key.to_owned(), problem });
    }

    /// Records an error at the value of a key, or at its table if the key is not there.
    pub fn refuse(&mut self, key: &str, problem: Problem) {
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        let item = self.items.get(key).or_else(|| self.items.get(table));
        self.refuse_at(item.map_or(0, |item| item.span().start), key, problem);
    }

    /// Records an error unless this key has one already.
    pub fn refuse_first(&mut self, key: &str, problem: Problem) {
        if !self.errors.iter().any(|error| error.key == key) {
            self.refuse(key, problem);
        }
    }

    /// Whether the text has this key.
    pub fn has(&self, key: &str) -> bool {
        self.items.contains_key(key)
    }

    /// The value of a key if its shape is right.
    fn take<T>(
        &mut self,
        key: &str,
        expected: &'static str,
        shape: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let value = shape(self.items.get(key)?.get_ref());
        if value.is_none() {
            self.refuse(key, Problem::WrongType { expected });
        }
        value
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<&'t str> {
        self.take(key, "a text in quotes", DeValue::as_str)
    }

    /// True or false.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.take(key, "true or false", DeValue::as_bool)
    }

    /// An integer from `least` to `most`.
    pub fn integer(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = self.take(key, "an integer", DeValue::as_integer)?;
        let value = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let value = value.and_then(|value| u64::try_from(value).ok());
        let value = value.filter(|value| (least..=most).contains(value));
        if value.is_none() {
            self.refuse(key, Problem::OutOfRange { least, most });
        }
        value
    }

    /// A date and time.
    pub fn datetime(&mut self, key: &str) -> Option<&'t toml::value::Datetime> {
        self.take(key, "an instant without quotes", DeValue::as_datetime)
    }

    /// A text that `read` understands.
    pub fn parsed<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let value = read(self.text(key)?);
        value.map_err(|problem| self.refuse(key, problem)).ok()
    }

    /// A list of different texts, each of which `read` understands. Errors stand at the
    /// item.
    pub fn list<T: Ord>(
        &mut self,
        key: &str,
        most: usize,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Vec<T> {
        let Some(items) = self.take(key, "a list of texts", DeValue::as_array) else {
            return Vec::new();
        };
        if items.len() > most {
            self.refuse(key, Problem::TooMany { most });
            return Vec::new();
        }
        let mut found = Vec::new();
        for item in items {
            match list_item(item, &found, &read) {
                Ok(value) => found.push(value),
                Err(problem) => self.refuse_at(item.span().start, key, problem),
            }
        }
        found
    }

    /// Reads each table of a list of tables. What is wrong in one stands at its place there.
    pub fn each(&mut self, key: &'static str, most: usize, mut read: impl FnMut(&mut Self)) {
        let Some(items) = self.take(key, "a list of tables", DeValue::as_array) else { return };
        if items.len() > most {
            self.refuse(key, Problem::TooMany { most });
            return;
        }
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                self.refuse_at(item.span().start, key, Problem::WrongType { expected: "a table" });
                continue;
            };
            let mut one = Self { text: self.text, items: [(key, item)].into(), errors: Vec::new() };
            one.flatten(&format!("{key}."), table);
            read(&mut one);
            self.errors.append(&mut one.errors);
        }
    }

    /// The errors found, if there are any.
    pub fn finish(self) -> Result<(), TermsErrors> {
        TermsErrors::unless_none(self.errors)
    }
}

fn is_table(key: &str) -> bool {
    KEYS.iter().any(|other| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn list_item<T: Ord>(
    item: &Item<'_>,
    found: &[T],
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let text = item.get_ref().as_str();
    let text = text.ok_or(Problem::WrongType { expected: "a text in quotes" })?;
    let value = read(text)?;
    if found.contains(&value) { Err(Problem::Repeated(text.to_owned())) } else { Ok(value) }
}
