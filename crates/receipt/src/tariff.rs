//! Tariffs: what one MU is.
//!
//! A tariff is a published document that gives each counter a rate in nano-MU per unit.
//! MU = Σ counter × rate: work, not time, so the same job is the same MU on every machine.

use crate::counters::{Counter, Counters};
use ambar_base::document::{self, DocumentError};
use ambar_base::{Cid, Mu};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest tariff document, bytes.
pub const TARIFF_BYTES_MAX: usize = 4096;

/// Rates of counters in nano-MU per unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// The tariff format: 1.
    pub ambar: u16,
    /// What people call it.
    pub name: String,
    /// Nano-MU per unit, by counter.
    pub rates: BTreeMap<String, u64>,
}

/// Why work cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Not a tariff.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A rate for something that is not counted, or another format.
    #[error("the tariff is of another format or rates something that is not counted")]
    Format,
    /// Something was counted that the tariff does not rate.
    #[error("the tariff has no rate for {0}")]
    NoRate(&'static str),
    /// The product is too large.
    #[error("the work is larger than can be measured")]
    Overflow,
}

impl Tariff {
    /// The tariff of a new network: one MU is a thousand tokens of answer.
    #[must_use]
    pub fn standard() -> Self {
        let rates = [
            (Counter::TokensIn, 250_000),
            (Counter::TokensOut, 1_000_000),
            (Counter::RetrievedBytes, 50_000),
            (Counter::EmbeddingTokens, 100_000),
        ];
        let rates = rates.into_iter().map(|(counter, rate)| (counter.text().to_owned(), rate));
        Self { ambar: 1, name: "standard".into(), rates: rates.collect() }
    }

    /// Reads a tariff.
    pub fn decode(bytes: &[u8]) -> Result<Self, TariffError> {
        let tariff: Self = document::decode(bytes, TARIFF_BYTES_MAX)?;
        let counted = |name: &String| Counter::ALL.iter().any(|counter| counter.text() == name);
        let good = tariff.ambar == 1 && tariff.rates.keys().all(counted);
        if good { Ok(tariff) } else { Err(TariffError::Format) }
    }

    /// The tariff's document.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// The tariff's id.
    #[must_use]
    pub fn id(&self) -> Cid {
        Cid::of(&self.encode())
    }

    /// The work that counters stand for.
    pub fn mu(&self, counters: &Counters) -> Result<Mu, TariffError> {
        let mut sum = 0u128;
        for (counter, count) in counters.iter() {
            let text = counter.text();
            let rate = self.rates.get(text).ok_or(TariffError::NoRate(text))?;
            let work = u128::from(count) * u128::from(*rate);
            sum = sum.checked_add(work).ok_or(TariffError::Overflow)?;
        }
        Ok(Mu(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_answer_tokens_are_one_mu() {
        let tariff = Tariff::standard();
        let mu = |counts: &[(Counter, u64)]| tariff.mu(&Counters::new(counts.iter().copied()));
        assert_eq!(mu(&[(Counter::TokensOut, 1000)]), Ok(Mu(1_000_000_000)));
        assert_eq!(mu(&[(Counter::TokensIn, 4), (Counter::TokensOut, 1)]), Ok(Mu(2_000_000)));
        assert_eq!(mu(&[]), Ok(Mu::ZERO));
    }

    #[test]
    fn documents_are_checked() {
        let tariff = Tariff::standard();
        assert_eq!(Tariff::decode(&tariff.encode()), Ok(tariff.clone()));
        let mut foreign = tariff.clone();
        foreign.rates.insert("seconds".into(), 1);
        assert_eq!(Tariff::decode(&foreign.encode()), Err(TariffError::Format));
        let mut poor = tariff;
        poor.rates.remove("tokens_in");
        let counters = Counters::new([(Counter::TokensIn, 1)]);
        assert_eq!(poor.mu(&counters), Err(TariffError::NoRate("tokens_in")));
    }

    /// The id of the standard tariff is for ever.
    #[test]
    fn conformance() {
        assert_eq!(
            Tariff::standard().id().to_string(),
            "bafyreibo5bonkc6cwemgmv2voiig4d7svzknipmhvytbucsgovwdxeomwa"
        );
    }
}
