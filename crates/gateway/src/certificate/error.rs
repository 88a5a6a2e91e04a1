//! What can be wrong with a certificate.

use super::{CERTIFICATE_BLOCKS_MAX, CERTIFICATE_BYTES_MAX};
use ambar_base::{Coded, ErrorCode};
use ambar_licence::NarrowingError;
use biscuit_auth::error::{Format, Token};

/// Why a certificate is refused, or cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// For another gateway.
    #[error("the certificate is for another gateway")]
    Audience,
    /// More than [`CERTIFICATE_BLOCKS_MAX`] blocks.
    #[error("a certificate of {0} blocks exceeds the limit of {CERTIFICATE_BLOCKS_MAX}")]
    Blocks(usize),
    /// No number that a certificate can carry: Biscuit's key ids have 32 bits.
    #[error("channel {0} has no 32-bit number, which a certificate needs")]
    ChannelNumber(u64),
    /// The channel is not known here.
    #[error("channel {0} is not known")]
    ChannelUnknown(u64),
    /// Not a Biscuit, or not in its one spelling.
    #[error("not a certificate: {0}")]
    Malformed(String),
    /// A narrowing that no certificate can say.
    #[error(transparent)]
    Narrowing(#[from] NarrowingError),
    /// For another network.
    #[error("the certificate is for another network")]
    Network,
    /// A block of it is revoked, from 0.
    #[error("block {0} of the certificate is revoked")]
    Revoked(usize),
    /// Sealed by its holder: nobody can narrow it.
    #[error("the certificate is sealed, so it cannot be narrowed")]
    Sealed,
    /// A signature does not verify, from the channel's session key on.
    #[error("the certificate is not signed by its channel's session key")]
    Signature,
    /// Longer than [`CERTIFICATE_BYTES_MAX`].
    #[error("a certificate of {0} bytes exceeds the limit of {CERTIFICATE_BYTES_MAX}")]
    TooLarge(usize),
    /// Something that the vocabulary does not have.
    #[error("block {block} says something that certificates cannot say: {found}")]
    Vocabulary {
        /// The block, from 0.
        block: usize,
        /// What stands there, shortened.
        found: String,
    },
}

impl CertificateError {
    /// Longest quotation of what is refused, characters.
    const QUOTED_CHARS_MAX: usize = 120;

    pub(super) fn vocabulary(block: usize, found: &str) -> Self {
        Self::Vocabulary { block, found: found.chars().take(Self::QUOTED_CHARS_MAX).collect() }
    }
}

impl From<Token> for CertificateError {
    fn from(error: Token) -> Self {
        match error {
            Token::Format(Format::Signature(_) | Format::SealedSignature) => Self::Signature,
            Token::Format(error) => Self::Malformed(error.to_string()),
            Token::AppendOnSealed | Token::AlreadySealed => Self::Sealed,
            error => Self::Malformed(error.to_string()),
        }
    }
}

impl Coded for CertificateError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Audience => ErrorCode::AudienceMismatch,
            Self::Blocks(_) | Self::TooLarge(_) => ErrorCode::CertificateTooLarge,
            Self::ChannelNumber(_) => ErrorCode::LimitExceeded,
            Self::ChannelUnknown(_) => ErrorCode::ChannelUnknown,
            Self::Revoked(_) => ErrorCode::CertificateRevoked,
            Self::Malformed(_) | Self::Sealed | Self::Signature => ErrorCode::CertificateInvalid,
            Self::Narrowing(error) => error.code(),
            Self::Network => ErrorCode::WrongNetwork,
            Self::Vocabulary { .. } => ErrorCode::CertificateVocabulary,
        }
    }
}
