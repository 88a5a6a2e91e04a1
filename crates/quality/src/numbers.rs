//! Numbers that check themselves.

/// Luhn's sum (ISO/IEC 7812-1) over the digits of a card.
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// The check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10), given without blanks.
pub fn iban(letters: &[u8]) -> bool {
    if !(15..=34).contains(&letters.len()) {
        return false;
    }
    let turned = letters[4..].iter().chain(&letters[..4]);
    let rest = turned.fold(0_u32, |rest, letter| match letter {
        b'0'..=b'9' => (rest * 10 + u32::from(letter - b'0')) % 97,
        other => (rest * 100 + u32::from(other.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    rest == 1
}

/// The two check digits of a CPF.
pub fn cpf(digits: &[u8]) -> bool {
    digits.len() == 11
        && digits.iter().any(|digit| *digit != digits[0])
        && eleven(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[9]
        && eleven(&digits[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[10]
}

/// The two check digits of a CNPJ of digits.
pub fn cnpj(digits: &[u8]) -> bool {
    digits.len() == 14
        && digits.iter().any(|digit| *digit != digits[0])
        && eleven(&digits[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[12]
        && eleven(&digits[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[13]
}

fn eleven(digits: &[u8], weights: &[u32]) -> u8 {
    let sum: u32 =
        digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest as u8,
    }
}
