//! Keys of sealed content: drawn and handed over by whoever publishes, asked for by whoever
//! fetches.

use crate::failure::{Failure, OrFail, Outcome};
use crate::signer::{Signer, number};
use ambar_base::{Cid, ErrorCode};
use ambar_capsule::SignedManifest;
use ambar_capsule::sealing::{RecipientSecret, ReleaseRequest, SealedContent, VersionKey};
use ambar_node::api::dto::Grant;
use ambar_node::client::Client;
use zeroize::Zeroizing;

fn random() -> Outcome<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).or_fail(ErrorCode::Internal)?;
    Ok(bytes)
}

/// A new key for a version.
pub fn draw() -> Outcome<VersionKey> {
    Ok(VersionKey::from_bytes(&*random()?))
}

/// The node that keeps keys: the one that is talked to, or another.
async fn keeper(signer: &Signer, url: Option<&str>) -> Outcome<Client> {
    let Some(url) = url else { return Ok(signer.client().clone()) };
    let other = Signer::new(&Client::new(url)?, signer.key.clone(), Some(signer.account)).await?;
    Ok(other.client().clone())
}

/// Hands a version's key to the node that keeps it for its owner and his licensees.
pub async fn hand_over(
    signer: &Signer,
    url: Option<&str>,
    manifest: &SignedManifest,
    key: &VersionKey,
) -> Outcome {
    let client = keeper(signer, url).await?;
    let request = client.key_offer(&manifest.id()).await?;
    let node = client.status().await?.node.did;
    if (request.network, request.node.did()) != (signer.network, node) {
        let message = "the key is wanted for another node or network";
        return Err(Failure::new(ErrorCode::BadGateway, message));
    }
    let wrapped = request.wrap(key, &*random()?).or_fail(ErrorCode::BadGateway)?;
    client.keep_key(manifest, &wrapped).await?;
    Ok(())
}

/// Asks for a version's key at the node that keeps it.
pub async fn ask(
    signer: &Signer,
    url: Option<&str>,
    id: &Cid,
    sealed: &SealedContent,
) -> Outcome<VersionKey> {
    let secret = RecipientSecret::from_bytes(&*random()?);
    let request = ReleaseRequest {
        network: signer.network,
        version: *id,
        grant: grant(signer, id).await?,
        licensee: signer.account,
        recipient: secret.public(),
        nonce: *random()?,
    };
    let signature = (signer.key.public(), request.sign(&signer.key));
    let released = keeper(signer, url).await?.release_key(&request, &[signature]).await?;
    let key = released.open(&secret, &request).or_fail(ErrorCode::ContentKeyWrong)?;
    sealed.check_key(&key).or_fail(ErrorCode::ContentKeyWrong)?;
    Ok(key)
}

/// The account's newest grant for a capsule. An owner needs none: the number says nothing then.
async fn grant(signer: &Signer, id: &Cid) -> Outcome<u64> {
    let (client, account) = (signer.client(), signer.account.to_string());
    let capsule = client.capsule(&id.to_string()).await?;
    if capsule.owner == account {
        return Ok(0);
    }
    let grants = client.grants(&account).await?;
    let mut held = grants.iter().filter(|grant| grant.capsule == capsule.head);
    let newest =
        held.find(|grant| grant.revoked.is_none() && *published(grant) == capsule.terms.id);
    let missing = || {
        let message = format!("{} holds no grant for {id}", signer.account);
        Failure::new(ErrorCode::GrantMissing, message)
    };
    number("grant", &newest.ok_or_else(missing)?.id)
}

/// The published terms of the versions that a grant holds for.
fn published(grant: &Grant) -> &String {
    grant.of.as_ref().unwrap_or(&grant.terms)
}
