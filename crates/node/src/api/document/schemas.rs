//! What the OpenAI dialect reads and writes, as far as a gateway looks at it.
//! Source: <https://platform.openai.com/docs/api-reference>

use ambar_compute::limits::{
    CHOICES_MAX, EMBED_INPUTS_MAX, PROMPT_MESSAGES_MAX, STOP_STRING_BYTES_MAX, STOP_STRINGS_MAX,
    TEMPERATURE_MAX,
};
use ambar_gateway::dialect::openai::TOOLS_MAX;
use ambar_gateway::gateway::ANSWER_TOKENS_MAX;
use serde_json::{Value, json};

/// The schemas by name.
pub(super) fn schemas() -> Value {
    json!({
        "DialectError": failure(),
        "Model": model(),
        "Models": json!({
            "type": "object", "required": ["object", "data"],
            "properties": {
                "object": { "const": "list" },
                "data": { "type": "array", "items": { "$ref": "#/components/schemas/Model" } },
            },
        }),
        "ChatRequest": chat(),
        "CompletionRequest": completion(),
        "EmbeddingRequest": embedding(),
        "ResponseRequest": response(),
        "ChatAnswer": answer("chat.completion", "message"),
        "CompletionAnswer": answer("text_completion", "text"),
        "EmbeddingAnswer": vectors(),
        "ResponseAnswer": responded(),
    })
}

fn failure() -> Value {
    json!({
        "type": "object", "required": ["error"],
        "properties": { "error": {
            "type": "object", "required": ["message", "type", "param", "code"],
            "properties": {
                "message": { "type": "string", "description": "What happened." },
                "type": { "type": "string", "description": "OpenAI's word for the status." },
                "param": {
                    "type": ["string", "null"],
                    "description": "The field or header that is wrong.",
                },
                "code": { "type": "string", "description": "The public code." },
            },
        } },
    })
}

fn model() -> Value {
    json!({
        "type": "object", "required": ["id", "object", "created", "owned_by", "name", "height"],
        "properties": {
            "id": { "type": "string", "description": "The capsule's id." },
            "object": { "const": "model" },
            "created": { "const": 0, "description": "Not known: the ledger counts in heights." },
            "owned_by": { "type": "string", "description": "The owner's account." },
            "name": { "type": "string" },
            "height": { "type": "integer", "minimum": 0 },
        },
    })
}

/// An open object whose fields may be `null`, which is the same as absent.
fn open(required: &[&str], fields: &Value) -> Value {
    json!({
        "type": "object", "required": required, "properties": fields,
        "additionalProperties": true,
    })
}

fn capsule() -> Value {
    json!({ "type": "string", "minLength": 1, "description": "A capsule: id or registered name." })
}

fn tokens() -> Value {
    json!({ "type": ["integer", "null"], "minimum": 1, "maximum": ANSWER_TOKENS_MAX })
}

fn temperature() -> Value {
    json!({ "type": ["number", "null"], "minimum": 0, "maximum": TEMPERATURE_MAX })
}

fn nucleus() -> Value {
    json!({ "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1 })
}

/// What the routes that generate share.
fn generation(own: Value) -> Value {
    let stop = json!({ "type": "string", "minLength": 1, "maxLength": STOP_STRING_BYTES_MAX });
    let mut fields = json!({
        "model": capsule(),
        "max_tokens": tokens(),
        "max_completion_tokens": tokens(),
        "temperature": temperature(),
        "top_p": nucleus(),
        "seed": { "type": ["integer", "null"], "minimum": 0 },
        "n": { "type": ["integer", "null"], "minimum": 1, "maximum": CHOICES_MAX },
        "stop": { "oneOf": [
            { "type": "null" },
            stop,
            { "type": "array", "items": stop, "maxItems": STOP_STRINGS_MAX },
        ] },
        "stream": { "type": ["boolean", "null"] },
    });
    if let (Value::Object(fields), Value::Object(own)) = (&mut fields, own) {
        fields.extend(own);
    }
    fields
}

fn chat() -> Value {
    let part = json!({
        "type": "object", "required": ["type"],
        "properties": { "type": { "type": "string" }, "text": { "type": "string" } },
    });
    let message = json!({
        "type": "object", "required": ["role", "content"],
        "properties": {
            "role": { "enum": ["system", "developer", "user", "assistant", "tool"] },
            "content": { "oneOf": [
                { "type": "string" }, { "type": "null" }, { "type": "array", "items": part },
            ] },
        },
    });
    let tool = json!({ "type": "object" });
    open(
        &["model", "messages"],
        &generation(json!({
            "messages": {
                "type": "array", "minItems": 1, "maxItems": PROMPT_MESSAGES_MAX, "items": message,
            },
            "tools": { "type": ["array", "null"], "maxItems": TOOLS_MAX, "items": tool },
        })),
    )
}

fn completion() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let only = json!({ "type": "array", "items": text, "minItems": 1, "maxItems": 1 });
    open(&["model", "prompt"], &generation(json!({ "prompt": { "oneOf": [text, only] } })))
}

fn embedding() -> Value {
    let texts = json!({
        "type": "array", "items": { "type": "string" },
        "minItems": 1, "maxItems": EMBED_INPUTS_MAX,
    });
    open(
        &["model", "input"],
        &json!({
            "model": capsule(),
            "input": { "oneOf": [{ "type": "string" }, texts] },
            "dimensions": { "type": ["integer", "null"], "minimum": 1 },
            "encoding_format": { "enum": ["float", "base64", null] },
        }),
    )
}

fn response() -> Value {
    let items = json!({
        "type": "array", "items": { "type": "object" }, "maxItems": PROMPT_MESSAGES_MAX,
    });
    open(
        &["model", "input"],
        &json!({
            "model": capsule(),
            "input": { "oneOf": [{ "type": "string" }, items] },
            "instructions": { "type": ["string", "null"] },
            "max_output_tokens": tokens(),
            "temperature": temperature(),
            "top_p": nucleus(),
            "stream": { "type": ["boolean", "null"] },
            "store": { "enum": [false, null], "description": "Answers are not kept." },
        }),
    )
}

fn usage(members: &[&str]) -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let counts = members.iter().map(|name| ((*name).to_owned(), count.clone()));
    let counts: serde_json::Map<_, _> = counts.collect();
    json!({ "type": "object", "required": members, "properties": counts })
}

fn answer(object: &str, said: &str) -> Value {
    json!({
        "type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
        "properties": {
            "id": { "type": "string" },
            "object": { "const": object },
            "created": { "type": "integer", "minimum": 0 },
            "model": { "type": "string", "description": "The id of the version that answered." },
            "choices": { "type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["index", said, "finish_reason"],
                "properties": {
                    "index": { "type": "integer", "minimum": 0 },
                    "finish_reason": { "type": "string" },
                },
            } },
            "usage": usage(&["prompt_tokens", "completion_tokens", "total_tokens"]),
        },
    })
}

fn vectors() -> Value {
    let numbers = json!({ "type": "array", "items": { "type": "number" } });
    json!({
        "type": "object", "required": ["object", "data", "model", "usage"],
        "properties": {
            "object": { "const": "list" },
            "data": { "type": "array", "items": {
                "type": "object", "required": ["object", "index", "embedding"],
                "properties": {
                    "object": { "const": "embedding" },
                    "index": { "type": "integer", "minimum": 0 },
                    "embedding": { "oneOf": [numbers, { "type": "string" }] },
                },
            } },
            "model": { "type": "string" },
            "usage": usage(&["prompt_tokens", "total_tokens"]),
        },
    })
}

fn responded() -> Value {
    json!({
        "type": "object",
        "required": ["id", "object", "created_at", "model", "status", "output", "usage"],
        "properties": {
            "id": { "type": "string" },
            "object": { "const": "response" },
            "created_at": { "type": "integer", "minimum": 0 },
            "model": { "type": "string" },
            "status": { "enum": ["completed", "incomplete"] },
            "output": { "type": "array", "items": { "type": "object" } },
            "usage": usage(&["input_tokens", "output_tokens", "total_tokens"]),
        },
    })
}
