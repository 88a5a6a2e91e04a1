//! OpenAI's own clients for Python and Node.js, and llama.cpp's own server, with a node whose
//! model is another server: tools, structured output, images, choices, responses, and what happens
//! when requests or answers are lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/node.rs"]
mod node;
mod server;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use server::{CACHED, SECRET, losing, upstream};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::http::{Answer, Request};
use support::market::{Market, chat};

/// Whether a file below a directory holds these bytes.
fn holds(directory: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

fn served(market: &Market, url: &str) -> String {
    let (card, key) = (market.write("card.md", "A model elsewhere"), market.write("key", SECRET));
    let terms = market.files.path().join("terms.toml");
    let id = market.person().json(&[
        "publish",
        &card,
        "--kind",
        "model",
        "--name",
        "elsewhere",
        "--terms",
        terms.to_str().unwrap(),
        "--engine",
        &format!("upstream:{url}#big"),
        "--engine-key",
        &key,
        "--as",
        "owner",
    ]);
    std::fs::remove_file(key).unwrap();
    common::text(&id, "id")
}

/// Runs a client's script against a model elsewhere, and audits what it says was charged.
fn run_client(program: &OsStr, script: &str) {
    let (url, asked) = upstream();
    let market = Market::open();
    let model = served(&market, &url);
    let channel = market.license(&model, "50");
    let certificate = market.mint(&channel, &[]);
    let proxy = losing(market.url().to_owned());
    let world = json!({
        "base_url": format!("{}/v1", market.url()), "losing": format!("{proxy}/v1"),
        "api_key": certificate, "model": model,
    });
    let output = Command::new(program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script))
        .arg(world.to_string())
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_BASE_URL")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let charged = said.lines().find_map(|line| line.strip_prefix("charged "));
    market.audit(charged.unwrap().parse().unwrap());
    // What is ours is ours, whatever was sent.
    for body in asked.lock().unwrap().iter().filter(|body| body["messages"].is_array()) {
        assert_eq!(body["model"], "big", "{body}");
        assert!(body["max_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{body}");
    }
}

fn python() -> OsString {
    std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with openai; ./check does so")
}

#[test]
fn the_official_python_client_uses_all_of_a_model_elsewhere() {
    run_client(&python(), "openai_upstream.py");
}

#[test]
fn the_official_node_client_uses_all_of_a_model_elsewhere() {
    assert!(
        std::env::var_os("AMBAR_NPM").is_some(),
        "set AMBAR_NPM to a directory in which npm has installed openai; ./check does so"
    );
    run_client(OsStr::new("node"), "openai_upstream.mjs");
}

/// llama.cpp's own server, until this is dropped.
struct Llama {
    child: Child,
    url: String,
}

impl Llama {
    fn start() -> Self {
        let model = std::env::var_os("AMBAR_MODEL_GGUF")
            .expect("set AMBAR_MODEL_GGUF to the small model; ./check does so");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llama_server.py");
        let mut command = Command::new(python());
        let command = command.arg(script).arg(model).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "xllamacpp does not start: {url:?}");
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn llama_cpp_s_own_server_is_sold_by_the_grid() {
    let llama = Llama::start();
    let market = Market::open();
    let model = market.model("small", &format!("upstream:{}/v1", llama.url));
    let channel = market.license(&model, "50");
    let certificate = market.mint(&channel, &[]);
    let mut body = json!({
        "model": model, "max_tokens": 8, "temperature": 0,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    });
    let whole = market.call(&certificate, &body).ok();
    let said = whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert!(!said.is_empty(), "{whole}");
    let used = |what: &str| whole["usage"][what].as_u64().unwrap();
    assert!(used("prompt_tokens") > 5 && (1..=8).contains(&used("completion_tokens")), "{whole}");
    body["stream"] = true.into();
    let streamed = market.call(&certificate, &body);
    assert_eq!(streamed.status, 200, "{streamed:?}");
    assert!(!streamed.text.contains("\"usage\""), "{}", streamed.text);
    assert!(streamed.text.ends_with("data: [DONE]\n\n"), "{}", streamed.text);
    let shape = json!({"type": "object", "properties": {"city": {"type": "string"}},
        "required": ["city"], "additionalProperties": false});
    body["stream"] = false.into();
    body["max_tokens"] = 48.into();
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "city", "schema": shape}});
    let shaped = market.call(&certificate, &body).ok();
    let content = shaped["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.trim_start().starts_with("{"), "{shaped}");
    market.audit(3);
}

#[test]
fn what_an_upstream_had_read_before_is_told_again_and_costs_the_same() {
    let (url, asked) = upstream();
    let mut market = Market::open();
    let model = served(&market, &url);
    let certificate = market.mint(&market.license(&model, "5"), &[]);
    let call = |market: &Market, key: &str, more: &Value| -> Answer {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = chat(&body).bearer(&certificate).header("Idempotency-Key", key);
        request.send(market.url()).unwrap()
    };
    let details = |answer: &Answer| answer.ok()["usage"].get("prompt_tokens_details").cloned();
    let known = json!({ "prompt_cache_key": CACHED });
    let (new, old) = (call(&market, "new", &json!({})), call(&market, "old", &known));
    assert_eq!((details(&new), details(&old)), (None, Some(json!({"cached_tokens": 4}))));
    assert!(new.header("ambar-price").is_some(), "{new:?}");
    assert_eq!(new.header("ambar-price"), old.header("ambar-price"));
    let more = json!({"prompt_cache_key": CACHED, "stream": true,
        "stream_options": {"include_usage": true}});
    let streamed = call(&market, "streamed", &more);
    assert!(
        streamed.text.contains("\"prompt_tokens_details\":{\"cached_tokens\":4}"),
        "{streamed:?}"
    );
    // Whoever comes back is told what was said the first time, after a restart too.
    market.audit(3);
    for _ in 0..2 {
        for (key, more, first) in [("new", &json!({}), &new), ("old", &known, &old)] {
            let again = call(&market, key, more);
            assert_eq!(again.header("ambar-replayed"), Some("true"), "{again:?}");
            assert_eq!(again.text, first.text);
        }
        market.kill();
        market.start();
    }
    assert_eq!(asked.lock().unwrap().len(), 3);
    market.audit(3);
}

#[test]
fn the_secret_of_an_engine_lies_nowhere_in_the_clear_and_survives_a_restart() {
    let (url, _) = upstream();
    let mut market = Market::open();
    let model = served(&market, &url);
    let channel = market.license(&model, "5");
    let certificate = market.mint(&channel, &[]);
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    let call = |market: &Market| market.call(&certificate, &body).ok();
    assert_eq!(call(&market)["choices"][0]["message"]["content"], "choice 0");
    assert!(!holds(market.home(), SECRET.as_bytes()));
    market.kill();
    market.start();
    assert_eq!(call(&market)["choices"][0]["message"]["content"], "choice 0");
    // Another engine does not get it: the server there refuses the call.
    let (elsewhere, asked) = upstream();
    let engine = format!("upstream:{elsewhere}#big");
    market.person().json(&["capsule", "serve", &model, "--engine", &engine]);
    assert_eq!(market.call(&certificate, &body).code(), "bad_gateway");
    assert!(asked.lock().unwrap().is_empty());
    let shown = Request::get(format!("/api/v1/capsules/{model}")).send(market.url()).unwrap();
    assert!(!shown.text.contains(SECRET));
}
