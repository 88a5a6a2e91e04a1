//! Who asks: certificates that are none here, signatures that are another's, and accounts that may
//! not, or are not there.

use crate::world::{Ask, CALLS, RECORD, Section, World, call};
use ambar_base::{Digest, NetworkId, PublicKey, SecretKey};
use ambar_capsule::chunks::ContentRoot;
use ambar_gateway::certificate;
use ambar_licence::Narrowing;
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] = &[
    ("certificates", certificates),
    ("nobody", nobody),
    ("signatures", signatures),
    ("not theirs", not_theirs),
    ("no accounts", no_accounts),
];

/// A receipt of the application.
fn receipt(world: &World) -> String {
    let answer = world.send(&call(CALLS[0], &world.model).bearer(&world.certificate));
    answer.header("ambar-receipt").unwrap().to_owned()
}

/// A request of an operation that is sound in everything but who asks.
pub fn sample(world: &World, operation: &str, receipt: &str) -> Ask {
    let app = world.account(&world.key("app"));
    let World { model, channel, dataset, .. } = world;
    let root = ContentRoot::of(format!("records: {RECORD}").as_bytes());
    match operation {
        "blob" => Ask::get(format!("/api/v1/blobs/{root}?capsule={dataset}")),
        "channel" => Ask::get(format!("/api/v1/channels/{channel}")),
        "keep_key" => Ask::new("PUT", format!("/api/v1/capsules/{model}/key"), "{}"),
        "list_channels" => Ask::get(format!("/api/v1/channels?account={app}")),
        "list_grants" => Ask::get(format!("/api/v1/grants?account={app}")),
        "list_models" => Ask::get("/v1/models"),
        "list_receipts" => Ask::get(format!("/api/v1/receipts?account={app}")),
        "model" => Ask::get(format!("/v1/models/{model}")),
        "put_blob" => Ask::new("PUT", "/api/v1/blobs", "some bytes"),
        "receipt" => Ask::get(format!("/api/v1/receipts/{receipt}")),
        "receipt_proof" => Ask::get(format!("/api/v1/receipts/{receipt}/proof")),
        "serve" => {
            let body = json!({ "engine": "null:tokens=4" }).to_string();
            Ask::new("PUT", format!("/api/v1/serving/{model}"), body)
        }
        "statement" => Ask::get(format!("/api/v1/accounts/{app}/statement")),
        "submission_content" => Ask::get("/api/v1/pools/harbour/submissions/0/content"),
        "trace" => {
            let body = json!({ "datanet": dataset, "text": RECORD, "proofs": true });
            Ask::post("/api/v1/trace", &body)
        }
        call_of => call(call_of, model),
    }
}

/// Shows a certificate, be it in the header or in the body.
fn shown(world: &World, operation: &str, receipt: &str, certificate: &str) -> Ask {
    if operation == "revoke_certificate" {
        let body = json!({ "certificate": certificate });
        return Ask::post("/api/v1/certificates/revoke", &body);
    }
    sample(world, operation, receipt).bearer(certificate)
}

fn certificates(world: &World) {
    let receipt = &receipt(world);
    let status = world.person().json(&["status"]);
    let gateway = PublicKey::from_did(status["node"]["did"].as_str().unwrap()).unwrap();
    let session = world.session(&world.channel);
    let channel: u64 = world.channel.parse().unwrap();
    let mint = |network, channel, gateway: &PublicKey| {
        certificate::mint(&session, network, channel, gateway, &Narrowing::default()).unwrap()
    };
    let elsewhere = NetworkId(Digest::of(b"another network"));
    let stranger = SecretKey::from_seed(&[9; 32]).public();
    let revoked = world.market.narrow(&world.certificate, &["--calls", "3"]);
    world.person().run_with(&["cert", "revoke", "-", "--json"], &revoked).json();
    let odd = [
        ("audience_mismatch", mint(world.network, channel, &stranger)),
        ("certificate_invalid", "sk-1234567890".to_owned()),
        ("certificate_revoked", revoked),
        ("certificate_too_large", "x".repeat(9_000)),
        ("certificate_vocabulary", odd(&world.certificate)),
        ("channel_unknown", mint(world.network, 4_000_000, &gateway)),
        ("wrong_network", mint(elsewhere, channel, &gateway)),
    ];
    for (code, certificate) in odd {
        for operation in world.witness.document().failing_with(code) {
            if operation.id != "submit_transaction" {
                world.refused(&shown(world, &operation.id, receipt, &certificate), code);
            }
        }
    }
}

/// A certificate with a block that certificates do not have.
fn odd(certificate: &str) -> String {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with biscuit-python; ./check does so");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/odd_certificate.py");
    let mut command = Command::new(python);
    let command = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(certificate.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Nobody, where somebody is asked for; and how to say who one is.
fn nobody(world: &World) {
    let receipt = &receipt(world);
    for operation in world.witness.document().failing_with("unauthenticated") {
        let ask = sample(world, &operation.id, receipt);
        world.refused(&ask, "unauthenticated");
        let told = world.send(&ask);
        let how = told.header("www-authenticate").unwrap_or_default();
        assert!(how.starts_with("Bearer"), "{}: {told:?}", operation.id);
    }
}

/// Signatures that are another's.
fn signatures(world: &World) {
    let receipt = &receipt(world);
    let thief = SecretKey::from_seed(&[5; 32]);
    let elsewhere =
        ["faucet", "release_key", "submit_transaction", CALLS[0], CALLS[1], CALLS[2], CALLS[3]];
    for operation in world.witness.document().failing_with("signature_invalid") {
        if elsewhere.contains(&operation.id.as_str()) {
            continue;
        }
        let other = NetworkId(Digest::of(b"another network"));
        let ask = sample(world, &operation.id, receipt).signed(other, &thief);
        world.refused(&ask, "signature_invalid");
    }
}

/// Those who may not.
fn not_theirs(world: &World) {
    let receipt = &receipt(world);
    let owner = world.account(&world.key("owner")).to_string();
    let signed = |operation: &str| {
        let ask = sample(world, operation, receipt);
        world.signed(ask, "stranger")
    };
    for operation in [
        "channel",
        "list_channels",
        "list_grants",
        "list_receipts",
        "receipt",
        "receipt_proof",
        "serve",
        "statement",
        "submission_content",
    ] {
        world.refused(&signed(operation), "not_authorised");
    }
    for operation in ["blob", "put_blob", "trace"] {
        world.refused(&signed(operation).header("ambar-account", &owner), "not_authorised");
    }
    world.refused(&signed("blob"), "right_not_granted");
}

/// Accounts that are not there.
fn no_accounts(world: &World) {
    let nobody = SecretKey::from_seed(&[6; 32]);
    let id = world.account(&nobody);
    for path in [
        format!("/api/v1/accounts/{id}"),
        format!("/api/v1/offers?to={id}"),
        format!("/api/v1/royalties?account={id}"),
    ] {
        world.refused(&Ask::get(path), "account_unknown");
    }
    for path in [
        format!("/api/v1/channels?account={id}"),
        format!("/api/v1/grants?account={id}"),
        format!("/api/v1/receipts?account={id}"),
        format!("/api/v1/accounts/{id}/statement"),
    ] {
        world.refused(&Ask::get(path).signed(world.network, &nobody), "account_unknown");
    }
    for operation in ["blob", "put_blob", "submission_content", "trace"] {
        let ask = sample(world, operation, "").signed(world.network, &nobody);
        world.refused(&ask, "account_unknown");
    }
}
