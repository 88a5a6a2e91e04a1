//! What a gateway wants a node to sign, and what the node says to it.

use crate::sample::errand::{NETWORK, gateway, lines, request};
use crate::wire::{SignAnswer, SignRequest};
use crate::{Reach, Target, promise, sample};
use ambar_base::{Encode, tree};
use ambar_receipt::ServedLine;

pub(super) const TARGET: Target = Target { name: "sign_request", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let (all, one) = (request(lines()), request(lines().into_iter().take(1).collect()));
    let signature = all.lines.sign(NETWORK, (all.gateway, all.batch), &gateway());
    let answers = [
        SignAnswer::Signed(signature),
        SignAnswer::Unknown(vec![(7, 300), (7, 301)]),
        SignAnswer::Refused("no".into()),
    ];
    let requests = [all, one].map(|request| request.to_bytes());
    requests.into_iter().chain(answers.map(|answer| answer.to_bytes())).collect()
}

fn attempt(input: &[u8]) -> Reach {
    if promise::compact::<SignAnswer>(input).is_some() {
        return Reach::Decoded;
    }
    let Some(request) = promise::compact::<SignRequest>(input) else { return Reach::Refused };
    let SignRequest { gateway, batch, lines, served } = &request;
    let root = tree::root_of(served.iter().map(ServedLine::hash).collect());
    if lines.lines != served.len() as u64 || lines.root != root {
        return Reach::Decoded;
    }
    let node = sample::key("a serving node");
    let signature = lines.sign(NETWORK, (*gateway, *batch), &node);
    let good = |batch| lines.verify(NETWORK, batch, &node.public(), &signature).is_ok();
    assert!(good((*gateway, *batch)), "what was signed verifies");
    assert!(!good((*gateway, batch ^ 1)), "a signature is for one batch");
    Reach::Used
}
