//! Tariffs, as they are published.

use crate::{Reach, Target, promise};
use ambar_receipt::tariff::TARIFF_BYTES_MAX;
use ambar_receipt::{Counter, Counters, Tariff};

pub(super) const TARGET: Target = Target { name: "tariff", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let mut poor = Tariff::standard();
    poor.rates.retain(|name, _| name == Counter::TokensOut.text());
    vec![Tariff::standard().encode(), poor.encode()]
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(input, TARIFF_BYTES_MAX, Tariff::decode, Tariff::encode);
    let Some(tariff) = decoded else { return Reach::Refused };
    let counts = [0, 1, u64::MAX];
    let measured = counts.map(|count| {
        let counters = Counters::new(Counter::ALL.map(|counter| (counter, count)));
        tariff.mu(&counters).is_ok()
    });
    assert!(measured[0], "nothing is measured by any tariff");
    if measured[1] { Reach::Used } else { Reach::Decoded }
}
