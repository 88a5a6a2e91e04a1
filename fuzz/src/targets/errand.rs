//! Errands, as gateways send them: a certificate, and the one piece of work that it is for.

use crate::sample::errand::{NETWORK, errands, gateway, works};
use crate::wire::{Errand, Work};
use crate::{Reach, Target, promise};
use ambar_base::{Digest, Encode};

pub(super) const TARGET: Target = Target { name: "errand", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    errands().iter().map(Encode::to_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(errand) = promise::compact::<Errand>(input) else { return Reach::Refused };
    let call = &errand.certificate.call;
    let own = errand.certificate.verify(NETWORK, &gateway().public()).is_ok();
    let asked = errands().iter().any(|asked| asked.certificate.call == *call);
    assert!(asked || !own, "the gateway has signed no other call");
    let Some(work) = promise::compact::<Work>(&errand.work) else { return Reach::Decoded };
    if !own || call.work != Digest::of(&errand.work) {
        return Reach::Decoded;
    }
    assert!(works().contains(&work), "a certificate is for one piece of work");
    Reach::Used
}
