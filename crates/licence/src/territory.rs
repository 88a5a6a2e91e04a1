//! Territories: where a licensee uses a capsule, as declared when terms are accepted.
//!
//! A territory is a declaration, not a proof: it is bound into the signed receipt, and a
//! breach is a matter of dispute. The list of codes is closed, so that a code that means
//! nothing cannot shut everybody out.

use ambar_base::nearest::distance;
use ambar_base::{Coded, ErrorCode};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// How many codes there are.
pub const TERRITORIES_MAX: usize = 249;

/// The officially assigned codes of ISO 3166-1 alpha-2, alphabetical, as the ISO Online
/// Browsing Platform lists them (the same 249 as in `iso3166.tab` of the IANA time zone
/// database and in Debian's `iso-codes`). Reserved and user-assigned codes are none.
const CODES: [&str; TERRITORIES_MAX] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
    "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN",
    "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
    "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
    "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM",
    "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM",
    "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
    "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
    "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG",
    "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
    "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
    "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO",
    "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// What people write for a code that is not assigned, and the one they mean.
const MISTAKEN: [(&str, &str); 2] = [("EL", "GR"), ("UK", "GB")];

/// A country or territory: an officially assigned code of ISO 3166-1 alpha-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Territory(&'static str);

/// The text is not an assigned code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no assigned two-letter country code of ISO 3166-1{}", hint(*.nearest))]
pub struct TerritoryError {
    /// What was found.
    pub found: String,
    /// The assigned code that was likely meant, if one is one letter away.
    pub nearest: Option<Territory>,
}

/// Where a licensee may use a capsule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Territories {
    /// Empty: everywhere.
    pub allow: BTreeSet<Territory>,
    /// Never in these.
    pub deny: BTreeSet<Territory>,
}

impl Territory {
    /// Every territory, alphabetical.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.into_iter().map(Self)
    }

    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    fn find(text: &str) -> Option<Self> {
        CODES.binary_search(&text).ok().map(|at| Self(CODES[at]))
    }
}

impl Territories {
    /// Whether they restrict nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether use in this territory is allowed.
    #[must_use]
    pub fn admit(&self, territory: Territory) -> bool {
        let listed = self.allow.is_empty() || self.allow.contains(&territory);
        listed && !self.deny.contains(&territory)
    }
}

fn hint(nearest: Option<Territory>) -> String {
    match nearest {
        Some(nearest) => format!("; the nearest one is `{nearest}`"),
        None => ", such as PT".to_owned(),
    }
}

/// The code that differs in one letter, or in case only. Of several, one with the same
/// first letter is nearer: people mistake the second.
fn nearest_code(text: &str) -> Option<Territory> {
    if text.len() != 2 {
        return None;
    }
    let capitals = text.to_ascii_uppercase();
    if let Some((_, meant)) = MISTAKEN.iter().find(|(mistaken, _)| *mistaken == capitals) {
        return Territory::find(meant);
    }
    let near = Territory::all().filter(|code| distance(code.0, &capitals) <= 1);
    near.min_by_key(|code| {
        (distance(code.0, &capitals), code.0.get(..1) != capitals.get(..1), *code)
    })
}

impl FromStr for Territory {
    type Err = TerritoryError;

    fn from_str(text: &str) -> Result<Self, TerritoryError> {
        let error = || TerritoryError { found: text.to_owned(), nearest: nearest_code(text) };
        Self::find(text).ok_or_else(error)
    }
}

impl Serialize for Territory {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Territory {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Coded for TerritoryError {
    fn code(&self) -> ErrorCode {
        ErrorCode::RequestInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_alphabetical_and_of_two_capitals() {
        assert!(CODES.windows(2).all(|pair| pair[0] < pair[1]));
        let capitals =
            |code: &&str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
        assert!(CODES.iter().all(capitals));
        assert_eq!(Territory::all().count(), 249);
    }

    #[test]
    fn spelling() {
        let check = |text: &str| {
            let territory: Territory = text.parse().unwrap();
            assert_eq!(territory.to_string(), text);
            assert_eq!(territory.as_str(), text);
        };
        for code in ["AD", "GB", "NO", "PT", "US", "ZW"] {
            check(code);
        }
    }

    #[test]
    fn refusals_name_the_nearest() {
        let check = |text: &str, expect: Option<&str>| {
            let error = text.parse::<Territory>().unwrap_err();
            assert_eq!(error.nearest.map(Territory::as_str), expect, "{text}");
            assert_eq!(error.code(), ErrorCode::RequestInvalid);
        };
        check("pt", Some("PT"));
        check("Fr", Some("FR"));
        check("UK", Some("GB"));
        check("EL", Some("GR"));
        check("PX", Some("PA"));
        check("XT", Some("AT"));
        check("QQ", Some("QA"));
        check("??", None);
        check("Portugal", None);
        check("", None);
        check("é", None);
        let said = |text: &str| text.parse::<Territory>().unwrap_err().to_string();
        let list = "is no assigned two-letter country code of ISO 3166-1";
        assert_eq!(said("UK"), format!("`UK` {list}; the nearest one is `GB`"));
        assert_eq!(said("Portugal"), format!("`Portugal` {list}, such as PT"));
    }

    #[test]
    fn lists_admit() {
        let set = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect();
        let check = |allow: &[&str], deny: &[&str], text: &str, expect| {
            let territories = Territories { allow: set(allow), deny: set(deny) };
            assert_eq!(territories.admit(text.parse().unwrap()), expect, "{territories:?} {text}");
        };
        check(&[], &[], "PT", true);
        check(&["PT", "FR"], &[], "FR", true);
        check(&["PT", "FR"], &[], "NO", false);
        check(&[], &["NO"], "NO", false);
        check(&[], &["NO"], "PT", true);
        assert!(Territories::default().is_empty());
    }
}
