//! The endpoints.

use super::transport::next_bytes;
use super::{Client, ClientError};
use crate::api::dto::{
    self, Account, AuditReport, Blob, Block, BlockRow, Capsule, CapsuleRow, Changes, Channel,
    Datanet, Dispute, Disputes, FaucetAnswer, FaucetRequest, Grant, KeepKey, KeyKept, KeyOffer,
    KeyReleased, KeySignature, LineageGraph, Offer, Progress, Receipt, ReceiptRow, ReleaseKey,
    Royalty, SearchAnswer, ServingAnswer, ServingRequest, Statement, Status, Submitted, TermsText,
    TraceAnswer, TraceRequest, Validators,
};
use crate::chain_file::frames;
use ambar_base::{
    Checkpoint, Cid, Committee, Decode, Digest, Encode, NetworkId, PublicKey, Signature, codec,
};
use ambar_capsule::SignedManifest;
use ambar_capsule::sealing::{CustodyRequest, ReleaseRequest, Released};
use ambar_ledger::Genesis;
use axum::body::Bytes;
use futures::{Stream, TryStreamExt};
use reqwest::{Body, Method, Response, Url};
use std::io::{self, Write};
use std::path::Path;
use tokio_util::io::ReaderStream;

/// Bytes read from a file at once.
const COPY_BYTES: usize = 256 * 1024;
/// Most answers that one blob is put together from.
const RESUMPTIONS_MAX: usize = 16;

/// Which disputes: about at most one of receipt, grant and node.
#[derive(Clone, Copy, Debug, Default)]
pub struct DisputeQuery<'a> {
    /// About this receipt.
    pub receipt: Option<&'a str>,
    /// About a breach of this grant.
    pub grant: Option<&'a str>,
    /// About what this node counted.
    pub node: Option<&'a str>,
    /// Only those that nobody has decided.
    pub open: bool,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Which receipts; at least one of account, channel and idempotency key.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiptQuery<'a> {
    /// Of this payer.
    pub account: Option<&'a str>,
    /// Of this channel.
    pub channel: Option<&'a str>,
    /// Of the call with this idempotency key, made with the certificate asking.
    pub idempotency_key: Option<&'a str>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Writes the body of an answer; counts what was written.
async fn copy(
    response: &mut Response,
    root: &str,
    writer: &mut impl Write,
    written: &mut u64,
) -> Result<(), ClientError> {
    while let Some(bytes) = next_bytes(response).await? {
        let failed = |error| ClientError::File { path: root.to_owned(), error };
        writer.write_all(&bytes).map_err(failed)?;
        *written += bytes.len() as u64;
    }
    Ok(())
}

/// What stands in an answer as hexadecimal digits.
fn decoded<T: Decode>(text: &str) -> Result<T, ClientError> {
    let odd = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
    let bytes = hex::decode(text).map_err(|error| odd(&error))?;
    codec::decode(&bytes).map_err(|error| odd(&error))
}

fn limit_text(limit: Option<u32>) -> Option<String> {
    limit.map(|limit| limit.to_string())
}

impl Client {
    /// How the node and its network are.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(self.url("status", &[])).await
    }

    /// The id of the node's network.
    pub async fn network(&self) -> Result<NetworkId, ClientError> {
        let status = self.status().await?;
        let id: Result<Digest, _> = status.network.parse();
        id.map(NetworkId).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Whose votes make blocks final, as this node says.
    pub async fn checkpoint(&self) -> Result<Checkpoint, ClientError> {
        let said: dto::Checkpoint = self.get(self.url("checkpoint", &[])).await?;
        let odd = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
        let network: Digest = said.network.parse().map_err(|error| odd(&error))?;
        let seats = said.validators.iter().map(|did| PublicKey::from_did(did));
        let seats = seats.collect::<Result<_, _>>().map_err(|error| odd(&error))?;
        let committee = Committee::new(said.epoch, seats).map_err(|error| odd(&error))?;
        Ok(Checkpoint { network: NetworkId(network), committee })
    }

    /// A part of the validators.
    pub async fn validators(&self, after: Option<&str>) -> Result<Validators, ClientError> {
        self.get(self.url("validators", &[("after", after)])).await
    }

    /// The document that the network began with, as this node says.
    pub async fn genesis(&self) -> Result<Genesis, ClientError> {
        let bytes = self.get_bytes(self.url("genesis", &[])).await?;
        codec::decode(&bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Some final blocks from a height on; none above the newest.
    pub async fn chain(&self, from: u64) -> Result<Vec<ambar_consensus::Block>, ClientError> {
        let from = from.to_string();
        let bytes = self.get_bytes(self.url("chain", &[("from", Some(&from))])).await?;
        frames(&bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Submits an encoded signed transaction and waits until it is final.
    pub async fn submit(&self, transaction: Vec<u8>) -> Result<Submitted, ClientError> {
        let url = self.url("transactions", &[]);
        self.octets(Method::POST, url, "application/octet-stream", transaction).await
    }

    /// Takes credits from the faucet of a development network.
    pub async fn faucet(&self, request: &FaucetRequest) -> Result<FaucetAnswer, ClientError> {
        self.json(Method::POST, self.url("faucet", &[]), request).await
    }

    /// Ends a certificate; the height from which it is refused.
    pub async fn revoke_certificate(&self, certificate: &str) -> Result<u64, ClientError> {
        let request = dto::RevokeCertificate { certificate: certificate.to_owned() };
        let url = self.url("certificates/revoke", &[]);
        let revoked: dto::CertificateRevoked = self.json(Method::POST, url, &request).await?;
        Ok(revoked.from)
    }

    /// An account by DID or id.
    pub async fn account(&self, account: &str) -> Result<Account, ClientError> {
        self.get(self.url(&format!("accounts/{account}"), &[])).await
    }

    /// A part of an account's statement; signed by the account.
    pub async fn statement(
        &self,
        account: &str,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Statement, ClientError> {
        let limit = limit_text(limit);
        let query = [("after", after), ("limit", limit.as_deref())];
        self.get(self.url(&format!("accounts/{account}/statement"), &query)).await
    }

    /// A part of the statement of an organisation and all its departments; signed by it.
    pub async fn consolidated_statement(
        &self,
        account: &str,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Statement, ClientError> {
        let limit = limit_text(limit);
        let consolidated = ("consolidated", Some("true"));
        let query = [("after", after), ("limit", limit.as_deref()), consolidated];
        self.get(self.url(&format!("accounts/{account}/statement"), &query)).await
    }

    /// Capsules, newest first.
    pub async fn capsules(
        &self,
        kind: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Vec<CapsuleRow>, ClientError> {
        let limit = limit_text(limit);
        let query = [("kind", kind), ("limit", limit.as_deref())];
        self.get(self.url("capsules", &query)).await
    }

    /// A capsule by id or name.
    pub async fn capsule(&self, capsule: &str) -> Result<Capsule, ClientError> {
        self.get(self.url(&format!("capsules/{}", segment(capsule)), &[])).await
    }

    /// A capsule's signed manifest: the encoded
    /// [`SignedManifest`](ambar_capsule::SignedManifest).
    pub async fn manifest(&self, capsule: &str) -> Result<Vec<u8>, ClientError> {
        self.get_bytes(self.url(&format!("capsules/{}/manifest", segment(capsule)), &[])).await
    }

    /// What a capsule hangs on.
    pub async fn lineage(&self, capsule: &str) -> Result<LineageGraph, ClientError> {
        self.get(self.url(&format!("capsules/{}/lineage", segment(capsule)), &[])).await
    }

    /// Capsules whose name or description holds the words.
    pub async fn search(
        &self,
        words: &str,
        kind: Option<&str>,
        limit: Option<u32>,
    ) -> Result<SearchAnswer, ClientError> {
        let limit = limit_text(limit);
        let query = [("q", Some(words)), ("kind", kind), ("limit", limit.as_deref())];
        self.get(self.url("search", &query)).await
    }

    /// Terms by id.
    pub async fn terms(&self, id: &str) -> Result<TermsText, ClientError> {
        self.get(self.url(&format!("terms/{id}"), &[])).await
    }

    /// Grants of an account; signed by it.
    pub async fn grants(&self, account: &str) -> Result<Vec<Grant>, ClientError> {
        self.get(self.url("grants", &[("account", Some(account))])).await
    }

    /// Offers of terms: of a capsule, to an account, or what this account may accept of those of
    /// this capsule.
    pub async fn offers(
        &self,
        capsule: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<Offer>, ClientError> {
        self.get(self.url("offers", &[("capsule", capsule), ("to", to)])).await
    }

    /// The royalty lines that an account holds.
    pub async fn royalties(&self, account: &str) -> Result<Vec<Royalty>, ClientError> {
        self.get(self.url("royalties", &[("account", Some(account))])).await
    }

    /// A royalty line by number.
    pub async fn royalty(&self, number: &str) -> Result<Royalty, ClientError> {
        self.get(self.url(&format!("royalties/{}", segment(number)), &[])).await
    }

    /// Disputes about a receipt, a grant or a node, or the network's latest.
    pub async fn disputes(&self, query: DisputeQuery<'_>) -> Result<Disputes, ClientError> {
        let limit = limit_text(query.limit);
        let query = [
            ("receipt", query.receipt),
            ("grant", query.grant),
            ("node", query.node),
            ("open", query.open.then_some("true")),
            ("limit", limit.as_deref()),
        ];
        self.get(self.url("disputes", &query)).await
    }

    /// A dispute by number.
    pub async fn dispute(&self, number: &str) -> Result<Dispute, ClientError> {
        self.get(self.url(&format!("disputes/{}", segment(number)), &[])).await
    }

    /// Channels of an account; signed by it.
    pub async fn channels(&self, account: &str) -> Result<Vec<Channel>, ClientError> {
        self.get(self.url("channels", &[("account", Some(account))])).await
    }

    /// A channel; signed by its payer or asked with one of its certificates.
    pub async fn channel(&self, channel: &str) -> Result<Channel, ClientError> {
        self.get(self.url(&format!("channels/{channel}"), &[])).await
    }

    /// Stores a blob; signed by any account.
    pub async fn put_blob(&self, bytes: Vec<u8>) -> Result<Blob, ClientError> {
        let digest = Digest::of(&bytes);
        self.stream(self.url("blobs", &[]), digest, Body::from(bytes)).await
    }

    /// Stores a file with this SHA-256 as a blob, whatever its size; signed by any account.
    /// `sent` hears of each part that is on its way, in bytes.
    pub async fn put_blob_file(
        &self,
        path: &Path,
        digest: Digest,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Blob, ClientError> {
        let failed = |error| ClientError::File { path: path.display().to_string(), error };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let parts = ReaderStream::with_capacity(file, COPY_BYTES);
        self.put_blob_parts(parts.inspect_ok(move |part| sent(part.len() as u64)), digest).await
    }

    /// Stores parts, whose SHA-256 in all is this, as one blob; signed by any account.
    pub async fn put_blob_parts<P: 'static>(
        &self,
        parts: impl Stream<Item = io::Result<P>> + Send + 'static,
        digest: Digest,
    ) -> Result<Blob, ClientError>
    where
        Bytes: From<P>,
    {
        self.stream(self.url("blobs", &[]), digest, Body::wrap_stream(parts)).await
    }

    /// A blob of a capsule, not checked against its root. File tables and extension
    /// documents are public, files are for those who may fetch.
    pub async fn blob(&self, capsule: &str, root: &str) -> Result<Vec<u8>, ClientError> {
        self.get_bytes(self.url(&format!("blobs/{root}"), &[("capsule", Some(capsule))])).await
    }

    /// Writes a blob of a capsule, not checked against its root, to `writer`; yields its
    /// length. If the answer breaks off, the rest is asked for.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `blob_corrupt` if the node's own copy is damaged.
    pub async fn blob_to(
        &self,
        capsule: &str,
        root: &str,
        writer: &mut impl Write,
    ) -> Result<u64, ClientError> {
        let url = self.url(&format!("blobs/{root}"), &[("capsule", Some(capsule))]);
        let mut written = 0;
        for _ in 0..RESUMPTIONS_MAX {
            let before = written;
            let mut response = self.open_from(url.clone(), written).await?;
            match copy(&mut response, root, writer, &mut written).await {
                // A node that has no more to say for itself says at the next request why.
                Err(ClientError::Answer(_)) if written > before => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(written),
            }
        }
        Err(ClientError::Answer(format!("it broke off {RESUMPTIONS_MAX} times")))
    }

    /// For which key the node wants the key of a version; its signature was checked.
    pub async fn key_offer(&self, version: &Cid) -> Result<CustodyRequest, ClientError> {
        let offer: KeyOffer = self.get(self.key_url(version)).await?;
        let request: CustodyRequest = decoded(&offer.request)?;
        let signature: Signature = decoded(&offer.signature)?;
        let good = request.version == *version && request.signed(&signature).verify().is_ok();
        let odd = || ClientError::Answer("a key is wanted in somebody else's name".into());
        good.then_some(request).ok_or_else(odd)
    }

    /// Gives a version's key, wrapped for the node, to it; signed by the version's creator.
    pub async fn keep_key(
        &self,
        manifest: &SignedManifest,
        wrapped: &Released,
    ) -> Result<KeyKept, ClientError> {
        let (url, bytes) = (self.key_url(&manifest.id()), manifest.to_bytes());
        let given = KeepKey { manifest: hex::encode(bytes), key: hex::encode(wrapped.to_bytes()) };
        self.json(Method::PUT, url, &given).await
    }

    /// Asks for a version's key by a request that keys of the licensee signed.
    pub async fn release_key(
        &self,
        request: &ReleaseRequest,
        signatures: &[(PublicKey, Signature)],
    ) -> Result<Released, ClientError> {
        let signature = |(key, signature): &(PublicKey, Signature)| KeySignature {
            key: key.did(),
            signature: hex::encode(signature.0),
        };
        let signatures = signatures.iter().map(signature).collect();
        let asked = ReleaseKey { request: hex::encode(request.to_bytes()), signatures };
        let url = self.key_url(&request.version);
        let released: KeyReleased = self.json(Method::POST, url, &asked).await?;
        decoded(&released.key)
    }

    fn key_url(&self, version: &Cid) -> Url {
        self.url(&format!("capsules/{version}/key"), &[])
    }

    /// Lets the node serve a capsule; signed by the node's owner.
    pub async fn serve(
        &self,
        capsule: &str,
        request: &ServingRequest,
    ) -> Result<ServingAnswer, ClientError> {
        self.json(Method::PUT, self.url(&format!("serving/{}", segment(capsule)), &[]), request)
            .await
    }

    /// How far the node is with what serving a capsule needs.
    pub async fn build(&self, capsule: &str) -> Result<Progress, ClientError> {
        self.get(self.url(&format!("capsules/{}/build", segment(capsule)), &[])).await
    }

    /// A receipt; asked by who paid or was paid.
    pub async fn receipt(&self, id: &str) -> Result<Receipt, ClientError> {
        self.get(self.url(&format!("receipts/{id}"), &[])).await
    }

    /// A receipt as a file that verifies offline.
    pub async fn receipt_proof(&self, id: &str) -> Result<Vec<u8>, ClientError> {
        self.get_bytes(self.url(&format!("receipts/{id}/proof"), &[])).await
    }

    /// Receipts, newest first.
    pub async fn receipts(&self, query: ReceiptQuery<'_>) -> Result<Vec<ReceiptRow>, ClientError> {
        let limit = limit_text(query.limit);
        let query = [
            ("account", query.account),
            ("channel", query.channel),
            ("idempotency_key", query.idempotency_key),
            ("limit", limit.as_deref()),
        ];
        self.get(self.url("receipts", &query)).await
    }

    /// Datanets, newest first.
    pub async fn datanets(&self) -> Result<Vec<CapsuleRow>, ClientError> {
        self.get(self.url("datanets", &[])).await
    }

    /// A datanet by id or name.
    pub async fn datanet(&self, datanet: &str) -> Result<Datanet, ClientError> {
        self.get(self.url(&format!("datanets/{}", segment(datanet)), &[])).await
    }

    /// Attributes a text.
    pub async fn trace(&self, request: &TraceRequest) -> Result<TraceAnswer, ClientError> {
        self.json(Method::POST, self.url("trace", &[]), request).await
    }

    /// Blocks above a height, oldest first.
    pub async fn blocks(
        &self,
        after: Option<u64>,
        limit: Option<u32>,
    ) -> Result<Vec<BlockRow>, ClientError> {
        let (after, limit) = (after.map(|after| after.to_string()), limit_text(limit));
        self.get(self.url("blocks", &[("after", after.as_deref()), ("limit", limit.as_deref())]))
            .await
    }

    /// A block.
    pub async fn block(&self, height: u64) -> Result<Block, ClientError> {
        self.get(self.url(&format!("blocks/{height}"), &[])).await
    }

    /// Recomputes everything from the oldest block that the node keeps.
    pub async fn audit(&self) -> Result<AuditReport, ClientError> {
        self.get(self.url("audit", &[])).await
    }

    /// Recomputes everything from genesis, if the node keeps all blocks.
    pub async fn audit_archive(&self) -> Result<AuditReport, ClientError> {
        self.get(self.url("audit", &[("archive", Some("true"))])).await
    }

    /// How far the audit under way is.
    pub async fn audit_progress(&self) -> Result<Progress, ClientError> {
        self.get(self.url("audit/progress", &[])).await
    }

    /// The catalogue's feed from a place on.
    pub async fn changes(&self, since: u64) -> Result<Changes, ClientError> {
        let since = since.to_string();
        self.get(self.url("catalogue/changes", &[("since", Some(&since))])).await
    }
}

/// A name as one segment of a path: names may hold slashes.
pub(super) fn segment(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F").replace('?', "%3F").replace('#', "%23")
}
