//! What may belong to a person: e-mail addresses, telephone and account numbers, IP addresses,
//! CPF and CNPJ. Flags only: a form is not a person, and a person is named without any form.
//!
//! It looks at ASCII; numbers with check digits are flagged only if these fit.

use crate::finding::PersonalKind;
use crate::numbers::{cnpj, cpf, iban, luhn};

/// Most flags of one record: the rest say nothing new.
const FLAGS_MAX: usize = 64;
/// Longest piece of text in which a number is looked for, bytes.
const PIECE_BYTES_MAX: usize = 48;

/// What was found, with the bytes where it begins, ascending.
pub fn personal(text: &[u8]) -> Vec<(usize, PersonalKind)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() && found.len() < FLAGS_MAX {
        let byte = text[at];
        let begins = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        let here = match byte {
            b'@' => email(text, at).map(|(start, end)| (start, end, PersonalKind::Email)),
            b'0'..=b'9' | b'+' | b'(' if begins => number(&text[at..], text, at),
            b'A'..=b'Z' if begins => {
                account(&text[at..]).map(|end| (at, at + end, PersonalKind::Iban))
            }
            _ => None,
        };
        at = match here {
            Some((start, end, kind)) => {
                found.push((start, kind));
                end.max(at + 1)
            }
            // The rest of a number is no number of its own.
            None if byte.is_ascii_digit() => at + digits_length(&text[at..]),
            None => at + 1,
        };
    }
    found
}

fn digits_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn email(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let local = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(*byte);
    let before = text[..at].iter().rev().take(64).take_while(local).count();
    let domain = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-".contains(*byte);
    let after = text[at + 1..].iter().take(255).take_while(domain).count();
    let name = &text[at + 1..at + 1 + after];
    let name = name.strip_suffix(b".").unwrap_or(name);
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let top = &name[dot + 1..];
    let sound = before > 0 && dot > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    sound.then_some((at - before, at + 1 + name.len()))
}

fn account(rest: &[u8]) -> Option<usize> {
    let head = rest.get(..4)?;
    if !(head[1].is_ascii_uppercase() && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut letters = Vec::new();
    for (at, byte) in rest.iter().enumerate().take(PIECE_BYTES_MAX) {
        if byte.is_ascii_digit() || byte.is_ascii_uppercase() {
            letters.push(*byte);
        }
        let more = rest.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        if !more && iban(&letters) {
            return Some(at + 1);
        }
        if !(byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b' ') {
            break;
        }
    }
    None
}

/// A number that begins here: its digits, and its form with 9 for every digit.
fn number(rest: &[u8], text: &[u8], at: usize) -> Option<(usize, usize, PersonalKind)> {
    // Behind a point or a dash it is the rest of something else.
    if at > 1 && b".-/".contains(&text[at - 1]) && text[at - 2].is_ascii_alphanumeric() {
        return None;
    }
    let inside = |byte: &&u8| byte.is_ascii_digit() || b"+().-/ ".contains(*byte);
    let length = rest.iter().take(PIECE_BYTES_MAX).take_while(inside).count();
    let piece = &rest[..length];
    let end = piece.iter().rposition(u8::is_ascii_digit)? + 1;
    if rest.get(end).is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    // The longest beginning that is one of the forms.
    (1..=end).rev().filter(|end| ends(piece, *end)).find_map(|end| {
        kind(&piece[..end], &text[at.saturating_sub(12)..at]).map(|kind| (at, at + end, kind))
    })
}

/// Whether a number may end here: after a digit and before none.
fn ends(piece: &[u8], end: usize) -> bool {
    piece[end - 1].is_ascii_digit() && !piece.get(end).is_some_and(u8::is_ascii_digit)
}

fn kind(piece: &[u8], before: &[u8]) -> Option<PersonalKind> {
    let digits: Vec<u8> = piece.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
    let form: Vec<u8> = piece.iter().map(|b| if b.is_ascii_digit() { b'9' } else { *b }).collect();
    let named =
        |name: &[u8]| before.to_ascii_lowercase().windows(name.len()).any(|part| part == name);
    let is_form = |known: &[u8]| form == known;
    if cpf(&digits)
        && (is_form(b"999.999.999-99") || (digits.len() == piece.len() && named(b"cpf")))
    {
        return Some(PersonalKind::Cpf);
    }
    if cnpj(&digits)
        && (is_form(b"99.999.999/9999-99") || (digits.len() == piece.len() && named(b"cnpj")))
    {
        return Some(PersonalKind::Cnpj);
    }
    if is_card(&form, &digits) {
        return Some(PersonalKind::Card);
    }
    if is_public_ip(piece) {
        return Some(PersonalKind::Ip);
    }
    is_phone(&form, &digits).then_some(PersonalKind::Phone)
}

/// Thirteen to nineteen digits in one piece or in groups of four, from a scheme's range.
fn is_card(form: &[u8], digits: &[u8]) -> bool {
    let grouped = |by: u8| {
        let groups: Vec<&[u8]> = form.split(|byte| *byte == by).collect();
        groups.len() >= 3
            && groups.iter().all(|g| (3..=6).contains(&g.len()) && g.iter().all(|b| *b == b'9'))
    };
    let plain = form.len() == digits.len();
    (13..=19).contains(&digits.len())
        && (3..=6).contains(&digits[0])
        && (plain || grouped(b' ') || grouped(b'-'))
        && luhn(digits)
}

/// Four numbers to 255, and of no network that is one's own.
fn is_public_ip(piece: &[u8]) -> bool {
    let parts: Vec<&[u8]> = piece.split(|byte| *byte == b'.').collect();
    let number = |part: &&[u8]| -> Option<u8> {
        (1..=3).contains(&part.len()).then(|| std::str::from_utf8(part).ok()?.parse().ok())?
    };
    let numbers: Vec<u8> = parts.iter().filter_map(number).collect();
    let own = |a: u8, b: u8| {
        matches!((a, b), (0 | 10 | 127, _) | (192, 168) | (169, 254) | (172, 16..=31) | (224.., _))
    };
    // Versions of programs look so too: they begin low.
    parts.len() == 4 && numbers.len() == 4 && !own(numbers[0], numbers[1]) && numbers[0] > 9
}

/// With a country's code, or in the forms of North America and Brazil.
fn is_phone(form: &[u8], digits: &[u8]) -> bool {
    if form.first() == Some(&b'+') {
        return (8..=15).contains(&digits.len()) && digits[0] != 0;
    }
    const FORMS: [&[u8]; 6] = [
        b"(999) 999-9999",
        b"999-999-9999",
        b"999.999.9999",
        b"(99) 99999-9999",
        b"(99) 9999-9999",
        b"99 99999-9999",
    ];
    FORMS.contains(&form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let check = |text: &str, expect: &[(usize, PersonalKind)]| {
            assert_eq!(personal(text.as_bytes()), expect, "{text}");
        };
        use PersonalKind::*;
        check("write to ann.b+c@example.co.uk.", &[(9, Email)]);
        check("a @ b, a@b, @ann", &[]);
        check("call +55 11 91234-5678 or (212) 555-0187", &[(5, Phone), (26, Phone)]);
        check("from 1861-1865, 1,000,000 men, 12-31-1899, 2020-01-31 10:00", &[]);
        check("GB82 WEST 1234 5698 7654 32 is one", &[(0, Iban)]);
        check("GB82 WEST 1234 5698 7654 33, DE89370400440532013000", &[(29, Iban)]);
        check("card 4111 1111 1111 1111, not 4111 1111 1111 1112", &[(5, Card)]);
        check("5500005555555559", &[(0, Card)]);
        check("from 93.184.216.34 to 10.0.0.1, version 1.2.3.4, 300.1.1.1", &[(5, Ip)]);
        check("CPF 529.982.247-25, not 529.982.247-26", &[(4, Cpf)]);
        check("cpf: 52998224725, but 52998224725 alone", &[(5, Cpf)]);
        check("CNPJ 11.222.333/0001-81", &[(5, Cnpj)]);
        check("cnpj 11222333000181", &[(5, Cnpj)]);
    }

    #[test]
    fn flags_are_limited() {
        assert_eq!(personal("a@example.org ".repeat(100).as_bytes()).len(), FLAGS_MAX);
    }
}
