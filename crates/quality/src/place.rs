//! Lines and columns of places in a text.

/// The places of one text, asked in ascending order: the text is read once.
#[derive(Clone, Debug)]
pub struct Places<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Places<'t> {
    /// At the start of a text.
    #[must_use]
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// Line and column of a byte, both from 1; columns count characters. A place before the one
    /// that was asked for last starts again; past the end it is the end.
    pub fn of(&mut self, at: usize) -> (usize, usize) {
        if at < self.at {
            *self = Self::new(self.text);
        }
        let end = at.min(self.text.len());
        for byte in &self.text[self.at..end] {
            if *byte == b'\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else if byte & 0xc0 != 0x80 {
                self.column += 1;
            }
        }
        self.at = end;
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let mut places = Places::new("ab\nçd\n".as_bytes());
        let mut check = |at, expect| assert_eq!(places.of(at), expect, "{at}");
        check(0, (1, 1));
        check(1, (1, 2));
        check(3, (2, 1));
        check(5, (2, 2));
        check(99, (3, 1));
        check(1, (1, 2));
    }
}
