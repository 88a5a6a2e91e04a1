//! From [`Terms`] back to TOML, in the order of the language's description.

use crate::calendar;
use crate::purpose::Purpose;
use crate::quota::Quota;
use crate::terms::{LegalText, PriceRule, Term, Terms};
use crate::tier::PriceTier;
use std::collections::BTreeSet;
use std::fmt;

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
        if !self.territories.is_empty() {
            out += &format!(
                "territories = {{ allow = [{}], deny = [{}] }}\n",
                quoted(self.territories.allow.iter().map(|code| code.as_str())),
                quoted(self.territories.deny.iter().map(|code| code.as_str())),
            );
        }
        if !self.revoke_if.is_empty() {
            let reasons = quoted(self.revoke_if.iter().map(|reason| reason.text()));
            out += &format!("revoke_if = [{reasons}]\n");
        }
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
        out += &self.quota.as_ref().map(print_quota).unwrap_or_default();
        out
    }

    fn print_money(&self) -> String {
        let derivatives = self.derivatives;
        let tier = |tier: &PriceTier| {
            let PriceTier { from_calls, price } = tier;
            format!("[[price.tier]]\nfrom_calls = {from_calls}\n{}", print_price(price))
        };
        let tiers: String = self.tiers.iter().map(tier).collect();
        format!(
            "[price]\n{}{tiers}\
             [derivatives]\nallowed = {}\nshare = \"{}\"\nfloor_per_call = \"{}\"\n",
            print_price(&self.price),
            derivatives.allowed,
            derivatives.share,
            derivatives.floor_per_call,
        )
    }
}

fn print_price(price: &PriceRule) -> String {
    let PriceRule { per_mu, per_call, minimum } = price;
    format!("per_mu = \"{per_mu}\"\nper_call = \"{per_call}\"\nminimum = \"{minimum}\"\n")
}

fn print_quota(quota: &Quota) -> String {
    let mut out = "[quota]\n".to_owned();
    if let Some(calls) = quota.calls {
        out += &format!("calls = {calls}\n");
    }
    if quota.counts() {
        out += &format!("per = \"{}\"\n", quota.per.text());
    }
    if let Some(rate) = quota.rate {
        out += &format!("rate = \"{rate}\"\n");
    }
    if let Some(spend) = quota.spend {
        out += &format!("spend = \"{spend}\"\n");
    }
    out
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// Words as a person lists them.
pub fn listed<T: fmt::Display>(words: &BTreeSet<T>) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
