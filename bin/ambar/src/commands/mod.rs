//! One module per command, or per family of them.

pub mod account;
pub mod call;
pub mod capsule;
pub mod cert;
pub mod chain;
pub mod channel;
pub mod datanet;
pub mod department;
pub mod dispute;
pub mod fetch;
pub mod key;
pub mod license;
pub mod network;
pub mod offer;
pub mod organisation;
pub mod publish;
pub mod receipt;
pub mod recovery;
pub mod royalty;
pub mod show;
pub mod start;
pub mod statement;
pub mod status;
pub mod terms;
pub mod tx;
pub mod validators;
