//! OpenAI's own client for Python against a node whose model is another server: tools, structured
//! output, images, choices, responses, and what happens when requests or answers are lost.
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

use serde_json::json;
use server::{SECRET, losing, upstream};
use std::path::Path;
use std::process::Command;
use support::http::Request;
use support::market::Market;

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

#[test]
fn the_official_client_uses_all_of_a_model_elsewhere() {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with openai; ./check does so");
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
    let output = Command::new(&python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openai_upstream.py"))
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
