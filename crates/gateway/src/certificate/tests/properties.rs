//! Invariants over random chains of narrowings.

use super::*;
use proptest::option::weighted;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Each clause is absent more often than not, and often lets [`decision`]'s call pass.
fn any_narrowing() -> impl Strategy<Value = Narrowing> {
    let word = prop_oneof![Just("a".to_owned()), "[a-z0-9][a-z0-9_.-]{0,8}"];
    let words = proptest::collection::btree_set(word, 1..4);
    let ids = proptest::collection::btree_set(0u8..4, 1..4);
    (
        weighted(0.3, 0..1_000u64),
        weighted(0.3, 0..5u64),
        weighted(0.3, 0..4_000_000_000u64),
        weighted(0.3, words),
        weighted(0.3, ids),
        weighted(0.03, Just(gateway())),
    )
        .prop_map(|(budget, calls, seconds, purposes, capsules, agent)| Narrowing {
            budget: budget.map(Price),
            calls,
            expires: seconds.map(|seconds| Moment(seconds * 1_000)),
            purposes: purposes.map(|set| set.iter().map(|word| word.parse().unwrap()).collect()),
            capsules: capsules.map(|set| set.iter().map(|id| Cid::of(&[*id])).collect()),
            agent,
        })
}

fn any_chain(blocks_max: usize) -> impl Strategy<Value = Vec<Narrowing>> {
    proptest::collection::vec(any_narrowing(), 1..=blocks_max)
}

fn certificate(chain: &[Narrowing]) -> String {
    let (first, rest) = chain.split_first().unwrap();
    rest.iter().fold(minted(first), |certificate, block| narrow(&certificate, block).unwrap())
}

/// Decides a call of up to 100 nano-credit for a word and a capsule that chains use.
fn decision(opened: &Opened, blocks: usize) -> Decision {
    let narrowings: Vec<_> =
        opened.blocks[..blocks].iter().map(|block| (&block.narrowing, Spent::default())).collect();
    decide(&Situation {
        terms: &Terms::granting([Right::Call]),
        grant: GrantView {
            accepted: Moment(0),
            revoked: false,
            calls_used: 0,
            spent: Price::ZERO,
            rate_wait_ms: 0,
            territory: None,
            licensee_ok: true,
        },
        channel: ChannelView {
            remaining: Price(1_000),
            expires: Moment(u64::MAX),
            closing: false,
            unit_price_max: Price(1),
            capsule_ok: true,
        },
        narrowings: &narrowings,
        request: &Request {
            capsule: Cid::of(&[0]),
            purpose: Some("a".parse().unwrap()),
            right: Right::Call,
            price_max: Price(100),
            line_max: Price(100),
            agent: None,
            unit_price: Price(1),
        },
        now: Moment(1_000_000_000_000),
        ledger_age_ms: 0,
    })
}

/// The positions that a flip is tried at: all of a short text, a sample of a long one.
fn positions(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length / 150 + 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chains_open_to_what_was_written(chain in any_chain(9)) {
        let opened = open_here(&certificate(&chain)).unwrap();
        prop_assert_eq!(narrowings(&opened), chain);
        let ids: BTreeSet<_> = opened.blocks.iter().map(|block| block.id).collect();
        prop_assert_eq!(ids.len(), opened.blocks.len());
    }

    #[test]
    fn a_longer_chain_never_allows_more(chain in any_chain(9)) {
        let opened = open_here(&certificate(&chain)).unwrap();
        for blocks in 1..opened.blocks.len() {
            let (short, long) = (decision(&opened, blocks), decision(&opened, blocks + 1));
            if let Decision::Deny(denial) = short {
                prop_assert!(matches!(long, Decision::Deny(_)), "{} was lifted", denial);
            }
        }
    }

    #[test]
    fn no_block_can_be_dropped_or_replaced(chain in any_chain(4), forged in any_narrowing()) {
        let whole = certificate(&[chain, vec![Narrowing { calls: Some(1), ..full() }]].concat());
        let stranger = SecretKey::from_seed(&[9; 32]);
        let other = mint(&stranger, NETWORK, CHANNEL, &gateway(), &forged).unwrap();
        prop_assert_eq!(open_here(&other), Err(CertificateError::Signature));
        for spliced in splices(&whole, &narrow(&other, &forged).unwrap()) {
            prop_assert_eq!(open_here(&spliced), Err(CertificateError::Signature));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_flip_is_refused(chain in any_chain(8), mask in 1u8..=255) {
        let text = certificate(&chain);
        prop_assert!(open_here(&text).is_ok());
        for at in positions(text.len()) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= mask & 0x7f | 1;
            if let Ok(flipped) = String::from_utf8(bytes) {
                prop_assert!(open_here(&flipped).is_err(), "text byte {}", at);
            }
        }
        let raw = UnverifiedBiscuit::from_base64(&text).unwrap().to_vec().unwrap();
        for at in positions(raw.len()) {
            let mut bytes = raw.clone();
            bytes[at] ^= mask;
            // What does not even decode was refused already.
            if let Ok(token) = UnverifiedBiscuit::from(&bytes) {
                prop_assert!(open_here(&token.to_base64().unwrap()).is_err() || token.to_vec().unwrap() == raw);
            }
            prop_assert!(open_here(&base64(&bytes)).is_err(), "raw byte {}", at);
        }
    }
}

/// URL-safe base64 with padding (RFC 4648, section 5) of bytes that need not be a token.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let quad = |chunk: &[u8]| {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = |at: usize| match at <= chunk.len() {
            true => char::from(LETTERS[(word >> (18 - 6 * at)) as usize & 63]),
            false => '=',
        };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(quad).collect()
}

#[test]
fn base64_agrees_with_biscuit() {
    let text = minted(&full());
    let raw = UnverifiedBiscuit::from_base64(&text).unwrap().to_vec().unwrap();
    assert_eq!(base64(&raw), text);
}

#[test]
fn other_spellings_of_a_token_are_refused() {
    let raw = UnverifiedBiscuit::from_base64(minted(&full())).unwrap().to_vec().unwrap();
    assert!(open_here(&base64(&raw)).is_ok());
    let refused = |bytes: &[u8]| {
        // Biscuit itself takes them all for the same token.
        assert_eq!(UnverifiedBiscuit::from(bytes).unwrap().to_vec().unwrap(), raw);
        let found = open_here(&base64(bytes)).unwrap_err();
        assert_eq!(found.code(), ErrorCode::CertificateInvalid, "{found}");
    };
    refused(&[&raw[..], &[0x78, 1]].concat());
    let parts = fields(&raw);
    refused(&[&parts[1..], &parts[..1]].concat().concat());
    refused(&[&parts[..1], &parts[..]].concat().concat());
}

/// Tokens put together from the parts of a good one and a stranger's: a block dropped,
/// the stranger's block in the place of the last, the stranger's block appended.
fn splices(good: &str, strange: &str) -> Vec<String> {
    let parts = |text: &str| {
        let raw = UnverifiedBiscuit::from_base64(text).unwrap().to_vec().unwrap();
        fields(&raw)
    };
    let (good, strange) = (parts(good), parts(strange));
    let block = |part: &&Vec<u8>| part[0] == BLOCK_TAG;
    let last = good.iter().rposition(|part| part[0] == BLOCK_TAG).unwrap();
    let strange_block = strange.iter().find(block).unwrap();
    let dropped = [&good[..last], &good[last + 1..]].concat();
    let mut replaced = good.clone();
    replaced[last] = strange_block.clone();
    let mut appended = good.clone();
    appended.insert(last + 1, strange_block.clone());
    let mut proof = appended.clone();
    *proof.last_mut().unwrap() = strange.last().unwrap().clone();
    [dropped, replaced, appended, proof].iter().map(|parts| base64(&parts.concat())).collect()
}

/// The protobuf tag of field 3, `blocks`, with wire type 2.
const BLOCK_TAG: u8 = 0x1a;

/// The top-level protobuf fields of a token, each with its tag.
fn fields(raw: &[u8]) -> Vec<Vec<u8>> {
    let varint = |at: usize| {
        let length = raw[at..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let value = raw[at..at + length]
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        (value, length)
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        let (value, length) = varint(at + 1);
        let end = at + 1 + length + if raw[at] & 7 == 2 { value } else { 0 };
        found.push(raw[at..end].to_vec());
        at = end;
    }
    found
}
