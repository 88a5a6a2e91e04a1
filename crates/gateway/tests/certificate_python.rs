//! Certificates narrowed by another implementation: Biscuit's library for Python, run by
//! the interpreter that `AMBAR_PYTHON` names.

use ambar_base::{Cid, Digest, Moment, NetworkId, Price, PublicKey, SecretKey};
use ambar_gateway::certificate::{Opened, mint, narrow, open};
use ambar_licence::Narrowing;
use std::io::Write;
use std::process::{Command, Stdio};

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
const CHANNEL: u64 = 41;

fn session() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn gateway() -> PublicKey {
    SecretKey::from_seed(&[2; 32]).public()
}

fn narrow_with_python(certificate: &str, arguments: &[&str]) -> String {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with biscuit-python; ./check does so");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/narrow_with_python.py");
    let mut child = Command::new(&python)
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("AMBAR_PYTHON {}: {error}", python.display()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(certificate.as_bytes()).expect("the script reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the script ends");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("base64 is ASCII").trim().to_owned()
}

fn opened(certificate: &str) -> Opened {
    let lookup = |channel| (channel == CHANNEL).then(|| session().public());
    open(certificate, lookup, NETWORK, &gateway()).expect("a certificate that opens")
}

fn narrowings(certificate: &str) -> Vec<Narrowing> {
    opened(certificate).blocks.into_iter().map(|block| block.narrowing).collect()
}

#[test]
fn python_narrows_with_every_check() {
    let first = Narrowing { budget: Some(Price(9_000_000_000)), ..Narrowing::default() };
    let certificate = mint(&session(), NETWORK, CHANNEL, &gateway(), &first).unwrap();
    let (a, b) = (Cid::of(b"a").to_string(), Cid::of(b"b").to_string());
    let arguments = [
        &["--budget", "1250000000", "--calls", "12", "--expires", "2027-01-31T01:00:00+01:00"][..],
        &["--purpose", "research", "--purpose", "evaluation", "--capsule", &a, "--capsule", &b],
    ];
    let narrowed = narrow_with_python(&certificate, &arguments.concat());
    let expect = Narrowing {
        budget: Some(Price(1_250_000_000)),
        calls: Some(12),
        expires: Some(Moment(1_801_353_600_000)),
        purposes: Some(["research", "evaluation"].map(|word| word.parse().unwrap()).into()),
        capsules: Some([Cid::of(b"a"), Cid::of(b"b")].into()),
        agent: None,
    };
    assert_eq!(narrowings(&narrowed), [first, expect]);
    assert_eq!(opened(&narrowed).blocks[0], opened(&certificate).blocks[0]);
}

#[test]
fn python_and_rust_take_turns() {
    let none = Narrowing::default();
    let certificate = mint(&session(), NETWORK, CHANNEL, &gateway(), &none).unwrap();
    let two = narrow_with_python(&certificate, &["--calls", "9"]);
    let purposes = Some(["b", "a"].map(|word| word.parse().unwrap()).into());
    let third = Narrowing { purposes, ..Narrowing::default() };
    let three = narrow(&two, &third).unwrap();
    let four = narrow_with_python(&three, &["--purpose", "c", "--purpose", "a"]);
    let calls = Narrowing { calls: Some(9), ..Narrowing::default() };
    let purposes = Some(["c", "a"].map(|word| word.parse().unwrap()).into());
    let fourth = Narrowing { purposes, ..Narrowing::default() };
    assert_eq!(narrowings(&four), [none, calls, third, fourth]);
}
