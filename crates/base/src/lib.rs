//! What every room of Ambar speaks: digests, identities, keys, the two canonical
//! encodings, amounts, time, the RFC 9162 hash tree and the public error codes.
//!
//! This crate knows no capsule, no licence and no ledger. It has no clock, no disk,
//! no randomness of its own and no floating point: the same inputs give the same
//! bytes on every machine.
//!
//! **Invariant**: every value has exactly one encoding. Decoding refuses any other
//! spelling of the same value, so bytes can be compared, hashed and signed.

pub mod account;
pub mod amount;
pub mod cid;
pub mod codec;
pub mod did;
pub mod digest;
pub mod document;
pub mod domain;
pub mod error;
pub mod finality;
pub mod keys;
pub mod moment;
pub mod mu;
pub mod nearest;
pub mod tree;
pub mod weight;

pub use account::{AccountId, Inception, KeySet, SignedInception};
pub use amount::{Amount, Price};
pub use cid::Cid;
pub use codec::{Decode, DecodeError, Encode, Reader, Writer};
pub use did::DidError;
pub use digest::Digest;
pub use domain::{Domain, NetworkId};
pub use error::{Coded, ErrorCode};
pub use finality::{
    BlockHeader, Certificate, Checkpoint, Committee, FinalHeader, FinalityError, Handover,
    OutcomeProof, Round, SEATS_MAX, StateCommitment,
};
pub use keys::{PublicKey, SecretKey, Signature};
pub use moment::{Height, Moment};
pub use mu::Mu;
pub use weight::Weight;
