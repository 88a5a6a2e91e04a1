//! Colours, for terminals only (<https://no-color.org>), and texts cut to a width.

use std::io::IsTerminal;

/// Colours of contributors in turn: ANSI 256 backgrounds that black is readable on.
const PALETTE: [u8; 12] = [222, 153, 157, 218, 186, 147, 216, 123, 193, 183, 229, 159];

/// Whether and how to colour.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours on standard output, if it is a terminal and `NO_COLOR` is not set.
    pub fn stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && allowed() }
    }

    /// Colours on standard error, likewise.
    pub fn stderr() -> Self {
        Self { on: std::io::stderr().is_terminal() && allowed() }
    }

    /// As told.
    #[cfg(test)]
    pub fn when(on: bool) -> Self {
        Self { on }
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Good.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Bad.
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// Marked with the colour of the `number`th contributor.
    pub fn mark(self, number: usize, text: &str) -> String {
        self.wrap(&format!("30;48;5;{}", PALETTE[number % PALETTE.len()]), text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One line of at most `chars` characters; what is cut shows as an ellipsis. Control
/// characters, which could steer a terminal, become blanks.
pub fn line(text: &str, chars: usize) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars {
        return line;
    }
    let cut: String = line.chars().take(chars.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// The beginning of an id or account, enough to tell a handful apart.
pub fn short(id: &str) -> String {
    const HEAD_CHARS: usize = 10;
    const TAIL_CHARS: usize = 4;
    let count = id.chars().count();
    if count <= HEAD_CHARS + TAIL_CHARS + 1 {
        return id.to_owned();
    }
    let head: String = id.chars().take(HEAD_CHARS).collect();
    let tail: String = id.chars().skip(count - TAIL_CHARS).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_when_on() {
        assert_eq!(Paint::when(false).mark(3, "x"), "x");
        assert_eq!(Paint::when(true).green("x"), "\x1b[32mx\x1b[0m");
        assert_eq!(Paint::when(true).mark(0, "x"), Paint::when(true).mark(PALETTE.len(), "x"));
    }

    #[test]
    fn lines_are_cut_and_cleaned() {
        assert_eq!(line("a\nb\x1b[31m  c", 20), "a b [31m c");
        assert_eq!(line("one two three", 8), "one two…");
        assert_eq!(line("Zoë", 3), "Zoë");
    }

    #[test]
    fn ids_are_shortened() {
        assert_eq!(short("abc"), "abc");
        assert_eq!(short("bafyreiabcdefghijklmnopqrstuvwxyz"), "bafyreiabc…wxyz");
    }
}
