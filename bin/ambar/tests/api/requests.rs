//! What is asked: parameters and bodies that are wrong or too long, and things that are not there.

use crate::document::Operation;
use crate::parties::sample;
use crate::support::http::Answer;
use crate::world::{Ask, CALLS, Section, World, call};
use ambar_base::Cid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// What no path can be: no UTF-8.
const NO_TEXT: &str = "%FF";
/// Longest body of most operations, of calls and of transactions, bytes.
const LONG: usize = 1 << 20;
/// See [`LONG`].
const LONGEST: usize = 8 << 20;
/// What is too much: little enough to be sent though nobody reads it, bytes.
const MORE: usize = 64 << 10;

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] = &[
    ("paths", paths),
    ("queries", queries),
    ("bodies", bodies),
    ("lengths", lengths),
    ("nothing there", nothing_there),
];

fn paths(world: &World) {
    for operation in world.witness.document().failing_with("invalid_request") {
        let Some((before, rest)) = operation.path.split_once('{') else { continue };
        let (_, after) = rest.split_once('}').unwrap();
        let path = format!("{before}{NO_TEXT}{after}");
        let ask = Ask::new(&operation.method, path, "{}").bearer(&world.certificate);
        world.refused(&ask, "invalid_request");
    }
}

fn queries(world: &World) {
    for path in [
        "audit?archive=perhaps",
        "blocks?limit=0",
        "capsules?limit=1001",
        "catalogue/changes?since=yesterday",
        "chain",
        "channels",
        "disputes?receipt=1-1&grant=2",
        "grants",
        "offers",
        "pools?limit=0",
        "pools/harbour/proposals?after=x",
        "pools/harbour/submissions?limit=1001",
        "receipts",
        "royalties",
        "search",
        "validators?after=x",
    ] {
        world.refused(&Ask::get(format!("/api/v1/{path}")), "invalid_request");
    }
    let root = "0".repeat(64);
    world.refused(&Ask::get(format!("/api/v1/blobs/{root}")), "invalid_request");
}

fn bodies(world: &World) {
    for operation in ["faucet", "revoke_certificate", "trace"] {
        let path = &world.witness.document().operation(operation).path;
        world.refused(&Ask::post(path.as_str(), &json!([])), "invalid_request");
    }
    for operation in CALLS {
        let ask = Ask::new("POST", call(operation, "x").path, "no JSON");
        world.refused(&ask.bearer(&world.certificate), "invalid_request");
    }
    // The body breaks off in the middle of what it says it is.
    let blob = world.signed(Ask::new("PUT", "/api/v1/blobs", ""), "app");
    let broken = raw(world, &blob, "Transfer-Encoding: chunked", b"4\r\nsome\r\nnot a number\r\n");
    broken.refused(400, "invalid_request");
    world.witness.heard("PUT", "/api/v1/blobs", &broken);
    // One that says that it is longer than any blob is refused before any of it is read.
    let long = raw(world, &blob, &format!("Content-Length: {}", (64_u64 << 30) + 1), b"");
    long.refused(413, "request_too_large");
    world.witness.heard("PUT", "/api/v1/blobs", &long);
}

fn lengths(world: &World) {
    for operation in world.witness.document().failing_with("request_too_large") {
        let Operation { id, method, path, .. } = operation;
        let most = match id.as_str() {
            "put_blob" => continue,
            "submit_transaction" => LONGEST,
            id if CALLS.contains(&id) => LONGEST,
            _ => LONG,
        };
        let path = path.replace("{capsule}", &world.model);
        let ask = Ask::new(method, path, vec![b'x'; most + MORE]).bearer(&world.certificate);
        world.refused(&ask, "request_too_large");
    }
}

/// Sends a request whose body is not what its head says, to the node itself.
fn raw(world: &World, ask: &Ask, length: &str, body: &[u8]) -> Answer {
    let address = world.market.url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).unwrap();
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {address}\r\n{length}\r\n", ask.method, ask.path);
    for (name, value) in &ask.headers {
        head += &format!("{name}: {value}\r\n");
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut reader = BufReader::new(socket);
    let (mut line, mut status, mut told) = (String::new(), 0, 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().unwrap();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            told = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut text = vec![0; told];
    reader.read_exact(&mut text).unwrap();
    Answer { status, headers: Vec::new(), text: String::from_utf8(text).unwrap() }
}

fn nothing_there(world: &World) {
    capsules(world);
    let nowhere = Cid::of(b"nothing");
    for path in [
        "blocks/999999".to_owned(),
        "disputes/999999".to_owned(),
        "pools/999999".to_owned(),
        "pools/nothing/proposals".to_owned(),
        "pools/nothing/submissions".to_owned(),
        "royalties/999999".to_owned(),
        format!("terms/{nowhere}"),
        format!("datanets/{}", world.model),
    ] {
        world.refused(&Ask::get(format!("/api/v1/{path}")), "not_found");
    }
    let trace = json!({ "datanet": world.model, "text": "x" });
    world.refused(&Ask::post("/api/v1/trace", &trace), "not_found");
    for path in
        ["pools/harbour/submissions/999/content", "receipts/1-999999", "receipts/1-999999/proof"]
    {
        let ask = world.signed(Ask::get(format!("/api/v1/{path}")), "app");
        world.refused(&ask, "not_found");
    }
    let channel = world.signed(Ask::get("/api/v1/channels/999999"), "app");
    world.refused(&channel, "channel_unknown");
    let root = "0".repeat(64);
    let blob = format!("/api/v1/blobs/{root}?capsule={}", world.dataset);
    world.refused(&world.signed(Ask::get(blob), "owner"), "not_found");
}

fn capsules(world: &World) {
    const UNKNOWN: &str = "nothing-has-this-name";
    for operation in world.witness.document().failing_with("model_not_found") {
        let ask = match operation.id.as_str() {
            "blob" => Ask::get(format!("/api/v1/blobs/{}?capsule={UNKNOWN}", "0".repeat(64))),
            "list_offers" => Ask::get(format!("/api/v1/offers?capsule={UNKNOWN}")),
            "trace" => Ask::post("/api/v1/trace", &json!({ "datanet": UNKNOWN, "text": "x" })),
            "serve" => {
                let of_model = sample(world, "serve", "");
                let path = of_model.path.replace(&world.model, UNKNOWN);
                world.signed(Ask { path, ..of_model }, "operator")
            }
            "model" => Ask::get(format!("/v1/models/{UNKNOWN}")).bearer(&world.certificate),
            // Those two name versions by their ids, in bodies that are signed.
            "release_key" | "submit_transaction" => continue,
            id if CALLS.contains(&id) => call(id, UNKNOWN).bearer(&world.certificate),
            _ => {
                let (before, rest) = operation.path.split_once('{').unwrap();
                let (_, after) = rest.split_once('}').unwrap();
                Ask::get(format!("{before}{UNKNOWN}{after}"))
            }
        };
        world.refused(&ask, "model_not_found");
    }
    let _: Value = world.send(&Ask::get(format!("/api/v1/capsules/{}", world.model))).ok();
}
