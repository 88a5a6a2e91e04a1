//! What a gateway and a serving node say to one another of one call.

use super::{key, world};
use crate::wire::{
    Done, Embed, Errand, Failed, Frame, Generate, Replay, Retrieve, Retrieved, SignRequest, Trace,
    WirePiece, Work,
};
use ambar_base::{Digest, Encode, Height, Moment, NetworkId, Price, SecretKey, tree};
use ambar_receipt::{Counter, Counters, NodeLines, OneCall, ServedLine};

/// The network of all of it.
pub const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

/// Whose word the certificates are.
#[must_use]
pub fn gateway() -> SecretKey {
    key("a gateway")
}

/// A call of one line, for some work.
#[must_use]
pub fn call(work: &Work) -> OneCall {
    OneCall {
        gateway: 1,
        node: 2,
        channel: 7,
        n: 300,
        line: 1,
        version: 5,
        grant: 6,
        admitted: Height(9),
        time: Moment(1_800_000_000_000),
        bound: Counters::new([(Counter::TokensIn, 300), (Counter::TokensOut, 512)]),
        price_max: Price(1 << 40),
        work: Digest::of(&work.to_bytes()),
    }
}

/// Every kind of work.
#[must_use]
pub fn works() -> Vec<Work> {
    let json = |text: &str| text.to_owned();
    let turn = |role, text: &str| (Some(role), text.to_owned());
    vec![
        Work::Generate(Generate {
            prompt: vec![turn(0, "be brief"), turn(1, "é")],
            max_tokens: 512,
            temperature: 1.0_f32.to_bits(),
            top_p: 1.0_f32.to_bits(),
            seed: Some(3),
            stop: vec!["\n".into()],
            choices: 2,
            stream: true,
            messages: Some(json(r#"[{"role":"user"}]"#)),
            fields: json(r#"{"tools":[]}"#),
            hints: json("{}"),
        }),
        Work::Embed(Embed {
            inputs: vec!["a".into(), String::new()],
            fields: json(r#"{"dimensions":2}"#),
            hints: json("{}"),
        }),
        Work::Retrieve(Retrieve {
            question: "who?".into(),
            digest: Digest([5; 32]),
            passages_max: 4,
            context_bytes_max: 4_096,
        }),
        Work::Trace(Trace { output: b"he said".to_vec(), digest: Digest([6; 32]) }),
        Work::Replay(Replay {
            prompt: "what he".into(),
            output: b" said".to_vec(),
            prompt_digest: Digest([5; 32]),
            output_digest: Digest([6; 32]),
            context_words_max: 4,
            count_min: 2,
        }),
    ]
}

/// An errand for each of them.
#[must_use]
pub fn errands() -> Vec<Errand> {
    let errand = |work: &Work| Errand {
        certificate: call(work).sign(NETWORK, &gateway()),
        work: work.to_bytes(),
        patience_ms: Some(1_500),
    };
    works().iter().map(errand).collect()
}

/// Every kind of frame.
#[must_use]
pub fn frames() -> Vec<Frame> {
    let used = Done { tokens_in: Some(7), tokens_cached: Some(4), ..Done::default() };
    vec![
        Frame::Began(Some(7)),
        Frame::Text("Olá".into()),
        Frame::Piece(WirePiece {
            choice: 1,
            text: String::new(),
            rest: r#"{"tool_calls":[]}"#.into(),
            logprobs: Some("[]".into()),
            finish_reason: Some("stop".into()),
        }),
        Frame::Vectors(vec![vec![0, 0, 128, 63], Vec::new()]),
        Frame::Retrieved(Retrieved { evidence: vec![1, 2], passages: vec!["one".into()] }),
        Frame::Traced(vec![3]),
        Frame::Done(used),
        Frame::Failed(Failed {
            code: "engine_busy".into(),
            message: "busy".into(),
            param: Some("model".into()),
            retry: Some(20),
            elsewhere: true,
            used,
        }),
    ]
}

/// All lines of the sample's batch, with their places.
#[must_use]
pub fn lines() -> Vec<ServedLine> {
    let of = |leaf| (0..).map_while(move |index| ServedLine::of(leaf, index));
    world().leaves.iter().flat_map(of).collect()
}

/// A request for a node's signature under some of them.
#[must_use]
pub fn request(served: Vec<ServedLine>) -> SignRequest {
    let root = tree::root_of(served.iter().map(ServedLine::hash).collect());
    let lines = NodeLines { node: 2, lines: served.len() as u64, root };
    SignRequest { gateway: 1, batch: 17, lines, served }
}
