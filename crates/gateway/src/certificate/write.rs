//! Minting and narrowing: both offline, the one with the channel's session key, the other
//! with nothing but the certificate.

use super::open::read_chain;
use super::vocabulary::{Authority, checks};
use super::{CERTIFICATE_BLOCKS_MAX, CERTIFICATE_BYTES_MAX, CertificateError};
use ambar_base::{NetworkId, PublicKey, SecretKey};
use ambar_licence::Narrowing;
use biscuit_auth::{
    Algorithm, BiscuitBuilder, BlockBuilder, KeyPair, PrivateKey, UnverifiedBiscuit,
};

/// A certificate for a channel, for use at one gateway, narrowed from the start if
/// `narrowing` says so. `session` is the channel's session key. The key of the next block
/// is drawn from the operating system's randomness, so no two certificates are alike.
pub fn mint(
    session: &SecretKey,
    network: NetworkId,
    channel: u64,
    gateway: &PublicKey,
    narrowing: &Narrowing,
) -> Result<String, CertificateError> {
    narrowing.check()?;
    let key_id = u32::try_from(channel).map_err(|_| CertificateError::ChannelNumber(channel))?;
    let authority =
        Authority { network, channel, gateway: *gateway, session: Some(session.public()) };
    let lines = [authority.lines(), checks(narrowing)].concat();
    let key = PrivateKey::from_bytes(session.seed().as_slice(), Algorithm::Ed25519)
        .map_err(|error| CertificateError::Malformed(error.to_string()))?;
    let builder = BiscuitBuilder::new().code(source(&lines))?.root_key_id(key_id);
    within_limit(builder.build(&KeyPair::from(&key))?.to_base64()?)
}

/// The certificate with one more block, which its holder can give to somebody else. No
/// key is needed, and nothing is verified but the vocabulary and the limits.
pub fn narrow(certificate: &str, narrowing: &Narrowing) -> Result<String, CertificateError> {
    narrowing.check()?;
    let token = read_token(certificate)?;
    read_chain(&token)?;
    if token.block_count() == CERTIFICATE_BLOCKS_MAX {
        return Err(CertificateError::Blocks(CERTIFICATE_BLOCKS_MAX + 1));
    }
    let block = BlockBuilder::new().code(source(&checks(narrowing)))?;
    within_limit(token.append(block)?.to_base64()?)
}

/// Reads a token without verifying it.
pub(super) fn read_token(certificate: &str) -> Result<UnverifiedBiscuit, CertificateError> {
    let bytes = certificate.len();
    if bytes > CERTIFICATE_BYTES_MAX {
        return Err(CertificateError::TooLarge(bytes));
    }
    let token = UnverifiedBiscuit::from_base64(certificate)?;
    let blocks = token.block_count();
    if blocks > CERTIFICATE_BLOCKS_MAX { Err(CertificateError::Blocks(blocks)) } else { Ok(token) }
}

fn source(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line};\n")).collect()
}

fn within_limit(certificate: String) -> Result<String, CertificateError> {
    let bytes = certificate.len();
    if bytes > CERTIFICATE_BYTES_MAX {
        Err(CertificateError::TooLarge(bytes))
    } else {
        Ok(certificate)
    }
}
