//! Every name that leaves in logs and figures of calls, in one table.
//!
//! Those that begin with `gen_ai` and `error` are the OpenTelemetry semantic conventions for
//! generative AI (semantic-conventions-genai, in development; attributes registry `gen-ai` and
//! `error`); those that begin with `ambar` are our own.

/// What is done: `chat`, `text_completion`, `embeddings`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Who provides it: [`PROVIDER_AMBAR`].
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model as the caller names it: a capsule or its registered name.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether the caller asked for a stream.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The answer's id.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// Why the answer ended: `stop`, `length`.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// From the request to the first piece of a streamed answer, seconds.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Tokens of the prompt.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens of the answer.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Tokens of the prompt that were not computed again.
pub const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// The public code of the error that ended a call, or [`ERROR_ABANDONED`].
pub const ERROR_TYPE: &str = "error.type";
/// The receipt's id: channel and number.
pub const RECEIPT: &str = "ambar.receipt";
/// The id of the capsule that was called.
pub const CAPSULE: &str = "ambar.capsule";
/// What the call cost, in credits.
pub const PRICE: &str = "ambar.price";
/// The number of the node that served it.
pub const NODE: &str = "ambar.node";
/// Which tokens a figure counts: `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";

/// How long calls took, seconds.
pub const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// How many tokens they used.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";

/// The provider that every call of a gateway has.
pub const PROVIDER_AMBAR: &str = "ambar";
/// The [`ERROR_TYPE`] of a call that ended without anybody saying how: its caller left.
pub const ERROR_ABANDONED: &str = "abandoned";

/// The names of attributes.
pub const ATTRIBUTES: [&str; 16] = [
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    REQUEST_STREAM,
    RESPONSE_ID,
    FINISH_REASONS,
    TIME_TO_FIRST_CHUNK,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHED_TOKENS,
    ERROR_TYPE,
    RECEIPT,
    CAPSULE,
    PRICE,
    NODE,
    TOKEN_TYPE,
];

/// A name as Prometheus takes it: letters, digits and `_`.
#[must_use]
pub fn prometheus(name: &str) -> String {
    name.replace('.', "_")
}
