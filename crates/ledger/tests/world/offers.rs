//! Shortcuts for terms that are offered.

use super::World;
use ambar_base::{AccountId, Cid};
use ambar_ledger::Refusal;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{Accept, OfferTerms, Operation};
use ambar_licence::Terms;

impl World {
    /// Offers terms for a capsule for an hour.
    pub fn offer(
        &mut self,
        name: &str,
        version: Cid,
        terms: &Terms,
        change: fn(&mut OfferTerms),
    ) -> Result<u64, Refusal> {
        let mut offer = self.offered(version, terms);
        change(&mut offer);
        self.act_offer(name, offer)
    }

    fn offered(&self, version: Cid, terms: &Terms) -> OfferTerms {
        OfferTerms {
            version,
            terms: terms.id(),
            document: Some(terms.to_document()),
            to: None,
            expires: self.ledger.time().after(3_600_000),
            limit: None,
            once: false,
        }
    }

    fn act_offer(&mut self, name: &str, offer: OfferTerms) -> Result<u64, Refusal> {
        match self.act(name, vec![Operation::OfferTerms(offer)])?[..] {
            [OperationResult::Offer(number)] => Ok(number),
            ref other => panic!("{other:?}"),
        }
    }

    /// Offers terms for a capsule to one account.
    pub fn offer_to(
        &mut self,
        name: &str,
        version: Cid,
        terms: &Terms,
        to: AccountId,
    ) -> Result<u64, Refusal> {
        let offer = OfferTerms { to: Some(to), ..self.offered(version, terms) };
        self.act_offer(name, offer)
    }

    /// Accepts the terms of an offer.
    pub fn accept_offer(
        &mut self,
        name: &str,
        version: Cid,
        terms: &Terms,
        offer: u64,
    ) -> Result<u64, Refusal> {
        let accept = Accept { version, terms: terms.id(), territory: None, offer: Some(offer) };
        match self.act(name, vec![Operation::Accept(accept)])?[..] {
            [OperationResult::Grant(number)] => Ok(number),
            ref other => panic!("{other:?}"),
        }
    }
}
