//! `/v1/responses`, the part without state: what is asked comes whole, the answer is not kept.
//!
//! A request is translated to the conversation that it stands for, and taken by the same code as
//! `/v1/chat/completions`; what comes back is written as items. A client that wants something
//! kept (`previous_response_id`, `store: true`, `conversation`, `background`) or a hosted tool is
//! refused by name; without `store` nothing is kept, and the answer says so.
//! Source: <https://platform.openai.com/docs/api-reference/responses>
//!
//! **Invariant**: the items of an answer hold all of its [`Transcript`](crate::transcript), so
//! that whoever reads them can open the receipt's hash of the output.

pub mod input;
pub mod item;
pub mod object;
pub mod request;
pub mod stream;
