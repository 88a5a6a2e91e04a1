//! The inverted index: for each term, the passages that hold it and how often.
//!
//! Three sections: the terms' bytes one after the other in ascending order; for each term
//! where its bytes and its postings end; and the postings, passage and count, ascending
//! by passage.

use crate::integers::{Integers, to_bytes};
use crate::words::{self, Word};
use std::collections::HashMap;

/// Integers per entry of the table and per posting.
const PAIR: usize = 2;

/// Collects terms passage by passage. The map is only looked up in, never walked, so its
/// random order reaches nothing.
#[derive(Debug, Default)]
pub struct Builder {
    numbers: HashMap<Vec<u8>, usize>,
    terms: Vec<Vec<u8>>,
    postings: Vec<Vec<(u32, u32)>>,
    scratch: Vec<u8>,
}

/// The three sections.
#[derive(Debug)]
pub struct Sections {
    pub terms: Vec<u8>,
    pub table: Vec<u8>,
    pub postings: Vec<u8>,
}

impl Builder {
    /// Adds words to passage number `passage`; passages come in ascending order.
    /// Returns the number of terms counted.
    pub fn add(&mut self, passage: u32, text: &[u8]) -> u32 {
        let mut counted = 0;
        for Word { start, end } in words::words(text) {
            let mut term = std::mem::take(&mut self.scratch);
            if words::term(&text[start..end], &mut term) {
                counted += 1;
                let number = self.number(&term);
                match self.postings[number].last_mut() {
                    Some((last, count)) if *last == passage => *count += 1,
                    _ => self.postings[number].push((passage, 1)),
                }
            }
            self.scratch = term;
        }
        counted
    }

    fn number(&mut self, term: &[u8]) -> usize {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let number = self.terms.len();
        self.numbers.insert(term.to_vec(), number);
        self.terms.push(term.to_vec());
        self.postings.push(Vec::new());
        number
    }

    /// The index in the order of the terms.
    pub fn finish(mut self) -> Sections {
        let mut order: Vec<usize> = (0..self.terms.len()).collect();
        order.sort_unstable_by(|a, b| self.terms[*a].cmp(&self.terms[*b]));
        self.numbers = HashMap::new();
        let (mut terms, mut table, mut count) = (Vec::new(), Vec::new(), 0u32);
        let all: usize = self.postings.iter().map(Vec::len).sum();
        let mut postings = Vec::with_capacity(PAIR * Integers::BYTES * all);
        for number in order {
            terms.extend_from_slice(&self.terms[number]);
            // Its place is given back at once: postings take as much memory as the text.
            let list = std::mem::take(&mut self.postings[number]);
            count += list.len() as u32;
            let integers = list.into_iter().flat_map(|(passage, n)| [passage, n]);
            integers.for_each(|integer| postings.extend_from_slice(&integer.to_le_bytes()));
            table.extend([terms.len() as u32, count]);
        }
        Sections { terms, table: to_bytes(&table), postings }
    }
}

/// The inverted index where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    terms: &'a [u8],
    table: Integers<'a>,
    postings: Integers<'a>,
}

/// The postings of one term.
#[derive(Clone, Copy, Debug)]
pub struct Postings<'a> {
    all: Integers<'a>,
    start: usize,
    end: usize,
}

impl<'a> Terms<'a> {
    /// A view of the three sections.
    pub fn open(terms: &'a [u8], table: &'a [u8], postings: &'a [u8]) -> Self {
        Self { terms, table: Integers::new(table), postings: Integers::new(postings) }
    }

    /// Where the bytes and the postings of the terms before `index` end.
    fn ends(self, index: usize) -> (usize, usize) {
        let end = |column| self.table.at(PAIR * (index - 1) + column) as usize;
        if index == 0 { (0, 0) } else { (end(0), end(1)) }
    }

    /// The postings of `term`; none if no passage holds it.
    pub fn find(self, term: &[u8]) -> Option<Postings<'a>> {
        let (mut low, mut high) = (0, self.table.len() / PAIR);
        while low < high {
            let middle = low.midpoint(high);
            let ((start, first), (end, last)) = (self.ends(middle), self.ends(middle + 1));
            match self.terms[start..end].cmp(term) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    return Some(Postings { all: self.postings, start: first, end: last });
                }
            }
        }
        None
    }
}

impl Postings<'_> {
    /// How many passages hold the term.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Passage and count, ascending by passage.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (self.start..self.end).map(|i| (self.all.at(PAIR * i), self.all.at(PAIR * i + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_lead_to_their_passages() {
        let mut builder = Builder::default();
        assert_eq!(builder.add(0, b"The bank and the BANK of Maine"), 3);
        assert_eq!(builder.add(1, b"of the"), 0);
        assert_eq!(builder.add(2, b"war, bank; war"), 3);
        let sections = builder.finish();
        let terms = Terms::open(&sections.terms, &sections.table, &sections.postings);
        let check = |term: &str, expect: Option<Vec<(u32, u32)>>| {
            let found = terms.find(term.as_bytes()).map(|found| found.iter().collect());
            assert_eq!(found, expect, "{term}");
        };
        check("bank", Some(vec![(0, 2), (2, 1)]));
        check("war", Some(vec![(2, 2)]));
        check("maine", Some(vec![(0, 1)]));
        check("the", None);
        check("peace", None);
        assert_eq!(terms.find(b"bank").map(|found| found.len()), Some(2));
    }
}
