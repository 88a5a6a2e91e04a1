//! The dialect against a scripted gateway: requests, answers, streams, and arbitrary bytes.

mod answers;
mod fake;
mod pieces;
mod properties;
mod requests;
mod streams;
mod vouchers;
