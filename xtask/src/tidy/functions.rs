//! The functions of a file and their lengths.
//!
//! A length is the number of lines from the line of `fn` to that of the closing
//! brace, both included. Declarations without a body have none.

use super::scan::{in_word, item_end, line_of, occurrences};

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// As written; a macro's `$name` with its sign.
    pub(super) name: String,
    /// Of the keyword `fn`, from one.
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) lines: usize,
}

/// Every function in blanked code, inner ones too.
pub(super) fn functions(code: &str) -> Vec<Function> {
    occurrences(code, "fn", in_word).filter_map(|at| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let rest = code[at + 2..].trim_start();
    let name: String =
        rest.chars().take_while(|c| c.is_alphanumeric() || "_$#".contains(*c)).collect();
    if name.is_empty() || rest.len() == code.len() - at - 2 {
        // A pointer type, `fn(u8) -> u8`.
        return None;
    }
    let (open, end) = item_end(code, at);
    open?;
    let line = line_of(code, at);
    Some(Function { name, line, lines: line_of(code, end - 1) - line + 1 })
}

#[cfg(test)]
mod tests {
    use super::functions;
    use crate::tidy::blank::code_only;

    fn check(text: &str, expect: &[(&str, usize, usize)]) {
        let found = functions(&code_only(text));
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn lengths_run_from_the_keyword_to_the_closing_brace() {
        check("fn a() {}", &[("a", 1, 1)]);
        check(
            "\npub(crate) const fn a<T: Fn() -> u8>(\n x: T,\n) -> u8 {\n x()\n}\n",
            &[("a", 2, 5)],
        );
        check("trait A {\n fn a(&self);\n fn b(&self) {\n }\n}", &[("b", 3, 2)]);
        check("fn a() {\n fn b() {\n }\n}", &[("a", 1, 4), ("b", 2, 2)]);
        check("fn a(f: fn(u8) -> u8, x: [u8; 2]) where u8: Copy {\n}", &[("a", 1, 2)]);
        check("macro_rules! m { ($n:ident) => {\n fn $n() {\n }\n}; }", &[("$n", 2, 2)]);
        check("struct F { f: fn(u8) }", &[]);
    }

    #[test]
    fn braces_and_keywords_in_text_do_not_count() {
        check("fn a() {\n \"}\";\n}", &[("a", 1, 3)]);
        check("fn a() {\n r#\"\"}\"#;\n}", &[("a", 1, 3)]);
        check("fn a<'x>(x: &'x u8) {\n '}'; '\\''; b'}';\n}", &[("a", 1, 3)]);
        check("fn a() {\n // }\n /* } /* } */ } */\n}", &[("a", 1, 4)]);
        check("// fn b() {}\nfn a() {\n \"fn c() {}\"\n}", &[("a", 2, 3)]);
    }
}
