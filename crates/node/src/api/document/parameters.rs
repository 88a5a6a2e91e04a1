//! What each parameter of the own API is, once for all operations that take it.
//!
//! **Invariant**: bounds and patterns are those that the handlers enforce.

use super::Operation;
use crate::api::views::{LIMIT_DEFAULT, ROWS_MAX};
use serde_json::{Value, json};

/// A number of a thing on the ledger: a text, because its values pass what JSON's readers keep.
const NUMBER: &str = "^[0-9]{1,20}$";

/// Writes description and schema of each parameter of an operation.
pub(super) fn describe(operation: &mut Operation, id: &str) {
    let Some(Value::Array(parameters)) = operation.get_mut("parameters") else { return };
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let found = own(id, &name).or_else(|| shared(&name));
        // The dialect's stand whole in its own description.
        let Some((description, schema)) = found else { continue };
        parameter["description"] = description.into();
        parameter["schema"] = schema;
    }
}

fn number() -> Value {
    json!({ "type": "string", "pattern": NUMBER })
}

fn word() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn height() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

fn flag() -> Value {
    json!({ "type": "boolean", "default": false })
}

/// Parameters that mean something else in one operation.
fn own(id: &str, name: &str) -> Option<(&'static str, Value)> {
    Some(match (id, name) {
        ("list_blocks", "after") => ("Blocks above this height; the newest without it.", height()),
        ("statement", "after") => (
            "The cursor of the last row that is known.",
            json!({ "type": "string", "pattern": "^[0-9]{1,20}-[0-9]{1,10}(-[0-9]{1,19})?$" }),
        ),
        ("list_pools" | "list_submissions" | "list_proposals", "after") => {
            ("The last number that is known.", number())
        }
        ("list_validators", "after") => ("The last number that is known.", number()),
        ("list_offers", "capsule") => ("Offers for this capsule, by id or name.", word()),
        ("list_offers", "to") => ("Offers to this account, by DID or id.", word()),
        ("key_request" | "keep_key" | "release_key", "capsule") => {
            ("The version's id, published or about to be.", word())
        }
        _ => return None,
    })
}

fn shared(name: &str) -> Option<(&'static str, Value)> {
    of_path(name).or_else(|| of_query(name))
}

fn of_path(name: &str) -> Option<(&'static str, Value)> {
    let digest = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    Some(match name {
        "account" => ("An account: its id, or the DID of its first key.", word()),
        "capsule" => ("A capsule: its id, or a registered name.", word()),
        "channel" => ("The number of a channel.", number()),
        "datanet" => ("A datanet: its id, or a registered name.", word()),
        "dispute" => ("The number of a dispute.", number()),
        "height" => ("The height of a block.", height()),
        "id" => ("The id of terms.", word()),
        "pool" => ("A pool: its number or its name.", word()),
        "receipt" => (
            "A receipt: the numbers of its channel and of its call there.",
            json!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})$" }),
        ),
        "root" => ("The root of a blob's chunk tree.", digest),
        "royalty" => ("The number of a royalty line.", number()),
        "submission" => ("The number of a submission to a pool.", number()),
        _ => return None,
    })
}

fn of_query(name: &str) -> Option<(&'static str, Value)> {
    let kinds =
        json!({ "type": "string", "enum": ["agent", "code", "dataset", "model", "prompt"] });
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": ROWS_MAX, "default": LIMIT_DEFAULT,
    });
    Some(match name {
        "archive" => ("From genesis or not at all.", flag()),
        "consolidated" => ("With the account's departments.", flag()),
        "from" => ("The first height that is wanted.", height()),
        "grant" => ("The number of a grant.", number()),
        "idempotency_key" => ("The key that the certificate's holder sent.", word()),
        "kind" => ("One kind of capsule.", kinds),
        "limit" => ("Most rows of the answer.", limit),
        "node" => ("The number of a node.", number()),
        "open" => ("Only those that nobody has decided.", flag()),
        "q" => ("Words of names and descriptions.", json!({ "type": "string" })),
        "range" => (
            "`bytes=N-`: the rest from byte N on. Other ranges are answered with the whole.",
            json!({ "type": "string" }),
        ),
        "since" => ("The sequence number of the last change that is known.", height()),
        _ => return None,
    })
}
