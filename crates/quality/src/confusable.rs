//! Letters that look like Latin ones, and characters that look like nothing.
//!
//! Not the whole of Unicode's confusables (UTS 39): what reads as a Latin letter in running
//! text, of Cyrillic, Greek, Armenian, small capitals, and letters in circles and boxes. Compatible
//! forms, such as full width, are resolved before this is asked.

/// The Latin letter that a character looks like.
pub fn latin(c: char) -> Option<u8> {
    greek(c).or_else(|| cyrillic(c)).or_else(|| extended(c)).or_else(|| boxed(c))
}

fn greek(c: char) -> Option<u8> {
    Some(match c {
        'Α' | 'α' => b'a',
        'Β' | 'β' => b'b',
        'Ε' | 'ε' => b'e',
        'Ζ' => b'z',
        'Η' => b'h',
        'η' | 'Ν' => b'n',
        'Ι' | 'ι' => b'i',
        'Κ' | 'κ' => b'k',
        'Μ' => b'm',
        'Ο' | 'ο' | 'σ' => b'o',
        'Ρ' | 'ρ' => b'p',
        'Τ' | 'τ' => b't',
        'Υ' | 'γ' => b'y',
        'Χ' | 'χ' => b'x',
        'ν' => b'v',
        'υ' => b'u',
        'ω' => b'w',
        'ς' => b's',
        _ => return None,
    })
}

fn cyrillic(c: char) -> Option<u8> {
    Some(match c {
        'А' | 'а' => b'a',
        'В' | 'в' => b'b',
        'С' | 'с' => b'c',
        'ԁ' | 'Ԁ' => b'd',
        'Е' | 'е' => b'e',
        'Н' | 'н' | 'һ' | 'Һ' => b'h',
        'І' | 'і' => b'i',
        'Ј' | 'ј' => b'j',
        'К' | 'к' => b'k',
        'ӏ' | 'Ӏ' => b'l',
        'М' | 'м' => b'm',
        'п' => b'n',
        'О' | 'о' => b'o',
        'Р' | 'р' => b'p',
        'ԛ' | 'Ԛ' => b'q',
        'г' => b'r',
        'Ѕ' | 'ѕ' => b's',
        'Т' | 'т' => b't',
        'ѵ' | 'Ѵ' => b'v',
        'ԝ' | 'Ԝ' => b'w',
        'Х' | 'х' => b'x',
        'У' | 'у' => b'y',
        _ => return None,
    })
}

/// Armenian, small capitals, and Latin letters that do not come apart.
fn extended(c: char) -> Option<u8> {
    Some(match c {
        'ɑ' | 'ᴀ' | 'æ' | 'Æ' => b'a',
        'ʙ' => b'b',
        'ᴄ' => b'c',
        'ᴅ' | 'đ' | 'Đ' | 'ð' | 'Ð' => b'd',
        'ᴇ' => b'e',
        'ꜰ' | 'ƒ' => b'f',
        'ɡ' | 'ɢ' | 'ց' => b'g',
        'ʜ' | 'հ' => b'h',
        'ɪ' | 'ı' | 'ɩ' => b'i',
        'ᴊ' => b'j',
        'ᴋ' => b'k',
        'ʟ' | 'ł' | 'Ł' => b'l',
        'ᴍ' => b'm',
        'ɴ' | 'ո' => b'n',
        'ᴏ' | 'ø' | 'Ø' | 'օ' => b'o',
        'ᴘ' => b'p',
        'ʀ' => b'r',
        'ꜱ' | 'ß' => b's',
        'ᴛ' => b't',
        'ᴜ' | 'ս' => b'u',
        'ᴠ' => b'v',
        'ᴡ' => b'w',
        'ʏ' => b'y',
        'ᴢ' => b'z',
        _ => return None,
    })
}

/// White letters in black circles and boxes, and the letters that flags are made of.
fn boxed(c: char) -> Option<u8> {
    let first = match c {
        '\u{1f150}'..='\u{1f169}' => 0x1f150,
        '\u{1f170}'..='\u{1f189}' => 0x1f170,
        '\u{1f1e6}'..='\u{1f1ff}' => 0x1f1e6,
        _ => return None,
    };
    Some(b'a' + (c as u32 - first) as u8)
}

/// Whether a character shows nothing and takes no room: it does not end a word.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{e0001}' | '\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}')
}

/// The ASCII character that a tag character stands for. Nobody sees tag characters, and models
/// read them.
pub fn tagged(c: char) -> Option<u8> {
    matches!(c, '\u{e0020}'..='\u{e007e}').then(|| (c as u32 - 0xe0000) as u8)
}

/// Whether a character stands above or below another.
pub fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}
