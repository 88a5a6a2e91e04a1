//! One-call certificates: what a gateway has signed, for a minute, and nothing else.

use crate::sample::errand::{NETWORK, call, gateway, works};
use crate::{Reach, Target, promise};
use ambar_base::{Encode, Moment};
use ambar_receipt::one_call::ONE_CALL_AGE_MS_MAX;
use ambar_receipt::{OneCall, SignedOneCall};

pub(super) const TARGET: Target = Target { name: "one_call", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let calls: Vec<OneCall> = works().iter().map(call).collect();
    let signed = calls.iter().map(|call| call.clone().sign(NETWORK, &gateway()).to_bytes());
    let bare = calls.iter().take(1).map(Encode::to_bytes);
    signed.chain(bare).collect()
}

fn attempt(input: &[u8]) -> Reach {
    if let Some(call) = promise::compact::<OneCall>(input) {
        check(&call);
        return Reach::Decoded;
    }
    let Some(signed) = promise::compact::<SignedOneCall>(input) else { return Reach::Refused };
    let own = check(&signed.call);
    if signed.verify(NETWORK, &gateway().public()).is_err() {
        assert!(signed != own, "what was signed verifies");
        return Reach::Decoded;
    }
    assert!(signed == own, "nobody else signs, and nobody signs twice otherwise");
    Reach::Used
}

/// Signs a call whatever it says, and checks what holds for all.
fn check(call: &OneCall) -> SignedOneCall {
    let signed = call.clone().sign(NETWORK, &gateway());
    assert!(signed.verify(NETWORK, &gateway().public()).is_ok(), "what was signed verifies");
    let Moment(time) = call.time;
    let current = |ms: Option<u64>| ms.is_none_or(|ms| call.is_current(Moment(ms)));
    assert!(call.is_current(call.time), "a call is current when it is admitted");
    assert!(current(time.checked_add(ONE_CALL_AGE_MS_MAX)), "and for as long as it may be old");
    let late =
        [time.checked_add(ONE_CALL_AGE_MS_MAX + 1), time.checked_sub(ONE_CALL_AGE_MS_MAX + 1)];
    let late = late.into_iter().flatten();
    assert!(!late.map(Moment).any(|now| call.is_current(now)), "and no longer");
    signed
}
