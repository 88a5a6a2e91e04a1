//! What a search has to find, by looking everywhere: slow, and written apart from what it
//! judges.
//!
//! Every place of the records is looked at; where the next bytes are the first of some stretch
//! of an answer, they are compared byte by byte. Of each place of the answer the longest
//! stretch is kept, and counted; those within another one are left out.

use ambar_corpus::Document;
use std::collections::HashMap;

/// Where stretches may begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// At words, in the answer and in the records.
    Words,
    /// Anywhere.
    Bytes,
}

/// First byte, byte after the last, occurrences.
pub type Span = (usize, usize, usize);

/// Bytes by which places are found.
const KEY_BYTES: usize = 8;

fn separates(byte: u8) -> bool {
    byte == 0xe2 || (byte < 0x80 && !byte.is_ascii_alphanumeric())
}

/// The words of a text, from and to.
fn words(text: &[u8]) -> Vec<(usize, usize)> {
    let (mut words, mut begun, mut at) = (Vec::new(), None, 0);
    while at < text.len() {
        if separates(text[at]) {
            words.extend(begun.take().map(|start| (start, at)));
            // The rest of a symbol of three bytes is no word.
            let symbol = text[at] == 0xe2;
            let rest = text[at + 1..].iter().take(2).take_while(|byte| **byte & 0xc0 == 0x80);
            at += 1 + if symbol { rest.count() } else { 0 };
        } else {
            begun = begun.or(Some(at));
            at += 1;
        }
    }
    words.extend(begun.map(|start| (start, at)));
    words
}

impl Edges {
    /// Where stretches of a text may begin.
    fn starts(self, text: &[u8]) -> Vec<usize> {
        match self {
            Self::Words => words(text).into_iter().map(|(start, _)| start).collect(),
            Self::Bytes => (0..text.len()).collect(),
        }
    }

    /// Where stretches of an answer may end.
    fn ends(self, text: &[u8]) -> Vec<usize> {
        match self {
            Self::Words => words(text).into_iter().map(|(_, end)| end).collect(),
            Self::Bytes => (1..=text.len()).collect(),
        }
    }

    /// Whether a stretch that ends where it may in the answer may end there in the record.
    fn closes(self, record: &[u8], end: usize) -> bool {
        self == Self::Bytes || record.get(end).is_none_or(|byte| separates(*byte))
    }
}

fn key(text: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; KEY_BYTES] = text.get(at..at + KEY_BYTES)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The maximal spans of each answer that have at least `bytes_min` bytes, which are at least
/// eight.
pub fn spans(
    documents: &[Document],
    answers: &[Vec<u8>],
    edges: Edges,
    bytes_min: usize,
) -> Vec<Vec<Span>> {
    let mut wanted = HashMap::<u64, Vec<(usize, usize)>>::new();
    for (index, answer) in answers.iter().enumerate() {
        for at in edges.starts(answer) {
            if let Some(key) = key(answer, at).filter(|_| at + bytes_min <= answer.len()) {
                wanted.entry(key).or_default().push((index, at));
            }
        }
    }
    let places = places(documents, &wanted, edges, answers, bytes_min);
    let one = |(index, answer): (usize, &Vec<u8>)| {
        maximal(documents, answer, edges, bytes_min, &places[index])
    };
    answers.iter().enumerate().map(one).collect()
}

/// For each answer and place of it: document and place of the records that agree for
/// `bytes_min` bytes.
type Places = Vec<HashMap<usize, Vec<(usize, usize)>>>;

fn places(
    documents: &[Document],
    wanted: &HashMap<u64, Vec<(usize, usize)>>,
    edges: Edges,
    answers: &[Vec<u8>],
    bytes_min: usize,
) -> Places {
    let mut places: Places = vec![HashMap::new(); answers.len()];
    // A filter of bits spares looking most keys up.
    let slot = |key: u64| (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
    let mut filter = vec![false; 1 << 24];
    wanted.keys().for_each(|key| filter[slot(*key)] = true);
    for (number, Document { text, .. }) in documents.iter().enumerate() {
        for at in edges.starts(text) {
            let Some(key) = key(text, at).filter(|key| filter[slot(*key)]) else { continue };
            for (answer, place) in wanted.get(&key).into_iter().flatten() {
                let stretch = &answers[*answer][*place..*place + bytes_min];
                if text[at..].starts_with(stretch) {
                    places[*answer].entry(*place).or_default().push((number, at));
                }
            }
        }
    }
    places
}

fn maximal(
    documents: &[Document],
    answer: &[u8],
    edges: Edges,
    bytes_min: usize,
    places: &HashMap<usize, Vec<(usize, usize)>>,
) -> Vec<Span> {
    let (mut spans, mut reached, all) = (Vec::new(), 0, edges.ends(answer));
    for start in edges.starts(answer) {
        let Some(found) = places.get(&start) else { continue };
        let common = |(number, at): &(usize, usize)| {
            let pairs = answer[start..].iter().zip(&documents[*number].text[*at..]);
            pairs.take_while(|(one, other)| one == other).count()
        };
        let shared: Vec<usize> = found.iter().map(common).collect();
        let holds = |length: usize| {
            let good = |((number, at), common): (&(usize, usize), &usize)| {
                *common >= length && edges.closes(&documents[*number].text, at + length)
            };
            found.iter().zip(&shared).filter(|pair| good(*pair)).count()
        };
        let most = shared.iter().copied().max().unwrap_or(0);
        let ends =
            all.iter().rev().filter(|end| **end >= start + bytes_min && **end <= start + most);
        let lengths = ends.map(|end| end - start);
        let longest = lengths.map(|length| (length, holds(length))).find(|(_, n)| *n > 0);
        if let Some((length, count)) = longest.filter(|(length, _)| start + length > reached) {
            reached = start + length;
            spans.push((start, reached, count));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], answer: &str, edges: Edges, expect: &[Span]) {
        let document = |text: &&str| Document {
            title: "x".into(),
            contributor: 0,
            text: text.as_bytes().to_vec(),
        };
        let documents: Vec<Document> = texts.iter().map(document).collect();
        let found = spans(&documents, &[answer.as_bytes().to_vec()], edges, 8);
        assert_eq!(found, [expect.to_vec()], "{answer}");
    }

    #[test]
    fn spans_are_maximal_and_counted() {
        let texts = ["the old mill by the river", "an old mill by the riverside"];
        check(&texts, "old mill by the river", Edges::Words, &[(0, 21, 1)]);
        check(&texts, "old mill by the river", Edges::Bytes, &[(0, 21, 2)]);
        check(&texts, "cold mill by the rivers", Edges::Words, &[(5, 16, 2)]);
        check(&texts, "cold mill by the rivers", Edges::Bytes, &[(1, 23, 1)]);
        check(&texts, "too old", Edges::Bytes, &[]);
        check(&["“mill—by the”"], "x“mill—by the”", Edges::Words, &[(4, 17, 1)]);
    }
}
