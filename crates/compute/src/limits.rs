//! Every limit of the engines, named with its unit. Past one of them a job is
//! refused with a typed error; nothing grows without an end.

use std::time::Duration;

/// Longest prompt, in bytes of UTF-8, all messages together.
pub const PROMPT_BYTES_MAX: usize = 4 << 20;
/// Most messages in one chat prompt.
pub const PROMPT_MESSAGES_MAX: usize = 1024;
/// Longest messages and fields of a job that hold more than text, in bytes of JSON: room for
/// images that a message carries.
pub const EXTRAS_BYTES_MAX: usize = 8 << 20;
/// Most prompt tokens of one image, sound or file in a message, beside those of its bytes.
pub const PART_TOKENS_MAX: u64 = 16_384;
/// Answers to one prompt.
pub const CHOICES_MAX: u32 = 128;
/// Most stop strings of a job.
pub const STOP_STRINGS_MAX: usize = 16;
/// Longest stop string, in bytes.
pub const STOP_STRING_BYTES_MAX: usize = 256;
/// Highest sampling temperature, as in the `OpenAI` dialect.
pub const TEMPERATURE_MAX: f32 = 2.0;

/// Jobs of one GGUF engine, those that run included.
pub const GENERATE_JOBS_QUEUED_MAX: usize = 64;
/// Jobs of one party among them.
pub const GENERATE_JOBS_PARTY_MAX: usize = GENERATE_JOBS_QUEUED_MAX / 2;
/// Continuations of one prompt that are scored together.
pub const CONTINUATIONS_MAX: usize = 64;
/// Answers of one GGUF engine that are written together, unless configured.
pub const STREAMS_DEFAULT: u32 = 4;
/// Most answers of one GGUF engine that are written together.
pub const STREAMS_MAX: u32 = 64;
/// Prompt tokens handed to the model in one step when nothing else runs.
pub const PREFILL_BATCH_TOKENS: u32 = 512;
/// Prompt tokens handed to the model in one step beside other jobs.
pub const PREFILL_PIECE_TOKENS: u32 = 64;
/// Fewest tokens of a cached prompt for whose sake a sequence is chosen.
pub const CACHED_PREFIX_TOKENS_MIN: usize = 16;
/// Text that waits for a slow reader before its job pauses, in bytes.
pub const UNSENT_BYTES_MAX: usize = 128;
/// Context length of one stream, in tokens, unless configured; never more than
/// the model's own.
pub const CONTEXT_TOKENS_DEFAULT: u32 = 4096;
/// What a machine is taken to have that does not say how much memory it has, in
/// bytes.
pub const MACHINE_BYTES_UNKNOWN: u64 = 8 << 30;

/// Longest string in a GGUF header, in bytes (chat templates are the longest).
pub const GGUF_STRING_BYTES_MAX: u64 = 1 << 20;
/// Most key-value pairs in a GGUF header.
pub const GGUF_PAIRS_MAX: u64 = 4096;
/// Most elements of one array in a GGUF header (vocabularies are the longest).
pub const GGUF_ARRAY_ELEMENTS_MAX: u64 = 4 << 20;
/// Most tensors in a GGUF file.
pub const GGUF_TENSORS_MAX: u64 = 65_536;
/// Most dimensions of one tensor.
pub const GGUF_DIMENSIONS_MAX: u32 = 4;

/// Texts in one embedding request.
pub const EMBED_INPUTS_MAX: usize = 2048;
/// Longest embedding request, all its texts together, in bytes.
pub const EMBED_INPUTS_BYTES_MAX: usize = 16 << 20;
/// Texts that go through the embedding model together.
pub const EMBED_BATCH_INPUTS_MAX: usize = 32;
/// Longest text that is embedded, in tokens; the rest is cut off, as the
/// model's own `sentence_bert_config.json` does.
pub const EMBED_INPUT_TOKENS_MAX: usize = 256;
/// Embedding requests that may wait for the model, the running one included.
pub const EMBED_JOBS_QUEUED_MAX: usize = 64;
/// Largest model file that the embedding engine reads into memory, in bytes.
pub const EMBED_MODEL_BYTES_MAX: u64 = 4 << 30;
/// Largest JSON file next to an embedding model, in bytes.
pub const EMBED_JSON_BYTES_MAX: u64 = 64 << 20;

/// Time to reach an upstream service.
pub const UPSTREAM_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of an upstream service: before its first byte and between
/// two packets.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest line of an upstream event stream, in bytes.
pub const UPSTREAM_LINE_BYTES_MAX: usize = 1 << 20;
/// Longest data of one upstream event, all its lines together, in bytes.
pub const UPSTREAM_EVENT_BYTES_MAX: usize = 4 << 20;
/// Longest answer body of an upstream service, in bytes.
pub const UPSTREAM_BODY_BYTES_MAX: usize = 256 << 20;
/// How much of an upstream's error answer is read and kept, in bytes.
pub const UPSTREAM_ERROR_BYTES_MAX: usize = 16 << 10;
/// How much of an upstream's error answer goes into our message, in characters.
pub const UPSTREAM_ERROR_CHARS_MAX: usize = 300;
/// Tokens that an upstream's chat template may add to a prompt as a whole.
pub const UPSTREAM_TEMPLATE_TOKENS_MAX: u64 = 128;
/// Tokens that an upstream's chat template may add to each message.
pub const UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX: u64 = 16;

/// Idle connections that are kept to one upstream service.
pub const UPSTREAM_IDLE_CONNECTIONS_MAX: usize = 256;
/// How long an idle connection to an upstream service is kept.
pub const UPSTREAM_IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of an upstream's answer for each token that was asked for, as it writes them: a
/// token with the probabilities of twenty others. What goes on longer has lost its end.
pub const UPSTREAM_BYTES_PER_TOKEN_MAX: usize = 8 << 10;
/// Most bytes of an upstream's answer beside those of its tokens.
pub const UPSTREAM_FRAME_BYTES_MAX: usize = 1 << 20;
/// Longest wait that an upstream may ask for, milliseconds.
pub const UPSTREAM_RETRY_AFTER_MS_MAX: u64 = 600_000;

/// Longest context of a language model that is records, in words, unless configured.
pub const CORPUS_CONTEXT_WORDS_DEFAULT: u32 = 4;
/// Longest context of a language model that is records, in words.
pub const CORPUS_CONTEXT_WORDS_MAX: u32 = 16;
/// How often a context must stand in the records, unless configured.
pub const CORPUS_COUNT_DEFAULT: u32 = 2;
/// Most often that a context may have to stand in the records.
pub const CORPUS_COUNT_MAX: u32 = 1_000;

/// Most words that the null engine answers with.
pub const NULL_TOKENS_MAX: u32 = 1_000_000;
/// Longest pause of the null engine before each word, in milliseconds.
pub const NULL_DELAY_MS_MAX: u64 = 60_000;
