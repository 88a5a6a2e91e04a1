//! Node keys in TLS: an Ed25519 key as it stands on the ledger, shown as a raw public key
//! (RFC 7250, the key's form is that of RFC 8410), in TLS 1.3 alone.
//!
//! It deliberately knows no ledger: whether a key belongs to a node, and what that node may
//! ask, is for those who are handed the key.
//!
//! **Invariant**: a handshake succeeds only between two sides that proved to hold the keys
//! that they showed, by the one rule for signatures of [`ambar_base`]; whoever dials gets the
//! key that was asked for, or no connection.

use ambar_base::{PublicKey, SecretKey, Signature};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, PeerMisbehaved, ServerConfig, SignatureAlgorithm, SignatureScheme,
};
use std::sync::{Arc, OnceLock};

/// The protocol of nodes among themselves, as ALPN (RFC 7301) names it: HTTP/2 between two
/// node keys.
pub const ALPN: &[u8] = b"ambar-node/1";

/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410,
/// sections 4 and 10.1).
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key as RFC 7250 sends it.
fn spki(key: &PublicKey) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), &key.0].concat()
}

/// The key in what a side showed; nothing if it is no key that can stand for somebody.
pub(crate) fn shown_key(shown: &CertificateDer<'_>) -> Option<PublicKey> {
    let bytes: [u8; 32] = shown.as_ref().strip_prefix(&SPKI_PREFIX)?.try_into().ok()?;
    Some(PublicKey(bytes)).filter(PublicKey::is_sound)
}

/// The library of primitives that every connection uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How this node answers others.
///
/// # Errors
/// If the library has no suite for TLS 1.3.
pub(crate) fn server_config(key: &SecretKey) -> Result<Arc<ServerConfig>, Error> {
    let shown = AlwaysResolvesServerRawPublicKeys::new(certified(key));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(AnyNode))
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A connection is kept; a resumed one would save nothing and hide who is asking.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The key that was shown in place of the expected one: set if there was a wrong one, to the key
/// if it was one.
pub(crate) type Stranger = Arc<OnceLock<Option<PublicKey>>>;

/// How this node dials the holder of `expected`, and which key was shown instead.
///
/// # Errors
/// If the library has no suite for TLS 1.3.
pub(crate) fn client_config(
    key: &SecretKey,
    expected: PublicKey,
) -> Result<(Arc<ClientConfig>, Stranger), Error> {
    let stranger = Arc::new(OnceLock::new());
    let verifier = ThisNode { expected, stranger: Arc::clone(&stranger) };
    let shown = AlwaysResolvesClientRawPublicKeys::new(certified(key));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok((Arc::new(config), stranger))
}

fn certified(key: &SecretKey) -> Arc<CertifiedKey> {
    let shown = CertificateDer::from(spki(&key.public()));
    Arc::new(CertifiedKey::new(vec![shown], Arc::new(NodeSigner(key.clone()))))
}

/// A node key as the TLS library signs with it. What TLS 1.3 has signed begins with a context
/// of its own (RFC 8446, section 4.4.3), so no such signature is one of the ledger's.
#[derive(Clone, Debug)]
struct NodeSigner(SecretKey);

impl SigningKey for NodeSigner {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let taken = offered.contains(&SignatureScheme::ED25519);
        taken.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(spki(&self.0.public())))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for NodeSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign_raw(message).0.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

fn check(
    message: &[u8],
    shown: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    if signed.scheme != SignatureScheme::ED25519 {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let key = shown_key(shown).ok_or(CertificateError::BadEncoding)?;
    let signature = signed.signature().try_into().map_err(|_| CertificateError::BadSignature)?;
    let checked = key.verify_raw(message, &Signature(signature));
    checked.map_err(|_| CertificateError::BadSignature)?;
    Ok(HandshakeSignatureValid::assertion())
}

fn only_tls13() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
}

/// Whoever holds the key that it shows.
#[derive(Debug)]
struct AnyNode;

impl ClientCertVerifier for AnyNode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        shown_key(shown).ok_or(CertificateError::BadEncoding)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The holder of one key.
#[derive(Debug)]
struct ThisNode {
    expected: PublicKey,
    stranger: Stranger,
}

impl ServerCertVerifier for ThisNode {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = shown_key(shown);
        if found == Some(self.expected) {
            return Ok(ServerCertVerified::assertion());
        }
        // One handshake asks once.
        let _ = self.stranger.set(found);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_in_one_form() {
        // The example of RFC 8410, section 10.1.
        let hex = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let example = CertificateDer::from(hex::decode(hex).unwrap());
        let key = shown_key(&example).unwrap();
        assert_eq!(spki(&key), example.as_ref());
        let cut = CertificateDer::from(example[..43].to_vec());
        assert_eq!(shown_key(&cut), None);
        // The identity point: anybody could sign for it.
        let mut weak = [0; 32];
        weak[0] = 1;
        assert_eq!(shown_key(&CertificateDer::from(spki(&PublicKey(weak)))), None);
    }
}
