//! OpenAI's own client for Python, unmodified, against a node: `openai_client.py` run by the
//! interpreter that `AMBAR_PYTHON` names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use serde_json::json;
use std::process::Command;
use support::market::Market;

/// Tokens of each answer.
const TOKENS: u32 = 8;

#[test]
fn the_official_client_works_unmodified() {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with openai; ./check does so");
    let market = Market::open();
    let model = market.model("words", &format!("null:tokens={TOKENS}"));
    let channel = market.license(&model, "5");
    let certificate = market.mint(&channel, &[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openai_client.py");
    let world = json!({
        "base_url": format!("{}/v1", market.url()),
        "api_key": certificate,
        "model": model,
        "name": "words",
        "words": (0..TOKENS).map(|word| format!("w{word}")).collect::<Vec<_>>().join(" "),
    });
    let output = Command::new(&python)
        .arg(script)
        .arg(world.to_string())
        // A proxy is for other hosts, and a key in the environment for another service.
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_BASE_URL")
        .output()
        .unwrap_or_else(|error| panic!("AMBAR_PYTHON {}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // The script says how many of its calls were charged.
    let charged = said.lines().find_map(|line| line.strip_prefix("charged "));
    market.audit(charged.unwrap().parse().unwrap());
}
