//! The page as it grows: paragraphs and tables of Markdown.
//!
//! **Invariant**: the same calls give the same bytes; it knows no time and no machine.

use std::fmt::Write as _;

/// Longest line of a paragraph.
const LINE_CHARACTERS: usize = 100;

/// A page.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A heading of a section.
    pub fn section(&mut self, title: &str) {
        self.block(&format!("## {title}"));
    }

    /// A heading within a section.
    pub fn part(&mut self, title: &str) {
        self.block(&format!("### {title}"));
    }

    /// Paragraphs, filled anew; those that are indented stay as they are.
    pub fn text(&mut self, text: &str) {
        for paragraph in text.trim_end().split("\n\n") {
            let code = paragraph.starts_with("    ");
            self.block(&if code { paragraph.to_owned() } else { filled(paragraph) });
        }
    }

    /// What is laid out already.
    pub fn laid_out(&mut self, text: &str) {
        self.block(text.trim_end());
    }

    /// A table. The first column is words, the others are figures.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let mut table = format!("| {} |\n|---|", head.join(" | "));
        table.push_str(&"---:|".repeat(head.len().saturating_sub(1)));
        for row in rows {
            assert_eq!(row.len(), head.len(), "a row has a cell for each column");
            let _ = write!(table, "\n| {} |", row.join(" | "));
        }
        self.block(&table);
    }

    fn block(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// The whole.
    pub fn finish(self) -> String {
        self.0
    }
}

/// A paragraph in lines of at most so many characters.
fn filled(paragraph: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in paragraph.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > LINE_CHARACTERS {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// A part of a whole in per cent, with one digit.
pub fn per_cent(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.1}", 100.0 * part / whole) } else { "–".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_filled_and_code_is_not() {
        let mut page = Page::default();
        page.text(&format!("a\n{}\n\n    cargo\n    run", "word ".repeat(30)));
        let lines: Vec<String> = page.finish().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[0].len()), (5, 96));
        assert_eq!(lines[2..], ["", "    cargo", "    run"]);
    }

    #[test]
    fn blocks_stand_apart() {
        let mut page = Page::default();
        page.section("One");
        page.text("Words.\n");
        page.table(&["what", "n"], &[vec!["a".into(), "1".into()]]);
        assert_eq!(page.finish(), "## One\n\nWords.\n\n| what | n |\n|---|---:|\n| a | 1 |\n");
        assert_eq!((per_cent(1.0, 3.0), per_cent(1.0, 0.0)), ("33.3".into(), "–".into()));
    }
}
