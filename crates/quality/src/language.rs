//! Which language a text is in: by the script of its letters, and in Latin script by how many of
//! its words are among the commonest of each language.
//!
//! Seven languages of Latin script are told apart. A short text, or one in which no language
//! leads, is of no known language; that is said only of texts long enough to tell.

use crate::fold::Folded;

/// Fewest words of which a language is said.
const WORDS_MIN: usize = 20;
/// Fewest letters of a text in another script.
const LETTERS_MIN: usize = 40;
/// Fewest common words among a thousand.
const COMMON_PER_MILLE_MIN: usize = 80;
/// Words looked at: more say the same.
const WORDS_MAX: usize = 4000;

macro_rules! languages {
    ($($(#[$doc:meta])* $variant:ident $code:literal;)*) => {
        /// A language, by its code (ISO 639-1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Language { $($(#[$doc])* $variant),* }

        impl Language {
            /// Every language, by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code; `und` for none that is known.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }
        }
    };
}

languages! {
    /// Arabic script.
    Arabic "ar";
    /// German.
    German "de";
    /// Greek.
    Greek "el";
    /// English.
    English "en";
    /// Spanish.
    Spanish "es";
    /// French.
    French "fr";
    /// Hebrew script.
    Hebrew "he";
    /// Devanagari script.
    Hindi "hi";
    /// Italian.
    Italian "it";
    /// Kana.
    Japanese "ja";
    /// Hangul.
    Korean "ko";
    /// Dutch.
    Dutch "nl";
    /// Portuguese.
    Portuguese "pt";
    /// Cyrillic script.
    Russian "ru";
    /// Thai script.
    Thai "th";
    /// None that is known.
    Unknown "und";
    /// Han without kana.
    Chinese "zh";
}

/// The commonest words, folded, sorted.
const COMMON: [(Language, &[&str]); 7] = [
    (
        Language::German,
        &[
            "aber", "als", "auch", "auf", "aus", "bei", "das", "dem", "den", "der", "des", "die",
            "durch", "ein", "eine", "einer", "er", "es", "fur", "hat", "ich", "im", "ist", "mit",
            "nach", "nicht", "noch", "nur", "oder", "sein", "sich", "sie", "sind", "und", "von",
            "war", "werden", "wie", "wir", "wird", "zu", "zum", "zur",
        ],
    ),
    (
        Language::English,
        &[
            "all", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had",
            "has", "have", "his", "in", "is", "it", "its", "not", "of", "on", "or", "our", "that",
            "the", "their", "they", "this", "to", "was", "we", "were", "which", "will", "with",
            "would", "you",
        ],
    ),
    (
        Language::Spanish,
        &[
            "al", "como", "con", "de", "del", "el", "en", "es", "esta", "este", "fue", "ha", "hay",
            "la", "las", "le", "lo", "los", "mas", "muy", "no", "para", "pero", "por", "porque",
            "que", "se", "ser", "si", "sin", "sobre", "son", "su", "sus", "un", "una", "y", "ya",
        ],
    ),
    (
        Language::French,
        &[
            "au", "aux", "avec", "ce", "ces", "cette", "dans", "de", "des", "du", "elle", "en",
            "est", "et", "etait", "il", "ils", "je", "la", "le", "les", "leur", "mais", "ne",
            "nous", "ont", "ou", "par", "pas", "plus", "pour", "qui", "sa", "se", "son", "sont",
            "sur", "un", "une", "vous",
        ],
    ),
    (
        Language::Italian,
        &[
            "al", "alla", "anche", "che", "ci", "come", "con", "da", "dal", "dei", "del", "della",
            "delle", "di", "e", "gli", "ha", "i", "il", "in", "io", "la", "le", "lo", "ma", "nel",
            "nella", "non", "per", "piu", "questo", "se", "si", "sono", "sua", "suo", "un", "una",
        ],
    ),
    (
        Language::Dutch,
        &[
            "aan", "als", "bij", "dat", "de", "deze", "die", "dit", "door", "een", "en", "er",
            "haar", "heeft", "het", "hij", "ik", "in", "is", "maar", "met", "naar", "niet", "nog",
            "of", "om", "ook", "op", "over", "te", "tot", "uit", "van", "voor", "was", "wat",
            "werd", "worden", "ze", "zich", "zijn",
        ],
    ),
    (
        Language::Portuguese,
        &[
            "a", "ao", "aos", "as", "com", "como", "da", "das", "de", "do", "dos", "e", "ela",
            "ele", "em", "entre", "era", "foi", "ha", "isso", "mais", "mas", "muito", "na", "nao",
            "nas", "no", "nos", "o", "os", "ou", "para", "pela", "pelo", "por", "quando", "que",
            "sao", "se", "ser", "seu", "sua", "tem", "um", "uma",
        ],
    ),
];

/// The language of a text; nothing if it is too short to tell.
pub fn language(text: &str, folded: &Folded) -> Option<Language> {
    let (script, letters) = script(text);
    match script {
        Some(language) => (letters >= LETTERS_MIN).then_some(language),
        None if folded.words.len() < WORDS_MIN => None,
        None => Some(latin(folded)),
    }
}

fn latin(folded: &Folded) -> Language {
    let words = &folded.words[..folded.words.len().min(WORDS_MAX)];
    let mut counts = [0_usize; COMMON.len()];
    for word in words {
        let letters = folded.letters_of(word);
        for (count, (_, common)) in counts.iter_mut().zip(&COMMON) {
            let found = common.binary_search_by(|known| known.as_bytes().cmp(letters));
            *count += usize::from(found.is_ok());
        }
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let mut leading = counts.iter().zip(&COMMON).filter(|(count, _)| **count == most);
    let leader = leading.next().map(|(_, (language, _))| *language);
    let alone = leading.next().is_none() && most * 1000 >= words.len() * COMMON_PER_MILLE_MIN;
    leader.filter(|_| alone).unwrap_or(Language::Unknown)
}

/// The script of most letters, if it is not Latin, and how many letters it has.
fn script(text: &str) -> (Option<Language>, usize) {
    let (mut counts, mut latin) = ([0_usize; SCRIPTS.len()], 0);
    for c in text.chars() {
        if c < '\u{250}' {
            latin += usize::from(c.is_ascii_alphabetic() || c >= '\u{c0}');
        } else if let Some(place) =
            SCRIPTS.iter().position(|(_, first, last)| (*first..=*last).contains(&c))
        {
            counts[place] += 1;
        }
    }
    let of = |language| {
        let scripts = SCRIPTS.iter().zip(&counts);
        scripts
            .filter(|((other, ..), _)| *other == language)
            .map(|(_, count)| *count)
            .sum::<usize>()
    };
    let (kana, han) = (of(Language::Japanese), of(Language::Chinese));
    // A Japanese text is kana and Han together.
    let japanese = kana * 10 > han;
    let total = |language| match language {
        Language::Japanese if japanese => kana + han,
        Language::Chinese if japanese => 0,
        other => of(other),
    };
    let most = SCRIPTS.iter().map(|(language, ..)| (total(*language), *language)).max();
    match most {
        Some((count, language)) if count > latin => (Some(language), count),
        _ => (None, latin),
    }
}

/// Blocks of letters of other scripts.
const SCRIPTS: [(Language, char, char); 11] = [
    (Language::Greek, '\u{370}', '\u{3ff}'),
    (Language::Russian, '\u{400}', '\u{52f}'),
    (Language::Hebrew, '\u{590}', '\u{5ff}'),
    (Language::Arabic, '\u{600}', '\u{77f}'),
    (Language::Hindi, '\u{900}', '\u{97f}'),
    (Language::Thai, '\u{e00}', '\u{e7f}'),
    (Language::Japanese, '\u{3040}', '\u{30ff}'),
    (Language::Chinese, '\u{3400}', '\u{4dbf}'),
    (Language::Chinese, '\u{4e00}', '\u{9fff}'),
    (Language::Korean, '\u{1100}', '\u{11ff}'),
    (Language::Korean, '\u{ac00}', '\u{d7af}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_sorted_and_folded() {
        for (language, words) in COMMON {
            assert!(words.is_sorted_by(|a, b| a < b), "{language:?}");
            assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        }
        assert!(Language::ALL.is_sorted_by_key(|language| language.code()));
    }

    #[test]
    fn languages_are_told_apart() {
        let check = |text: &str, expect: Option<&str>| {
            let found = language(text, &Folded::of(text)).map(Language::code);
            assert_eq!(found, expect, "{text}");
        };
        check("Too short to tell", None);
        check(
            "It was the best of times, it was the worst of times, it was the age of wisdom, and \
             nobody of those who were there would have said so.",
            Some("en"),
        );
        check(
            "Não há nada mais difícil do que escrever uma frase simples para quem não sabe o que \
             é que a língua tem de mais bonito, e isso foi dito por muitos.",
            Some("pt"),
        );
        check(
            "No hay nada más difícil que escribir una frase sencilla para los que no saben lo que \
             la lengua tiene de más hermoso, y esto fue dicho por muchos.",
            Some("es"),
        );
        check(
            "Il n'est rien de plus difficile que d'écrire une phrase simple pour ceux qui ne \
             savent pas ce que la langue a de plus beau, et cela, nous le savons.",
            Some("fr"),
        );
        check(
            "Es ist nicht leicht, einen einfachen Satz zu schreiben für die, die nicht wissen, was \
             an der Sprache schön ist, und das haben auch andere gesagt.",
            Some("de"),
        );
        check(
            "Non c'è niente di più difficile che scrivere una frase semplice per chi non sa che \
             cosa la lingua ha di più bello, e questo è stato detto da molti.",
            Some("it"),
        );
        check(
            "Het is niet makkelijk om een eenvoudige zin te schrijven voor wie niet weet wat er \
             mooi is aan de taal, en dat is ook door anderen gezegd.",
            Some("nl"),
        );
        check(&"Это было лучшее из времён. ".repeat(3), Some("ru"));
        check(&"それは最良の時代であった。".repeat(5), Some("ja"));
        check(&"那是最好的时代也是最坏的时代".repeat(5), Some("zh"));
        check(&"xyzzy plugh quux ".repeat(20), Some("und"));
    }
}
