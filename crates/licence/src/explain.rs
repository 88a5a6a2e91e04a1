//! Terms in plain sentences, in the order a lawyer reads: what, for what, where, how long,
//! how often and for how much, at which price, passing on, derivatives, revocation, legal
//! text.

use crate::calendar;
use crate::print::listed;
use crate::quota::Quota;
use crate::revocation::Revocation;
use crate::terms::{LegalText, PriceRule, Right, Term, Terms};

impl Terms {
    /// One sentence per clause, addressed to the licensee.
    #[must_use]
    pub fn explain(&self) -> Vec<String> {
        let mut sentences = vec![self.explain_rights()];
        sentences.extend(self.explain_purposes());
        sentences.extend(self.explain_territories());
        sentences.push(self.explain_term());
        sentences.extend(self.explain_quota());
        sentences.push(self.explain_price());
        sentences.extend(self.explain_tiers());
        sentences.push(self.explain_delegation());
        sentences.push(self.explain_derivatives());
        sentences.push(self.explain_revocation());
        sentences.push(self.explain_text());
        sentences
    }

    fn explain_rights(&self) -> String {
        let acts: Vec<_> = self.grants.iter().map(|right| act(*right)).collect();
        format!("You may {}.", acts.join("; "))
    }

    fn explain_purposes(&self) -> Vec<String> {
        let (allow, deny) = (&self.purposes.allow, &self.purposes.deny);
        let allowed = match allow.len() {
            0 => "You may do so for any purpose.".to_owned(),
            1 => format!("You may do so only for this purpose: {}.", listed(allow)),
            _ => format!("You may do so only for these purposes: {}.", listed(allow)),
        };
        let denied = (!deny.is_empty()).then(|| format!("Never for: {}.", listed(deny)));
        [Some(allowed), denied].into_iter().flatten().collect()
    }

    fn explain_territories(&self) -> Vec<String> {
        let (allow, deny) = (&self.territories.allow, &self.territories.deny);
        if self.territories.is_empty() {
            return vec!["You may do so anywhere.".to_owned()];
        }
        let allowed = match allow.len() {
            0 => None,
            1 => Some(format!("You may do so only in this territory: {}.", listed(allow))),
            _ => Some(format!("You may do so only in these territories: {}.", listed(allow))),
        };
        let denied = (!deny.is_empty()).then(|| format!("Never in: {}.", listed(deny)));
        let declared = "You declare your territory when you accept.".to_owned();
        [allowed, denied, Some(declared)].into_iter().flatten().collect()
    }

    pub(crate) fn explain_term(&self) -> String {
        match self.term {
            None => "The grant has no end date.".to_owned(),
            Some(Term::Days(1)) => "The grant ends 24 hours after you accept it.".to_owned(),
            Some(Term::Days(days)) => format!("The grant ends {days} days after you accept it."),
            Some(Term::Until(until)) => format!("The grant ends at {}.", calendar::print(until)),
        }
    }

    fn explain_quota(&self) -> Vec<String> {
        let Some(Quota { per, calls, spend, rate }) = self.quota else {
            return vec!["You may call as often as you like.".to_owned()];
        };
        let calls = calls.map(|calls| format!("At most {} {}.", counted(calls), per.phrase()));
        let rate = rate
            .map(|rate| format!("At most {} per {}.", counted(rate.calls.into()), rate.per.word()));
        let spend = spend.map(|spend| {
            let per = per.phrase();
            format!("You may spend at most {spend} credits on this {per}, node fees included.")
        });
        [calls, rate, spend].into_iter().flatten().collect()
    }

    fn explain_price(&self) -> String {
        match asked(&self.price) {
            None => "The owner asks no royalty; nodes and the network ask their own fees.".into(),
            Some(asked) => {
                format!("The owner asks {asked}; node and network fees come on top.")
            }
        }
    }

    pub(crate) fn explain_tiers(&self) -> impl Iterator<Item = String> {
        self.tiers.iter().map(|tier| {
            let calls = counted(tier.from_calls);
            let have = if tier.from_calls == 1 { "has" } else { "have" };
            let asked = asked(&tier.price).unwrap_or_else(|| "no royalty".to_owned());
            format!("Once {calls} under the grant {have} settled, the owner asks {asked}.")
        })
    }

    fn explain_delegation(&self) -> String {
        match self.delegation.depth {
            0 => "You may not pass your certificate on.".to_owned(),
            1 => "You may pass your certificate on, narrowed, once; nobody further.".to_owned(),
            depth => {
                format!("You may pass your certificate on, narrowed, up to {depth} times over.")
            }
        }
    }

    fn explain_derivatives(&self) -> String {
        let derivatives = self.derivatives;
        if !derivatives.allowed {
            return "Nothing built on this may be published.".to_owned();
        }
        let floor = match derivatives.floor_per_call.is_zero() {
            true => String::new(),
            false => format!(", at least {} credits per call", derivatives.floor_per_call),
        };
        let share = derivatives.share;
        format!(
            "What is built on this may be published on terms that are not wider; {share} of its \
             royalty is due here{floor}."
        )
    }

    pub(crate) fn explain_revocation(&self) -> String {
        let reasons: Vec<_> = self.revoke_if.iter().map(|reason| when(*reason)).collect();
        match reasons.is_empty() {
            true => "You may end the grant; the owner cannot.".to_owned(),
            false => format!("You may end the grant; the owner may, {}.", reasons.join("; ")),
        }
    }

    pub(crate) fn explain_text(&self) -> String {
        match &self.text {
            None => "No legal text is attached; these sentences are all there is.".to_owned(),
            Some(LegalText::Spdx(text)) => format!("The legal text is {text} (SPDX)."),
            Some(LegalText::Sha256(digest)) => {
                format!("The legal text is the document whose SHA-256 is {digest}.")
            }
        }
    }
}

/// What an owner asks; nothing if it is nothing.
fn asked(price: &PriceRule) -> Option<String> {
    let parts = [(price.per_mu, "per MU of work"), (price.per_call, "per call")];
    let parts = parts.iter().filter(|(price, _)| !price.is_zero());
    let mut parts: Vec<_> = parts.map(|(price, unit)| format!("{price} credits {unit}")).collect();
    if parts.is_empty() && price.minimum.is_zero() {
        return None;
    }
    if parts.is_empty() {
        parts.push("nothing by work".to_owned());
    }
    let least = match price.minimum.is_zero() {
        true => String::new(),
        false => format!(", and at least {} credits per call", price.minimum),
    };
    Some(format!("{}{least}", parts.join(" plus ")))
}

fn counted(calls: u64) -> String {
    format!("{calls} {}", if calls == 1 { "call" } else { "calls" })
}

fn when(reason: Revocation) -> &'static str {
    match reason {
        Revocation::Breach => "when a dispute against you was upheld",
        Revocation::NonPayment => "when no open channel of yours backs it",
        Revocation::Owner => "at any time",
    }
}

fn act(right: Right) -> &'static str {
    match right {
        Right::Call => "call this through a gateway",
        Right::Compose => "use it as a component of your own capsules",
        Right::Fetch => "fetch its content",
        Right::Derive => "build another capsule from it",
        Right::Train => "train models on it",
        Right::Compute => "run your own code where it lies",
    }
}
