//! The file: a `COSE_Sign1` (RFC 9052, section 4.2) by the gateway around the document.
//!
//! The protected header names `EdDSA`, the content type and the gateway's key by its DID;
//! there is no unprotected header. The external data is the message prefix of
//! [`Domain::Receipt`] with the network, so a seal made for anything else is none.

use super::{RECEIPT_BYTES_MAX, RECEIPT_FORMAT, ReceiptDocument};
use ambar_base::document::DocumentError;
use ambar_base::keys::BadSignature;
use ambar_base::{Coded, Domain, ErrorCode, NetworkId, PublicKey, SecretKey, Signature};
use coset::{CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable, iana};

/// The content type of the payload.
pub const CONTENT_TYPE: &str = "application/vnd.ambar.receipt+cbor";
/// Most bytes that the envelope adds to the document.
pub const ENVELOPE_BYTES_MAX: usize = 512;

/// An opened file, not verified yet.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The document.
    pub document: ReceiptDocument,
    /// The key that the header names.
    pub key: PublicKey,
    envelope: CoseSign1,
}

/// Why a file is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Longer than any receipt.
    #[error("the file has {0} bytes, more than any receipt")]
    TooLarge(usize),
    /// Not a COSE_Sign1 structure.
    #[error("the file is not a COSE_Sign1 structure: {0}")]
    Envelope(String),
    /// Another algorithm, content type or key, or another spelling of the envelope.
    #[error("the envelope is not a receipt's: {0}")]
    Header(&'static str),
    /// The payload is no document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Written for another version.
    #[error("receipt format {0} is not known; this version reads format {RECEIPT_FORMAT}")]
    Format(u16),
}

impl Coded for OpenError {
    fn code(&self) -> ErrorCode {
        ErrorCode::ReceiptInvalid
    }
}

impl ReceiptDocument {
    /// The file, sealed by the gateway's key for the document's network.
    #[must_use]
    pub fn seal(&self, key: &SecretKey) -> Vec<u8> {
        let builder = CoseSign1Builder::new().protected(header(&key.public()));
        let signed = builder
            .payload(self.encode())
            .create_signature(&external_data(self.network()), |m| key.sign_raw(m).0.to_vec());
        written(signed.build())
    }
}

/// Opens a file: its form is checked, its signature is not.
pub fn open(file: &[u8]) -> Result<Sealed, OpenError> {
    if file.len() > RECEIPT_BYTES_MAX + ENVELOPE_BYTES_MAX {
        return Err(OpenError::TooLarge(file.len()));
    }
    let envelope = CoseSign1::from_tagged_slice(file)
        .map_err(|error| OpenError::Envelope(error.to_string()))?;
    let key = key_of(&envelope.protected.header)?;
    let respelled = CoseSign1Builder::new()
        .protected(header(&key))
        .signature(envelope.signature.clone())
        .payload(envelope.payload.clone().unwrap_or_default());
    if written(respelled.build()) != file {
        return Err(OpenError::Header("it has one spelling, and this is another"));
    }
    let document = ReceiptDocument::decode(envelope.payload.as_deref().unwrap_or_default())?;
    if document.ambar != RECEIPT_FORMAT {
        return Err(OpenError::Format(document.ambar));
    }
    Ok(Sealed { document, key, envelope })
}

impl Sealed {
    /// Checks that `key` sealed the document for the network that it names.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let data = external_data(self.document.network());
        self.envelope.verify_signature(&data, |signature, message| {
            let signature = signature.try_into().map_err(|_| BadSignature)?;
            key.verify_raw(message, &Signature(signature))
        })
    }
}

fn header(key: &PublicKey) -> Header {
    HeaderBuilder::new()
        .algorithm(iana::Algorithm::EdDSA)
        .content_type(CONTENT_TYPE.to_owned())
        .key_id(key.did().into_bytes())
        .build()
}

fn key_of(header: &Header) -> Result<PublicKey, OpenError> {
    let did = std::str::from_utf8(&header.key_id).ok();
    let key = did.and_then(|did| PublicKey::from_did(did).ok());
    key.ok_or(OpenError::Header("the key id is not the did:key of an Ed25519 key"))
}

fn external_data(network: NetworkId) -> Vec<u8> {
    Domain::Receipt.message(network, &[])
}

fn written(envelope: CoseSign1) -> Vec<u8> {
    envelope.to_tagged_vec().expect("headers of text and bytes are CBOR, and memory takes them")
}
