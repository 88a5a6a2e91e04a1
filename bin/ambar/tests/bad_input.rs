//! What commands and a running node say to bad input: exit code or status, public code.
//! What needs no node is tested with the command line.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use support::http::Request;
use support::market::{Market, question};

/// Longest body of a call, bytes, and of one of the node's own API.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest body of a call, bytes: images come in it.
const CALL_BYTES_MAX: usize = 8 << 20;

/// A string of a GGUF file.
fn gguf_string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A GGUF file (version 3) without tensors, of an architecture.
fn gguf(architecture: &str) -> Vec<u8> {
    const STRING: u32 = 8;
    let (version, tensors, pairs) = (3_u32, 0_u64, 1_u64);
    let head = [&b"GGUF"[..], &version.to_le_bytes(), &tensors.to_le_bytes()].concat();
    let pair = [gguf_string("general.architecture"), STRING.to_le_bytes().to_vec()].concat();
    [head, pairs.to_le_bytes().to_vec(), pair, gguf_string(architecture)].concat()
}

/// Publishing with one thing wrong.
struct Desk<'a> {
    market: &'a Market,
    terms: String,
    record: String,
}

impl Desk<'_> {
    fn check(&self, path: &str, kind: &str, more: &[&str], exit: i32, code: &str) {
        let publish = ["publish", path, "--kind", kind, "--name", "bad", "--as", "owner"];
        // Later options of the same name are refused, so terms are named unless given.
        let terms = ["--terms", &self.terms];
        let terms = if more.contains(&"--terms") { &[][..] } else { &terms };
        self.market.person().run(&[&publish[..], terms, more].concat()).failed(exit, code);
    }

    fn dataset(&self, more: &[&str], exit: i32, code: &str) {
        self.check(&self.record, "dataset", more, exit, code);
    }

    fn model(&self, name: &str, bytes: impl AsRef<[u8]>, code: &str) {
        self.check(&self.market.write(name, bytes), "model", &[], 2, code);
    }
}

#[test]
fn publications() {
    let market = Market::open();
    let terms = market.write(
        "good.toml",
        "terms = 1\ngrants = [\"call\", \"derive\"]\n\
        [derivatives]\nallowed = true\nshare = \"10%\"\n",
    );
    let record = market.write("record.txt", "One record.\n");
    let desk = Desk { market: &market, terms: terms.clone(), record };
    let parent = market.model("parent", "null:tokens=4");
    let nobody = ambar_base::Cid::of(b"nobody published this").to_string();
    let bad_terms = market.write("bad.toml", "terms = 1\ngrant = [\"call\"]\n");
    let cut_terms = market.write("cut.toml", "terms = 1\ngrants = [\"ca");
    let raw_terms = market.write("raw.toml", b"terms = 1\n# \xff\n");
    let empty = market.files.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let hollow = market.files.path().join("hollow");
    fs::create_dir(&hollow).unwrap();
    fs::write(hollow.join("record.txt"), "").unwrap();

    desk.check("/nowhere/data", "dataset", &[], 2, "file_unreadable");
    desk.check(empty.to_str().unwrap(), "dataset", &[], 2, "dataset_empty");
    desk.check(hollow.to_str().unwrap(), "dataset", &[], 2, "dataset_empty");
    desk.dataset(&["--terms", &bad_terms], 2, "terms_invalid");
    desk.dataset(&["--terms", &cut_terms], 2, "terms_invalid");
    desk.dataset(&["--terms", &raw_terms], 2, "file_unreadable");
    desk.dataset(&["--from", &format!("{nobody}=15%")], 4, "model_not_found");
    desk.dataset(&["--previous", &nobody], 4, "model_not_found");
    let (most, more) = (format!("{parent}=60%"), format!("{nobody}=41%"));
    desk.dataset(&["--from", &most, "--from", &more], 2, "share_exceeded");
    desk.dataset(&["--from", &format!("{parent}=101%")], 2, "invalid_request");
    desk.model("cut.gguf", &gguf("llama")[..30], "model_unsupported");
    desk.model("none.gguf", "FUGG, not GGUF", "model_unsupported");
    desk.model("strange.gguf", gguf("wibble"), "model_unsupported");
    desk.model("card.md", "a card without an engine", "model_unsupported");
    // Nothing of all this was published.
    let listed = Request::get("/api/v1/capsules").send(market.url()).unwrap().ok();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn capsules_of_others() {
    let market = Market::open();
    let model = market.model("mine", "null:tokens=4");
    let person = market.person();
    let path = market.write("mine.md", "another card");
    let terms = market.files.path().join("terms.toml");
    let publish = ["publish", &path, "--kind", "model", "--name", "mine", "--previous", &model];
    let terms = ["--terms", terms.to_str().unwrap(), "--engine", "null", "--as", "app"];
    person.run(&[&publish[..], &terms].concat()).failed(3, "not_authorised");
    let out = market.files.path().join("out");
    let fetch = ["fetch", &model, "--out", out.to_str().unwrap(), "--as", "app"];
    person.run(&fetch).failed(3, "right_not_granted");
    person.run(&["license", &model, "--as", "app"]).failed(2, "invalid_request");
    let license = ["license", &model, "--as", "app", "--yes", "--fund", "1000000"];
    person.run(&license).failed(3, "balance_too_low");
    person.run(&["show", "nothing-has-this-name"]).failed(4, "model_not_found");
    person.run(&["channel", "fund", "77", "1", "--as", "app"]).failed(4, "channel_unknown");
    let channel = market.license(&model, "1");
    person.run(&["channel", "close", &channel, "--as", "owner"]).failed(3, "not_authorised");
    let certificate = market.write("app.cert", market.mint(&channel, &[]));
    let call = ["call", "gpt-4o", "--cert", &certificate, "Hello"];
    person.run(&call).failed(4, "model_not_found");
    let show = ["receipt", "show", "99-1", "--cert", &certificate];
    person.run(&show).failed(4, "not_found");
}

#[test]
fn requests() {
    let market = Market::open();
    let model = market.model("model", "null:tokens=4");
    let certificate = market.mint(&market.license(&model, "1"), &[]);
    let check = |request: Request, status: u16, code: &str| {
        request.send(market.url()).unwrap().refused(status, code);
    };
    let call = |body: Vec<u8>| Request::post("/v1/chat/completions", body).bearer(&certificate);
    let good = || question(&model, 4).to_string();
    let with = |member: &str, value: Value| {
        let mut body = question(&model, 4);
        body[member] = value;
        call(body.to_string().into())
    };
    check(call(vec![b' '; CALL_BYTES_MAX + 1]), 413, "request_too_large");
    check(call(b"{\"model\":".to_vec()), 400, "invalid_request");
    check(call(b"{\"model\":\"\xff\"}".to_vec()), 400, "invalid_request");
    check(call(b"[]".to_vec()), 400, "invalid_request");
    check(call(Vec::new()), 400, "invalid_request");
    check(call(format!("{{\"model\":{}", "[".repeat(100_000)).into()), 400, "invalid_request");
    check(call(good().replacen('{', "{\"model\":\"x\",", 1).into()), 400, "invalid_request");
    check(with("colour", json!("red")), 400, "invalid_request");
    check(with("max_tokens", json!(-1)), 400, "invalid_request");
    check(with("messages", json!([])), 400, "invalid_request");
    check(with("model", json!("gpt-4o")), 404, "model_not_found");
    check(Request::post("/v1/chat/completions", good()), 401, "unauthenticated");
    let basic = Request::post("/v1/chat/completions", good()).header("Authorization", "Basic x");
    check(basic, 401, "unauthenticated");
    check(call(good().into()).header("Idempotency-Key", &"k".repeat(257)), 400, "invalid_request");
    check(call(good().into()).header("Ambar-Purpose", "Not A Purpose"), 400, "invalid_request");
    check(Request::get("/v1/chat/completions").bearer(&certificate), 405, "method_not_allowed");
    check(Request::get("/v1/engines").bearer(&certificate), 404, "not_found");
    assert_eq!(market.call(&certificate, &question(&model, 4)).status, 200);
    market.audit(1);
}

/// The node's own API refuses in its own shape, whoever finds the fault.
#[test]
fn requests_to_the_own_api() {
    let market = Market::open();
    let check = |request: Request, status: u16, code: &str| {
        let answer = request.send(market.url()).unwrap();
        answer.refused(status, code);
        let error = &answer.json()["error"];
        assert!(error["message"].is_string() && error["help"].is_string(), "{answer:?}");
    };
    check(Request::get("/api/v1/nothing"), 404, "not_found");
    check(Request::get("/api/v1/capsules/nothing"), 404, "model_not_found");
    check(Request::get("/api/v1/accounts/did:key:zzz"), 404, "account_unknown");
    check(Request::get("/api/v1/blocks/1000000"), 404, "not_found");
    check(Request::get("/api/v1/blocks/first"), 400, "invalid_request");
    check(Request::get("/api/v1/blocks?limit=many"), 400, "invalid_request");
    check(Request::get("/api/v1/receipts/none"), 400, "invalid_request");
    check(Request::get("/api/v1/receipts?channel=1").bearer("none"), 401, "certificate_invalid");
    check(Request::get("/api/v1/grants?account=x"), 401, "unauthenticated");
    check(Request::post("/api/v1/faucet", "{"), 400, "invalid_request");
    check(
        Request::post("/api/v1/faucet", r#"{"inception":"00","amount":"1"}"#),
        400,
        "invalid_request",
    );
    check(Request::post("/api/v1/trace", "[".repeat(100_000)), 400, "invalid_request");
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    check(Request::post("/api/v1/faucet", large), 413, "request_too_large");
    check(Request::post("/api/v1/transactions", "no transaction"), 400, "transaction_invalid");
}

#[test]
fn a_damaged_blob_is_never_handed_out() {
    let market = Market::open();
    let records = market.files.path().join("records");
    fs::create_dir(&records).unwrap();
    fs::write(records.join("small.txt"), "One small record.\n").unwrap();
    fs::write(records.join("large.txt"), "A larger record. ".repeat(20_000)).unwrap();
    let terms = market.files.path().join("terms.toml");
    let publish = ["publish", records.to_str().unwrap(), "--kind", "dataset", "--name", "records"];
    let terms = ["--terms", terms.to_str().unwrap(), "--as", "owner"];
    let published = market.person().json(&[&publish[..], &terms].concat());
    let id = common::text(&published, "id");
    let verify = ["verify", &id, "--as", "owner"];
    assert_eq!(market.person().json(&verify)["ok"], true);
    let blobs = blobs_of(market.home());
    assert!(blobs.len() >= 3, "two records and their table: {blobs:?}");
    for blob in blobs {
        let whole = fs::read(&blob).unwrap();
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        fs::write(&blob, damaged).unwrap();
        market.person().run(&verify).failed(5, "blob_corrupt");
        let out = tempfile::tempdir().unwrap();
        let fetch = ["fetch", &id, "--out", out.path().to_str().unwrap(), "--as", "owner"];
        market.person().run(&fetch).failed(5, "blob_corrupt");
        fs::write(&blob, whole).unwrap();
    }
    assert_eq!(market.person().json(&verify)["ok"], true);
}

/// Longer than what a node checks before it sends the first byte: the fetch is under way
/// when the damage is met, and still says which blob is damaged, and where.
#[test]
fn a_long_damaged_blob_is_named_too() {
    const LONG_BYTES: u64 = 100 << 20;
    const DAMAGED_AT: u64 = 90 << 20;
    let market = Market::open();
    let program = market.files.path().join("program");
    fs::create_dir(&program).unwrap();
    fs::write(program.join("code.toml"), "code = 1\nruntime = \"python\"\nentry = \"main.py\"\n")
        .unwrap();
    fs::write(program.join("main.py"), "print()\n").unwrap();
    // Zeros that take no space.
    fs::File::create(program.join("weights.bin")).unwrap().set_len(LONG_BYTES).unwrap();
    let terms = market.files.path().join("terms.toml");
    let publish = ["publish", program.to_str().unwrap(), "--kind", "code", "--name", "program"];
    let terms = ["--terms", terms.to_str().unwrap(), "--as", "owner"];
    let published = market.person().json(&[&publish[..], &terms].concat());
    let id = common::text(&published, "id");
    let fetch = |out: &Path| {
        let out = out.to_str().unwrap();
        market.person().run(&["fetch", &id, "--out", out, "--as", "owner"])
    };
    let whole = tempfile::tempdir().unwrap();
    assert_eq!(fetch(whole.path()).code, 0);

    let long = blobs_of(market.home());
    let long = long.iter().find(|blob| fs::metadata(blob).unwrap().len() == LONG_BYTES).unwrap();
    let mut file = fs::File::options().write(true).open(long).unwrap();
    file.seek(SeekFrom::Start(DAMAGED_AT + 5)).unwrap();
    file.write_all(&[1]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let ran = fetch(out.path());
    ran.failed(5, "blob_corrupt");
    let root = long.file_name().unwrap().to_str().unwrap();
    let told = format!("blob {root} is damaged at byte {DAMAGED_AT}");
    assert!(ran.err.contains(&told), "{ran:?}");
    let left: Vec<_> = fs::read_dir(out.path()).unwrap().map(|left| left.unwrap().path()).collect();
    assert!(!left.iter().any(|path| path.ends_with("weights.bin")), "{left:?}");
    market.person().run(&["verify", &id, "--as", "owner"]).failed(5, "blob_corrupt");
}

/// The contents in a home's store, without what is stored beside them.
fn blobs_of(home: &Path) -> Vec<PathBuf> {
    let shelves = fs::read_dir(home.join("blobs").join("blobs")).unwrap();
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_none()).collect()
}
