//! The operations of the OpenAI dialect. Its handlers live in a crate that writes no documents:
//! what they enforce is described here, by their own limits.
//!
//! **Invariant**: bodies are open objects, because fields that the dialect does not know go on to
//! engines as they are.

use ambar_gateway::dialect::openai::{
    CHAT, COMPLETIONS, EMBEDDINGS, HEADER_VALUE_BYTES_MAX, RESPONSES,
};
use serde_json::{Value, json};

/// The tag of these operations.
pub(super) const TAG: &str = "dialect";
/// The schema of their failures.
pub(super) const FAILURE: &str = "DialectError";

const JSON: &str = "application/json";

/// The paths.
pub(super) fn paths() -> Value {
    let id = json!({
        "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 },
        "description": "The id of a capsule, or the name that its manifest gives it.",
    });
    let models = read("list_models", "What the certificate can call.", "Models", &[]);
    let model = read("model", "One of what the certificate can call.", "Model", &[id]);
    json!({
        "/v1/models": { "get": models },
        "/v1/models/{id}": { "get": model },
        CHAT: { "post": call(
            "chat_completion", "Continues a conversation.",
            ("ChatRequest", "ChatAnswer"), true,
        ) },
        COMPLETIONS: { "post": call(
            "completion", "Continues a text.", ("CompletionRequest", "CompletionAnswer"), true,
        ) },
        EMBEDDINGS: { "post": call(
            "embedding", "Turns texts into vectors.",
            ("EmbeddingRequest", "EmbeddingAnswer"), false,
        ) },
        RESPONSES: { "post": call(
            "response", "Responds to items; nothing of them is kept.",
            ("ResponseRequest", "ResponseAnswer"), true,
        ) },
    })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn read(id: &str, summary: &str, answer: &str, parameters: &[Value]) -> Value {
    json!({
        "operationId": id, "tags": [TAG], "summary": summary, "parameters": parameters,
        "responses": { "200": {
            "description": "As asked.", "content": { JSON: { "schema": schema(answer) } },
        } },
    })
}

fn call(id: &str, summary: &str, (request, answer): (&str, &str), streams: bool) -> Value {
    let mut content = json!({ JSON: { "schema": schema(answer) } });
    if streams {
        content["text/event-stream"] = json!({ "schema": {
            "type": "string",
            "description": "Events, if `stream` is true. The last ones are the comments \
                `ambar-price`, `ambar-mu` and `ambar-receipt`, and `data: [DONE]`. A call that \
                fails after it began says so in an event.",
        } });
    }
    json!({
        "operationId": id, "tags": [TAG], "summary": summary, "parameters": headers(),
        "requestBody": { "required": true, "content": { JSON: { "schema": schema(request) } } },
        "responses": { "200": {
            "description": "The answer.", "content": content, "headers": answered(),
        } },
    })
}

/// Headers of an answer.
fn answered() -> Value {
    let header = |what: &str, required: bool| json!({ "description": what, "required": required, "schema": { "type": "string" } });
    json!({
        "ambar-receipt": header("The receipt's id.", true),
        "ambar-price": header("What the call cost, credits; in a stream it is a comment.", false),
        "ambar-mu": header("The work of the call; in a stream it is a comment.", false),
        "ambar-replayed": header("`true`: an earlier request was answered again.", false),
    })
}

/// Headers of a call. All of them may be left out.
fn headers() -> Vec<Value> {
    let visible = format!("^[!-~]{{1,{HEADER_VALUE_BYTES_MAX}}}$");
    let (hash, signature) = ("^[0-9a-f]{64}$", "^[0-9A-Fa-f]{128}$");
    let credits = "^[0-9]{1,9}(\\.[0-9]{1,9})?$";
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let header = |(name, what, schema): (&str, &str, Value)| json!({ "name": name, "in": "header", "description": what, "schema": schema });
    [
        ("Idempotency-Key", "The client's own key: sent twice, charged once.", text(&visible)),
        ("Ambar-Purpose", "What the answer is for.", text("^[a-z0-9][a-z0-9_.-]{0,63}$")),
        ("Ambar-Price-Max", "Most that the call may cost, credits.", text(credits)),
        (
            "Ambar-Timeout",
            "How long the client waits, 0.001 to 86400 seconds.",
            json!({ "type": "number", "minimum": 0.001, "maximum": 86_400 }),
        ),
        (
            "Ambar-Priority",
            "How urgent the call is among those of its payer.",
            json!({ "type": "string", "enum": ["high", "normal", "low"] }),
        ),
        ("Ambar-Agent", "Who signs the call, a did:key.", text("^did:key:z[1-9A-HJ-NP-Za-km-z]+$")),
        ("Ambar-Agent-Time", "When, milliseconds since 1970.", text("^[0-9]{1,19}$")),
        ("Ambar-Agent-Signature", "The signature, hexadecimal.", text(signature)),
        ("Ambar-Salt", "The salt of input and output, hexadecimal.", text(hash)),
        ("Ambar-Voucher", "The most that may be spent on the channel, credits.", text(credits)),
        ("Ambar-Voucher-Signature", "The session key's signature over it.", text(signature)),
    ]
    .map(header)
    .to_vec()
}
