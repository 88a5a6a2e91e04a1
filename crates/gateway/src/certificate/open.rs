//! Opening: from text to verified facts.

use super::CertificateError;
use super::vocabulary::{Authority, is_plain, lines, read_checks};
use super::write::read_token;
use ambar_base::{Digest, Domain, NetworkId, PublicKey, Signature};
use ambar_licence::CertificateBlock;
use biscuit_auth::{Algorithm, Biscuit, UnverifiedBiscuit};

/// The Datalog version of every block (3.0). Whatever a later version brought (`check
/// all`, `reject if`, scopes, third-party blocks) makes Biscuit raise it.
const DATALOG_VERSION: u32 = 3;

/// A verified certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The number of the channel that pays.
    pub channel: u64,
    /// The session key that it verified with.
    pub session: PublicKey,
    /// What each block takes away, from the first on.
    pub blocks: Vec<CertificateBlock>,
    /// Who holds it: a digest of its last block's signature, so it differs between any
    /// two certificates that differ in a block.
    pub holder: Digest,
    /// The signature of its last block, by which that is revoked.
    pub last: Signature,
}

/// The facts of a chain, verified or not.
pub(super) struct Chain {
    pub(super) authority: Authority,
    pub(super) blocks: Vec<CertificateBlock>,
    pub(super) holder: Digest,
    pub(super) last: Signature,
}

/// Verifies a certificate and reads its facts. `lookup` gives a channel's session key,
/// `network` and `gateway` are the reader's own.
pub fn open(
    certificate: &str,
    lookup: impl FnOnce(u64) -> Option<PublicKey>,
    network: NetworkId,
    gateway: &PublicKey,
) -> Result<Opened, CertificateError> {
    let token = read_token(certificate)?;
    let key_id = token.root_key_id();
    let channel = key_id.map(u64::from).ok_or_else(|| malformed("it names no channel"))?;
    let session = lookup(channel).ok_or(CertificateError::ChannelUnknown(channel))?;
    // Read before it is verified, because verifying takes the token; believed afterwards.
    let chain = read_chain(&token);
    let verified = verify(token, &session)?;
    if verified.to_base64()? != certificate {
        return Err(malformed("another spelling of the same token"));
    }
    hides_nothing(&verified)?;
    let Chain { authority, blocks, holder, last } = chain?;
    if authority.channel != channel || authority.session.is_some_and(|said| said != session) {
        return Err(malformed("it names another channel or key than its own"));
    }
    if authority.network != network {
        return Err(CertificateError::Network);
    }
    if authority.gateway != *gateway {
        return Err(CertificateError::Audience);
    }
    Ok(Opened { channel, session, blocks, holder, last })
}

fn malformed(why: &str) -> CertificateError {
    CertificateError::Malformed(why.to_owned())
}

fn verify(token: UnverifiedBiscuit, session: &PublicKey) -> Result<Biscuit, CertificateError> {
    let root = biscuit_auth::PublicKey::from_bytes(&session.0, Algorithm::Ed25519);
    let root = root.map_err(|_| CertificateError::Signature)?;
    token.verify(root).map_err(|error| biscuit_auth::error::Token::from(error).into())
}

/// Refuses what a printed block would not show, or could show as something else.
fn hides_nothing(token: &Biscuit) -> Result<(), CertificateError> {
    for (block, context) in token.context().into_iter().enumerate() {
        if let Some(context) = context {
            return Err(CertificateError::vocabulary(block, &context));
        }
        let symbols = token.block_symbols(block)?;
        if let Some(symbol) = symbols.iter().find(|symbol| !is_plain(symbol)) {
            return Err(CertificateError::vocabulary(block, symbol));
        }
    }
    Ok(())
}

/// Reads the facts of every block.
pub(super) fn read_chain(token: &UnverifiedBiscuit) -> Result<Chain, CertificateError> {
    let sources = sources(token)?;
    let (first, narrowed) = sources.split_first().ok_or_else(|| malformed("it has no block"))?;
    let mut first = lines(first);
    let authority = Authority::take(&mut first)?;
    let ids = token.revocation_identifiers();
    let last = ids.last().ok_or_else(|| malformed("it has no block"))?;
    let checks = std::iter::once(first).chain(narrowed.iter().map(|source| lines(source)));
    let blocks = checks.zip(&ids).enumerate().map(|(block, (lines, id))| {
        let narrowing = read_checks(block, &lines)?;
        Ok(CertificateBlock { id: Digest::of(id), narrowing })
    });
    let blocks = blocks.collect::<Result<_, CertificateError>>()?;
    let (holder, last) = (Domain::Holder.digest(last), signature(last)?);
    Ok(Chain { authority, blocks, holder, last })
}

/// A block's signature, by which it is revoked.
pub(super) fn signature(id: &[u8]) -> Result<Signature, CertificateError> {
    let bytes = id.try_into().map_err(|_| malformed("a block is not signed by Ed25519"))?;
    Ok(Signature(bytes))
}

fn sources(token: &UnverifiedBiscuit) -> Result<Vec<String>, CertificateError> {
    let source = |block| {
        let version = token.block_version(block)?;
        if version != DATALOG_VERSION {
            let found = format!("Datalog of block version {version}");
            return Err(CertificateError::vocabulary(block, &found));
        }
        Ok(token.print_block_source(block)?)
    };
    (0..token.block_count()).map(source).collect()
}
