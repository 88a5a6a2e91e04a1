//! The search over names and descriptions: terms, matched by a stated rule.

use crate::rows::CatalogueRow;

/// The rule, for people.
pub const SEARCH_RULE: &str = "every word of the query stands in the name or the description; \
a word of the name counts 4, the beginning of one 2, a word of the description 1; \
then the newest first";

/// Most words of a query that are looked for.
pub const QUERY_WORDS_MAX: usize = 16;

/// A capsule that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The capsule.
    pub row: CatalogueRow,
    /// Its points.
    pub score: u64,
}

/// The words of a text in lower case: runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of a query, each once.
#[must_use]
pub fn query_words(query: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words(query) {
        if !found.contains(&word) {
            found.push(word);
        }
    }
    found.truncate(QUERY_WORDS_MAX);
    found
}

/// The points of a row; nothing unless every word is found. `names` are registered for the
/// row's line.
#[must_use]
pub fn score(row: &CatalogueRow, names: &[String], query: &[String]) -> Option<u64> {
    let own = words(&row.name).chain(names.iter().flat_map(|name| words(name)));
    let name: Vec<String> = own.collect();
    let description: Vec<String> = words(&row.description).collect();
    let points = |word: &String| {
        if name.contains(word) {
            Some(4)
        } else if name.iter().any(|own| own.starts_with(word.as_str())) {
            Some(2)
        } else {
            description.contains(word).then_some(1)
        }
    };
    query.iter().map(points).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{AccountId, Cid, Height};

    fn row(name: &str, description: &str) -> CatalogueRow {
        CatalogueRow {
            sequence: 1,
            id: Cid::of(name.as_bytes()),
            number: 0,
            line: 0,
            kind: "model".into(),
            name: name.into(),
            description: description.into(),
            creator: AccountId::reserved("network"),
            height: Height(1),
        }
    }

    #[test]
    fn scores() {
        let row = row("Presidents of the Union", "Speeches, 1790-2019.");
        let check = |query: &str, expect| {
            assert_eq!(score(&row, &["potus".into()], &query_words(query)), expect, "{query}");
        };
        check("union", Some(4));
        check("Union UNION", Some(4));
        check("uni", Some(2));
        check("speeches union", Some(5));
        check("1790", Some(1));
        check("potus", Some(4));
        check("speech", None);
        check("union mars", None);
    }
}
