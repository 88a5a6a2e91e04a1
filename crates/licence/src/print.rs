//! From [`Terms`] back to TOML, in the order of the language's description.

use crate::calendar;
use crate::purpose::Purpose;
use crate::terms::{LegalText, Term, Terms};
use std::collections::BTreeSet;

impl Terms {
    /// The terms as TOML that [`Terms::parse`] reads back to the same value.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = format!("terms = {}\n", self.terms);
        out += &format!("grants = [{}]\n", quoted(self.grants.iter().map(|right| right.text())));
        out += &format!(
            "purposes = {{ allow = [{}], deny = [{}] }}\n",
            quoted(self.purposes.allow.iter().map(Purpose::as_str)),
            quoted(self.purposes.deny.iter().map(Purpose::as_str)),
        );
        out += &self.print_limits();
        out += &self.print_money();
        out += &format!("[delegation]\ndepth = {}\n", self.delegation.depth);
        match &self.text {
            Some(LegalText::Spdx(text)) => out += &format!("[text]\nspdx = \"{text}\"\n"),
            Some(LegalText::Sha256(digest)) => out += &format!("[text]\nsha256 = \"{digest}\"\n"),
            None => {}
        }
        out
    }

    fn print_limits(&self) -> String {
        let mut out = match self.term {
            Some(Term::Days(days)) => format!("[term]\ndays = {days}\n"),
            Some(Term::Until(until)) => format!("[term]\nuntil = {}\n", calendar::print(until)),
            None => String::new(),
        };
        if let Some(quota) = self.quota {
            let per = quota.per.text();
            out += &format!("[quota]\ncalls = {}\nper = \"{per}\"\n", quota.calls);
        }
        out
    }

    fn print_money(&self) -> String {
        let (price, derivatives) = (self.price, self.derivatives);
        format!(
            "[price]\nper_mu = \"{}\"\nper_call = \"{}\"\nminimum = \"{}\"\n\
             [derivatives]\nallowed = {}\nshare = \"{}\"\nfloor_per_call = \"{}\"\n",
            price.per_mu,
            price.per_call,
            price.minimum,
            derivatives.allowed,
            derivatives.share,
            derivatives.floor_per_call,
        )
    }
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// Words as a person lists them.
pub fn listed(purposes: &BTreeSet<Purpose>) -> String {
    purposes.iter().map(Purpose::as_str).collect::<Vec<_>>().join(", ")
}
