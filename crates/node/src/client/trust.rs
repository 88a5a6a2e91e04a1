//! Whom a client takes for the node that it asks over TLS.
//!
//! **Invariant**: a certificate is accepted because its chain ends at a root that is trusted
//! for its name, or because it is, byte for byte, the one in the own home; nothing else.

use crate::config::Config;
use crate::home::CONFIG_FILE;
use crate::peers::identity::provider;
use crate::server::TlsError;
use crate::server::certificate::{CERTIFICATE_FILE, TLS_DIRECTORY, read_certificates};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The environment variable that names a PEM file of roots to trust in place of the machine's.
pub const CA_VARIABLE: &str = "AMBAR_NODE_CA";

/// Whom a client trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A PEM file of roots; the machine's if there is none.
    roots: Option<PathBuf>,
    /// The PEM file of the own node's certificate, which needs no root.
    own: Option<PathBuf>,
}

impl Trust {
    /// The machine's roots, or those that [`CA_VARIABLE`] names.
    #[must_use]
    pub fn from_environment() -> Self {
        let named = std::env::var_os(CA_VARIABLE).filter(|path| !path.is_empty());
        Self { roots: named.map(PathBuf::from), own: None }
    }

    /// The same, and the certificate of the node whose home this is, if it has one.
    #[must_use]
    pub fn with_home(self, home: &Path) -> Self {
        let config = Config::read(&home.join(CONFIG_FILE)).unwrap_or_default();
        let given = config.tls.files.map(|files| files.certificate);
        let own = given.unwrap_or_else(|| home.join(TLS_DIRECTORY).join(CERTIFICATE_FILE));
        Self { own: own.exists().then_some(own), ..self }
    }

    /// The same with the roots in a PEM file in place of the machine's.
    #[must_use]
    pub fn with_roots(self, roots: &Path) -> Self {
        Self { roots: Some(roots.to_owned()), ..self }
    }

    /// The file of the own node's certificate.
    #[must_use]
    pub fn own(&self) -> Option<&Path> {
        self.own.as_deref()
    }

    /// How a client checks a server; without TLS nothing is read.
    ///
    /// # Errors
    /// [`TlsError`] if a file cannot be read, or the machine has no roots.
    pub fn config(&self, tls: bool) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        if !tls {
            let nobody = builder.with_root_certificates(RootCertStore::empty());
            return Ok(nobody.with_no_client_auth());
        }
        let own = match &self.own {
            Some(path) => read_certificates(path)?.into_iter().next(),
            None => None,
        };
        let others: Arc<dyn ServerCertVerifier> = match &self.roots {
            Some(path) => of_file(path)?,
            None => Arc::new(Verifier::new(provider())?),
        };
        let verifier = Arc::new(OwnOrTrusted { own, others });
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(builder.with_no_client_auth())
    }
}

fn of_file(path: &Path) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    verifier.build().map_err(|error| Error::Other(OtherError(Arc::new(error))).into())
}

/// The own node by its certificate, everybody else by a root.
#[derive(Debug)]
struct OwnOrTrusted {
    own: Option<CertificateDer<'static>>,
    others: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for OwnOrTrusted {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.as_ref().is_some_and(|own| own == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        self.others.verify_server_cert(shown, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, shown, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, shown, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
