//! The known key nearest to an unknown one, for errors about documents that people write.

/// Longest key that is compared; of longer ones the beginning counts, characters.
const COMPARED_CHARS_MAX: usize = 64;

/// The member of `known` nearest to `key`: first by the last part of the path, then by
/// the whole path, so that a right key in a wrong table finds its table. `known` is not
/// empty.
#[must_use]
pub fn nearest(key: &str, known: &[&'static str]) -> &'static str {
    let leaf = |path: &str| path.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    let cost = |path: &&&'static str| {
        (2 * distance(&leaf(key), &leaf(path)) + usize::from(table(key) != table(path)), path.len())
    };
    known.iter().min_by_key(cost).copied().unwrap_or_default()
}

fn table(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(table, _)| table)
}

/// Edits between two words: insertion, deletion, substitution (Levenshtein 1966, by
/// Wagner and Fischer's rows).
#[must_use]
pub fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(COMPARED_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(COMPARED_CHARS_MAX).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let check = |a: &str, b: &str, expect| assert_eq!(distance(a, b), expect, "{a} {b}");
        check("", "", 0);
        check("quota", "quota", 0);
        check("qouta", "quota", 2);
        check("kitten", "sitting", 3);
        check("", "abc", 3);
    }

    #[test]
    fn finds_keys_of_rules() {
        let known = ["bytes", "bytes.min", "filler", "filler.action", "language.action"];
        let check = |key: &str, expect| assert_eq!(nearest(key, &known), expect, "{key}");
        check("byte", "bytes");
        check("bytes.mim", "bytes.min");
        check("filler.acton", "filler.action");
        check("language.actions", "language.action");
    }

    #[test]
    fn finds_the_key_or_its_table() {
        let known = ["grants", "term", "term.days", "price", "price.per_mu", "price.per_call"];
        let check = |key: &str, expect| assert_eq!(nearest(key, &known), expect, "{key}");
        check("grant", "grants");
        check("terms", "term");
        check("price.permu", "price.per_mu");
        check("days", "term.days");
        check("price.day", "term.days");
    }
}
