//! The decision about a whole call, which may have components, and the record of it that
//! anybody can decide again.
//!
//! Gateways ask before a call runs, with everything that could be at most; the ledger asks
//! the same when the call settles, with what it was. A record holds all that the answer
//! depends on, but for the terms, which it names.
//!
//! **Invariant**: [`CallFacts::decide`] is a function of the facts and the terms; a component
//! never adds a purpose that the receipt would not show.

use crate::decision::{
    ChannelView, Decision, GrantView, Request, Reservation, Situation, Spent, decide,
};
use crate::denial::Denial;
use crate::narrowing::Narrowing;
use crate::purpose::Purpose;
use crate::terms::{Right, Terms};
use ambar_base::{
    Cid, Coded, Digest, Domain, Encode, Height, Moment, Price, PublicKey, choice, record,
};

/// Longest decision, bytes: a certificate at its limits, and the most parts of a call.
pub const DECISION_BYTES_MAX: usize = 512 * 1024;

record! {
    /// One capsule that a call uses, under one grant.
    pub struct PartFacts {
        /// The grant, by number.
        pub grant: u64,
        /// Its terms.
        pub terms: Cid,
        /// What is said of it.
        pub view: GrantView,
        /// The capsule version.
        pub capsule: Cid,
        /// Whether the channel may pay for it, or a part before it has it as a component.
        pub capsule_ok: bool,
        /// The right that the call makes use of.
        pub right: Right,
        /// Most that the lines under the grant can cost: royalty and node fee, nano-credit.
        pub line_max: Price,
        /// What it costs per MU, nano-credit.
        pub unit_price: Price,
    }
}

record! {
    /// Everything that the decision about a call depends on.
    pub struct CallFacts {
        /// The channel that pays, by number.
        pub channel: u64,
        /// The final block whose state was looked at.
        pub height: Height,
        /// The consensus time of the call.
        pub now: Moment,
        /// Age of that block, milliseconds.
        pub ledger_age_ms: u64,
        /// What the channel has that is neither spent nor reserved, nano-credit.
        pub remaining: Price,
        /// The first moment after the channel's life.
        pub expires: Moment,
        /// Whether the channel is closing or closed.
        pub closing: bool,
        /// Highest unit price that the channel's payer accepts, nano-credit per MU.
        pub unit_price_max: Price,
        /// The purpose that the call declares.
        pub purpose: Option<Purpose>,
        /// The agent whose key has signed it.
        pub agent: Option<PublicKey>,
        /// Most that it can cost, nano-credit: the hold.
        pub price_max: Price,
        /// The certificate's blocks from the first on, by id, with what was spent under each.
        pub blocks: Vec<(Digest, (Narrowing, Spent))>,
        /// The called capsule, then its components.
        pub parts: Vec<PartFacts>,
    }
}

record! {
    /// A refusal as it is recorded.
    pub struct Denied {
        /// Which part is refused, from 0.
        pub part: u16,
        /// The public code.
        pub code: String,
        /// Why, for people.
        pub reason: String,
    }
}

choice! {
    /// The answer as it is recorded.
    pub enum Answer {
        /// The call may run.
        Allow(Reservation) = 1,
        /// It may not.
        Deny(Denied) = 2,
    }
}

record! {
    /// A decision with everything that it depends on.
    pub struct DecisionRecord {
        /// What was known.
        pub facts: CallFacts,
        /// What was decided.
        pub answer: Answer,
    }
}

/// A part of a call that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{denial}")]
pub struct PartDenied {
    /// Which part, from 0.
    pub part: usize,
    /// Why.
    pub denial: Denial,
}

/// Why a record is not the decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Terms are not at hand.
    #[error("the terms {0} are not known")]
    Terms(Cid),
    /// Decided again, the answer is another.
    #[error("decided again, {}", told(.0))]
    Other(Answer),
}

impl CallFacts {
    /// Decides about the call: about each part in order, the called one under the
    /// certificate, components under the purpose that the called one leaves. What is reserved
    /// is what the called part says. `terms` are those of the parts, in order.
    ///
    /// # Errors
    /// The first refusal, with its part.
    pub fn decide(&self, terms: &[&Terms]) -> Result<Reservation, PartDenied> {
        debug_assert_eq!(terms.len(), self.parts.len(), "each part has terms");
        let blocks: Vec<_> =
            self.blocks.iter().map(|(_, (narrowing, spent))| (narrowing, *spent)).collect();
        let mut first: Option<Reservation> = None;
        for (index, (part, terms)) in self.parts.iter().zip(terms).enumerate() {
            let denied = |denial| PartDenied { part: index, denial };
            match &first {
                None => {
                    let reservation = self.ask(part, terms, self.purpose.clone(), &blocks);
                    first = Some(reservation.map_err(denied)?);
                }
                Some(called) => {
                    let purpose = called.purpose.clone();
                    let component = self.ask(part, terms, purpose, &[]).map_err(denied)?;
                    agreed(called, component).map_err(denied)?;
                }
            }
        }
        first.ok_or(PartDenied { part: 0, denial: Denial::GrantMissing })
    }

    fn ask(
        &self,
        part: &PartFacts,
        terms: &Terms,
        purpose: Option<Purpose>,
        narrowings: &[(&Narrowing, Spent)],
    ) -> Result<Reservation, Denial> {
        let request = Request {
            capsule: part.capsule,
            purpose,
            right: part.right,
            agent: self.agent,
            price_max: self.price_max,
            line_max: part.line_max,
            unit_price: part.unit_price,
        };
        let channel = ChannelView {
            remaining: self.remaining,
            expires: self.expires,
            closing: self.closing,
            unit_price_max: self.unit_price_max,
            capsule_ok: part.capsule_ok,
        };
        let situation = Situation {
            terms,
            grant: part.view,
            channel,
            narrowings,
            request: &request,
            now: self.now,
            ledger_age_ms: self.ledger_age_ms,
        };
        match decide(&situation) {
            Decision::Allow(reservation) => Ok(reservation),
            Decision::Deny(denial) => Err(denial),
        }
    }

    /// The decision with what it depends on.
    #[must_use]
    pub fn recorded(self, decided: &Result<Reservation, PartDenied>) -> DecisionRecord {
        DecisionRecord { facts: self, answer: Answer::of(decided) }
    }
}

/// Terms of a component that leave one purpose do not declare it for the caller: the receipt
/// would not say so.
fn agreed(called: &Reservation, component: Reservation) -> Result<(), Denial> {
    match component.purpose {
        Some(purpose) if called.purpose.as_ref() != Some(&purpose) => {
            Err(Denial::PurposeRequired { allowed: [purpose].into() })
        }
        _ => Ok(()),
    }
}

impl Answer {
    fn of(decided: &Result<Reservation, PartDenied>) -> Self {
        match decided {
            Ok(reservation) => Self::Allow(reservation.clone()),
            Err(PartDenied { part, denial }) => Self::Deny(Denied {
                part: u16::try_from(*part).unwrap_or(u16::MAX),
                code: denial.code().to_string(),
                reason: denial.to_string(),
            }),
        }
    }
}

impl DecisionRecord {
    /// The digest that a receipt binds.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Self::digest_of(&self.to_bytes())
    }

    /// As [`Self::digest`], of a record that is encoded already.
    #[must_use]
    pub fn digest_of(encoded: &[u8]) -> Digest {
        Domain::Decision.digest(encoded)
    }

    /// Decides again by the same facts.
    ///
    /// # Errors
    /// [`ReplayError`] if the answer is another, or terms are not at hand.
    pub fn replay<'a>(&self, terms: impl Fn(&Cid) -> Option<&'a Terms>) -> Result<(), ReplayError> {
        let of = |part: &PartFacts| terms(&part.terms).ok_or(ReplayError::Terms(part.terms));
        let terms = self.facts.parts.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let answer = Answer::of(&self.facts.decide(&terms));
        if answer == self.answer { Ok(()) } else { Err(ReplayError::Other(answer)) }
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Allow(reservation) => {
            format!("the call may run and {} credits are reserved", reservation.price)
        }
        Answer::Deny(Denied { code, reason, .. }) => format!("it is refused ({code}): {reason}"),
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
