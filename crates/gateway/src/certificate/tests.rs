use super::*;
use ambar_base::{Cid, Coded, ErrorCode, Moment, NetworkId, Price, PublicKey, SecretKey};
use ambar_base::{Digest, Domain};
use ambar_licence::{
    ChannelView, Decision, GrantView, Narrowing, Request, Right, Situation, Spent, Terms, decide,
};
use biscuit_auth::{
    Algorithm, Biscuit, BiscuitBuilder, BlockBuilder, KeyPair, PrivateKey, UnverifiedBiscuit,
};
use std::cell::Cell;

mod properties;

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
const CHANNEL: u64 = 7;

fn session() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn gateway() -> PublicKey {
    SecretKey::from_seed(&[2; 32]).public()
}

fn lookup(channel: u64) -> Option<PublicKey> {
    (channel == CHANNEL).then(|| session().public())
}

fn open_here(certificate: &str) -> Result<Opened, CertificateError> {
    open(certificate, lookup, NETWORK, &gateway())
}

fn minted(narrowing: &Narrowing) -> String {
    mint(&session(), NETWORK, CHANNEL, &gateway(), narrowing).unwrap()
}

fn narrowings(opened: &Opened) -> Vec<Narrowing> {
    opened.blocks.iter().map(|block| block.narrowing.clone()).collect()
}

fn full() -> Narrowing {
    Narrowing {
        budget: Some(Price(5_000_000_000)),
        calls: Some(100),
        expires: Some(Moment(1_801_353_600_000)),
        purposes: Some(["research", "evaluation"].map(|word| word.parse().unwrap()).into()),
        capsules: Some([Cid::of(b"a")].into()),
        agent: Some(gateway()),
    }
}

fn full_lines() -> Vec<String> {
    vec![
        "check if time($t), $t <= 2027-01-31T00:00:00Z".into(),
        "check if budget($b), $b <= 5000000000".into(),
        "check if calls($n), $n <= 100".into(),
        "check if purpose($p), {\"evaluation\", \"research\"}.contains($p)".into(),
        format!("check if capsule($c), {{\"{}\"}}.contains($c)", Cid::of(b"a")),
        format!("check if agent(\"{}\")", gateway().did()),
    ]
}

/// A token of this channel's key with any first block.
fn built(source: &str, key_id: Option<u32>) -> String {
    let key = PrivateKey::from_bytes(session().seed().as_slice(), Algorithm::Ed25519).unwrap();
    let builder = BiscuitBuilder::new().code(source).unwrap();
    let builder = key_id.into_iter().fold(builder, BiscuitBuilder::root_key_id);
    builder.build(&KeyPair::from(&key)).unwrap().to_base64().unwrap()
}

fn appended(certificate: &str, block: BlockBuilder) -> String {
    UnverifiedBiscuit::from_base64(certificate).unwrap().append(block).unwrap().to_base64().unwrap()
}

fn facts() -> String {
    let network = NETWORK.0;
    format!(
        "ambar(1); network(hex:{network}); channel(7); gateway(hex:{});",
        hex::encode(gateway().0)
    )
}

#[test]
fn biscuit_prints_what_the_module_documents() {
    let token = narrow(&minted(&Narrowing::default()), &full()).unwrap();
    let token = UnverifiedBiscuit::from_base64(&token).unwrap();
    let facts = facts().replace("; ", ";\n");
    let session = hex::encode(session().public().0);
    assert_eq!(token.print_block_source(0).unwrap(), format!("{facts}\nsession(hex:{session});\n"));
    let expect: String = full_lines().iter().map(|line| format!("{line};\n")).collect();
    assert_eq!(token.print_block_source(1).unwrap(), expect);
    assert_eq!(token.root_key_id(), Some(7));
}

#[test]
fn opens_what_was_minted_and_narrowed() {
    let one = minted(&full());
    let opened = open_here(&one).unwrap();
    assert_eq!((opened.channel, opened.session), (CHANNEL, session().public()));
    assert_eq!(narrowings(&opened), [full()]);
    let two = narrow(&one, &Narrowing { calls: Some(3), ..Narrowing::default() }).unwrap();
    let both = open_here(&two).unwrap();
    assert_eq!(both.blocks[0], opened.blocks[0]);
    assert_eq!(both.blocks[1].narrowing.calls, Some(3));
    assert_ne!(both.holder, opened.holder);
    let ids = UnverifiedBiscuit::from_base64(&two).unwrap().revocation_identifiers();
    assert_eq!(both.holder, Domain::Holder.digest(&ids[1]));
    assert_eq!(both.blocks[1].id, Digest::of(&ids[1]));
    assert_ne!(minted(&full()), one);
}

/// A certificate of version 1 that Rust and Python narrowed in turns opens for ever.
#[test]
fn certificates_of_version_1_open() {
    let fixture = include_str!("../../tests/fixtures/certificate_v1.txt").trim();
    let lookup = |channel| (channel == 41).then(|| session().public());
    let opened = open(fixture, lookup, NETWORK, &gateway()).unwrap();
    let words = |list: [&str; 2]| Some(list.map(|word| word.parse().unwrap()).into());
    let expect = [
        Narrowing::default(),
        Narrowing { calls: Some(9), ..Narrowing::default() },
        Narrowing { purposes: words(["a", "b"]), ..Narrowing::default() },
        Narrowing { purposes: words(["a", "c"]), ..Narrowing::default() },
    ];
    assert_eq!(narrowings(&opened), expect);
    let holder = "7c0c5c73804204e596e4a506d8e6aa703f4c726103af640e28237ff81502a987";
    assert_eq!(opened.holder.to_string(), holder);
}

#[test]
fn who_reads_it_matters() {
    let certificate = minted(&Narrowing::default());
    let check = |network, gateway: PublicKey, key: Option<PublicKey>, expect: ErrorCode| {
        let found = open(&certificate, |_| key, network, &gateway).unwrap_err();
        assert_eq!(found.code(), expect, "{found}");
    };
    let key = Some(session().public());
    check(NetworkId(Digest([9; 32])), gateway(), key, ErrorCode::WrongNetwork);
    check(NETWORK, session().public(), key, ErrorCode::AudienceMismatch);
    check(NETWORK, gateway(), None, ErrorCode::ChannelUnknown);
    check(NETWORK, gateway(), Some(gateway()), ErrorCode::CertificateInvalid);
    check(NETWORK, gateway(), Some(PublicKey([255; 32])), ErrorCode::CertificateInvalid);
}

#[test]
fn first_blocks_outside_the_vocabulary_are_refused() {
    let check = |source: &str, key_id, expect: Option<ErrorCode>| {
        let found = open_here(&built(source, key_id));
        assert_eq!(found.as_ref().err().map(Coded::code), expect, "{source} {found:?}");
    };
    let facts = facts();
    let vocabulary = Some(ErrorCode::CertificateVocabulary);
    let invalid = Some(ErrorCode::CertificateInvalid);
    let said = |key: PublicKey| format!("{facts} session(hex:{});", hex::encode(key.0));
    check(&facts, Some(7), None);
    check(&format!("{facts} check if calls($n), $n <= 1;"), Some(7), None);
    check(&said(session().public()), Some(7), None);
    check(&said(gateway()), Some(7), invalid);
    check(&facts, None, invalid);
    check(&facts, Some(8), Some(ErrorCode::ChannelUnknown));
    check(&facts.replace("channel(7)", "channel(8)"), Some(7), invalid);
    check(&facts.replace("ambar(1)", "ambar(2)"), Some(7), vocabulary);
    check(&facts.replace("ambar(1); ", ""), Some(7), vocabulary);
    check(&facts.replace("channel(7); ", ""), Some(7), vocabulary);
    check(&facts.replace("channel(7)", "channel(-7)"), Some(7), vocabulary);
    check(&facts.replace("channel(7)", "channel(\"7\")"), Some(7), vocabulary);
    check(&facts.replace("network(hex:03", "network(hex:"), Some(7), vocabulary);
    check(&format!("{facts} right(\"all\");"), Some(7), vocabulary);
    check(&format!("{facts} channel(7);"), Some(7), vocabulary);
    check(&format!("{facts} a($x) <- channel($x);"), Some(7), vocabulary);
    check("", Some(7), vocabulary);
}

#[test]
fn later_blocks_outside_the_vocabulary_are_refused() {
    let certificate = minted(&Narrowing::default());
    let narrowed = |source: &str| {
        let block = BlockBuilder::new().code(source).unwrap();
        open_here(&appended(&certificate, block))
    };
    let vocabulary = |source: &str| {
        let found = narrowed(source).unwrap_err();
        assert_eq!(found.code(), ErrorCode::CertificateVocabulary, "{source} {found}");
        assert!(found.to_string().starts_with("block 1 says"), "{found}");
    };
    assert!(narrowed("").is_ok());
    assert!(full_lines().iter().all(|line| narrowed(line).is_ok()));
    vocabulary("spent(0)");
    vocabulary("channel(7)");
    vocabulary("budget($b) <- calls($b)");
    vocabulary("reject if calls($n), $n > 5");
    vocabulary("check all calls($n), $n <= 5");
    vocabulary("check if calls($n), $n <= 5 or budget($b), $b <= 9");
    vocabulary("check if calls($n), $n <= 5 trusting previous");
    vocabulary("check if calls($x), $x <= 5");
    vocabulary("check if calls($n), $n < 5");
    vocabulary("check if calls($n), $n <= -5");
    vocabulary("check if calls($n), $n >= 5");
    vocabulary("check if budget($b), $b <= 1 + 1");
    vocabulary("check if time($t), $t <= 5");
    vocabulary("check if true");
    vocabulary("check if purpose($p), {\"Research\"}.contains($p)");
    vocabulary("check if purpose($p), {1}.contains($p)");
    vocabulary("check if purpose($p), {,}.contains($p)");
    vocabulary("check if purpose($p), [\"a\"].contains($p)");
    vocabulary("check if purpose(\"research\")");
    vocabulary("check if capsule($c), {\"bafy\"}.contains($c)");
    vocabulary("check if agent(\"somebody\")");
    vocabulary("check if agent($a)");
    // One text that prints like two.
    vocabulary("check if purpose($p), {\"a\\\", \\\"b\"}.contains($p)");
    let apart =
        "check if purpose($p), {\"a\"}.contains($p); check if purpose($p), {\"b\"}.contains($p)";
    vocabulary(apart);
}

#[test]
fn two_checks_of_a_kind_are_both_meant() {
    let source = "check if calls($n), $n <= 5; check if calls($n), $n <= 3; \
                  check if purpose($p), {\"b\", \"a\"}.contains($p); \
                  check if purpose($p), {\"c\", \"b\"}.contains($p)";
    let block = BlockBuilder::new().code(source).unwrap();
    let opened = open_here(&appended(&minted(&Narrowing::default()), block)).unwrap();
    let purposes = Some(["b".parse().unwrap()].into());
    let expect = Narrowing { calls: Some(3), purposes, ..Narrowing::default() };
    assert_eq!(opened.blocks[1].narrowing, expect);
}

#[test]
fn what_a_printed_block_would_not_show_is_refused() {
    let certificate = minted(&Narrowing::default());
    let context = appended(&certificate, BlockBuilder::new().context("hidden".into()));
    assert_eq!(open_here(&context).unwrap_err().code(), ErrorCode::CertificateVocabulary);
    // A scope of the whole block, which Biscuit's printer leaves out.
    let scoped = BlockBuilder::new().code("check if calls($n), $n <= 5").unwrap();
    let scoped = appended(&certificate, scoped.scope(biscuit_auth::builder::Scope::Previous));
    assert_eq!(open_here(&scoped).unwrap_err().code(), ErrorCode::CertificateVocabulary);
    let root = biscuit_auth::PublicKey::from_bytes(&session().public().0, Algorithm::Ed25519);
    let token = Biscuit::from_base64(&certificate, root.unwrap()).unwrap();
    let third = KeyPair::new();
    let block = BlockBuilder::new().code("check if calls($n), $n <= 5").unwrap();
    let signed = token.third_party_request().unwrap().create_block(&third.private(), block);
    let token = token.append_third_party(third.public(), signed.unwrap()).unwrap();
    let found = open_here(&token.to_base64().unwrap()).unwrap_err();
    assert_eq!(found.code(), ErrorCode::CertificateVocabulary, "{found}");
    assert_eq!(narrow(&token.to_base64().unwrap(), &full()).unwrap_err(), found);
}

#[test]
fn sealed_certificates_open_and_do_not_narrow() {
    let token = UnverifiedBiscuit::from_base64(minted(&full())).unwrap();
    let sealed = token.seal().unwrap().to_base64().unwrap();
    assert_eq!(narrowings(&open_here(&sealed).unwrap()), [full()]);
    assert_eq!(narrow(&sealed, &full()), Err(CertificateError::Sealed));
}

#[test]
fn limits() {
    let mut certificate = minted(&Narrowing::default());
    for _ in 1..CERTIFICATE_BLOCKS_MAX {
        certificate = narrow(&certificate, &Narrowing::default()).unwrap();
    }
    assert_eq!(open_here(&certificate).unwrap().blocks.len(), CERTIFICATE_BLOCKS_MAX);
    let too_many = CertificateError::Blocks(CERTIFICATE_BLOCKS_MAX + 1);
    assert_eq!(narrow(&certificate, &Narrowing::default()), Err(too_many.clone()));
    assert_eq!(open_here(&appended(&certificate, BlockBuilder::new())), Err(too_many));
    let capsules = Some((0..64u8).map(|i| Cid::of(&[i])).collect());
    let many = Narrowing { capsules, ..Narrowing::default() };
    let one = minted(&many);
    let two = narrow(&one, &Narrowing { capsules: Some([Cid::of(b"z")].into()), ..many.clone() });
    assert!(two.is_ok());
    let other = Some((64..128u8).map(|i| Cid::of(&[i])).collect());
    let larger = narrow(&one, &Narrowing { capsules: other, ..many }).unwrap_err();
    assert_eq!(larger.code(), ErrorCode::CertificateTooLarge);
    let long = "A".repeat(CERTIFICATE_BYTES_MAX + 1);
    assert_eq!(open_here(&long), Err(CertificateError::TooLarge(long.len())));
    let channel = u64::from(u32::MAX) + 1;
    let found = mint(&session(), NETWORK, channel, &gateway(), &Narrowing::default());
    assert_eq!(found, Err(CertificateError::ChannelNumber(channel)));
    let budget = Narrowing { budget: Some(Price(u64::MAX)), ..Narrowing::default() };
    assert_eq!(narrow(&one, &budget).unwrap_err().code(), ErrorCode::RequestInvalid);
    for text in ["", "sk-1234", "é", "AAAA"] {
        assert_eq!(open_here(text).unwrap_err().code(), ErrorCode::CertificateInvalid, "{text}");
    }
}

#[test]
fn descriptions_speak_to_scripts_and_people() {
    let certificate = narrow(&minted(&Narrowing::default()), &full()).unwrap();
    let (opened, described) = (open_here(&certificate).unwrap(), inspect(&certificate).unwrap());
    assert_eq!((&described.blocks, described.holder), (&opened.blocks, opened.holder));
    let id = |block: usize| opened.blocks[block].id.to_string();
    let expect = serde_json::json!({
        "verified": false,
        "network": NETWORK.to_string(),
        "channel": "7",
        "gateway": gateway().did(),
        "session": session().public().did(),
        "session_key": hex::encode(session().public().0),
        "holder": opened.holder.to_string(),
        "blocks": [
            { "id": id(0) },
            {
                "id": id(1),
                "budget": "5.000000000",
                "calls": 100,
                "expires": "2027-01-31T00:00:00Z",
                "purposes": ["evaluation", "research"],
                "capsules": [Cid::of(b"a").to_string()],
                "agent": gateway().did(),
            },
        ],
    });
    assert_eq!(described.to_json(), expect);
    let text = described.to_string();
    assert!(full_lines().iter().all(|line| text.contains(line)), "{text}");
}

#[test]
fn remembered_certificates_follow_their_channel() {
    let certificates = Certificates::new(NETWORK, gateway());
    let certificate = minted(&full());
    let key = Cell::new(lookup(CHANNEL));
    let open = || certificates.open(&certificate, |_| key.get());
    let first = open().unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &open().unwrap()));
    assert_eq!(*first, open_here(&certificate).unwrap());
    key.set(Some(gateway()));
    assert_eq!(open(), Err(CertificateError::Signature));
    key.set(None);
    assert_eq!(open(), Err(CertificateError::ChannelUnknown(CHANNEL)));
    key.set(lookup(CHANNEL));
    assert!(open().is_ok());
    assert_eq!(certificates.remembered(), 1);
    assert!(certificates.open("nonsense", lookup).is_err());
    assert_eq!(certificates.remembered(), 1);
}
