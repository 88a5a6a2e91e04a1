//! A traced text: verbatim spans marked by contributor, and who they are.

use crate::paint::{Paint, line};
use crate::table::{Side, Table};
use ambar_node::api::dto::{TraceAnswer, TraceSpan};
use std::collections::BTreeMap;

/// Longest record name in the table, characters.
const DOCUMENT_CHARS_MAX: usize = 44;
/// Longest contributor in the table, characters.
const CONTRIBUTOR_CHARS_MAX: usize = 28;

/// The text with each span in its first contributor's colour, and below it the
/// contributors with their weights and every span with where it stands.
pub fn traced(text: &str, answer: &TraceAnswer, paint: Paint) -> String {
    if answer.spans.is_empty() {
        return "no verbatim span of this text stands in the datanet\n".to_owned();
    }
    let colours = colours(answer);
    let marked = marked(text, &answer.spans, &colours, paint);
    format!("{}\n\n{}\n{}", marked.trim_end(), shares(answer, &colours, paint), spans(text, answer))
}

/// Contributors by weight, heaviest first: the place is the colour.
fn colours(answer: &TraceAnswer) -> BTreeMap<&str, usize> {
    let shared = answer.shares.iter().map(|share| share.contributor.as_str());
    let spanned = answer.spans.iter().map(|span| span.contributor.as_str());
    let mut colours = BTreeMap::new();
    for contributor in shared.chain(spanned) {
        let next = colours.len();
        colours.entry(contributor).or_insert(next);
    }
    colours
}

fn marked(
    text: &str,
    spans: &[TraceSpan],
    colours: &BTreeMap<&str, usize>,
    paint: Paint,
) -> String {
    let mut ordered: Vec<_> = spans.iter().collect();
    // Longest first among those that begin together; what overlaps is not marked twice.
    ordered.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let (mut out, mut at) = (String::new(), 0);
    for span in ordered {
        let start = boundary(text, span.start as usize).max(at);
        let end = boundary(text, span.end as usize);
        if start >= end {
            continue;
        }
        let colour = colours.get(span.contributor.as_str()).copied().unwrap_or_default();
        out += &text[at..start];
        out += &paint.mark(colour, &text[start..end]);
        at = end;
    }
    out + &text[at..]
}

/// The nearest character boundary at or below a byte offset.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn shares(answer: &TraceAnswer, colours: &BTreeMap<&str, usize>, paint: Paint) -> String {
    let mut out = String::new();
    for share in &answer.shares {
        let colour = colours.get(share.contributor.as_str()).copied().unwrap_or_default();
        let weight = paint.mark(colour, &format!(" {:>12} ", share.weight));
        out += &format!("{weight} {}\n", line(&share.contributor, CONTRIBUTOR_CHARS_MAX * 2));
    }
    out
}

fn spans(text: &str, answer: &TraceAnswer) -> String {
    let columns = [
        ("bytes", Side::Right),
        ("contributor", Side::Left),
        ("record", Side::Left),
        ("at", Side::Right),
        ("found", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for span in &answer.spans {
        let end = (span.end as usize).min(text.len());
        table.row([
            format!("{}-{end}", span.start),
            line(&span.contributor, CONTRIBUTOR_CHARS_MAX),
            line(&span.document, DOCUMENT_CHARS_MAX),
            span.offset.to_string(),
            span.count.to_string(),
        ]);
    }
    table.print("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_node::api::dto::TraceShare;

    fn span(start: u32, end: u32, contributor: &str) -> TraceSpan {
        TraceSpan {
            start,
            end,
            datanet: "bafyrei".into(),
            document: "record".into(),
            contributor: contributor.into(),
            offset: 7,
            count: 1,
            proof: None,
        }
    }

    #[test]
    fn spans_are_marked_once_and_at_characters() {
        let text = "aé bcd";
        let spans = [span(1, 2, "x"), span(0, 3, "y"), span(4, 99, "x")];
        let colours = [("y", 0), ("x", 1)].into();
        let expect =
            format!("{} {}", Paint::when(true).mark(0, "aé"), Paint::when(true).mark(1, "bcd"));
        // The blank at byte 3 and the end beyond the text are kept and cut.
        assert_eq!(marked(text, &spans, &colours, Paint::when(true)), expect);
        assert_eq!(marked(text, &spans, &colours, Paint::when(false)), text);
    }

    #[test]
    fn tables_name_contributors() {
        let shares = vec![TraceShare { contributor: "James Monroe".into(), weight: "100%".into() }];
        let answer =
            TraceAnswer { datanets: vec![], spans: vec![span(0, 3, "James Monroe")], shares };
        let text = traced("abc", &answer, Paint::when(false));
        let expect = "\
abc

         100%  James Monroe

bytes  contributor   record  at  found
-----  ------------  ------  --  -----
  0-3  James Monroe  record   7      1
";
        assert_eq!(text, expect);
        let none = TraceAnswer { datanets: vec![], spans: vec![], shares: vec![] };
        assert!(traced("abc", &none, Paint::when(false)).starts_with("no verbatim span"));
    }
}
