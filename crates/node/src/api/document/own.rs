//! The own API's operations, as their handlers describe them.

use crate::api::{
    accounts, blobs, blocks, capsules, certificates, chain, datanets, disputes, document, dto,
    faucet, keys, lineage, offers, pools, receipts, royalties, serving, statements, status,
    transactions, validators,
};
use utoipa::OpenApi;

/// What the document says of itself.
const ABOUT: &str = "\
Everything that a node's port answers: its own API under `/api/v1`, the OpenAI dialect under \
`/v1`, and what operators ask.

Ids are texts. Prices are decimal texts with 9 decimals, balances and payouts with 18; times are \
RFC 3339. Fields are added, never renamed or removed.

**Failures.** Each operation names the codes that it can answer with, by status. The own API says \
`{\"error\": {\"code\", \"message\", \"help\"}}`, the dialect \
`{\"error\": {\"message\", \"type\", \"param\", \"code\"}}`. Besides, the port refuses for every \
path alike, in a shape that holds both: 405 `method_not_allowed` (the header `Allow` names the \
methods), 404 `not_found` for paths that are none, 408 `invalid_request` for requests that take \
too long, 431 `request_too_large` for heads that are too large, 429 and 503 `overloaded` for too \
many connections.

**Who asks.** A certificate as bearer token, or a signature: `ambar-key` is the signer's did:key, \
`ambar-time` milliseconds since 1970, `ambar-digest` the SHA-256 of the body in hexadecimal (not \
sent without a body), `ambar-signature` the signature over all of these, method and path. \
`ambar-account` names the account if the key is not its first.

What nodes ask one another (`/peer/v1`, over connections that are authenticated by node keys) is \
not here: it is in `crates/node/src/api/peers.rs`.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Ambar node", description = ABOUT),
    paths(
        accounts::account,
        accounts::channel,
        accounts::channels,
        accounts::grants,
        blobs::get,
        blobs::put,
        blocks::audit,
        blocks::audit_progress,
        blocks::list,
        blocks::one,
        capsules::changes,
        capsules::list,
        capsules::octets,
        capsules::one,
        capsules::search,
        capsules::terms,
        certificates::revoke,
        chain::chain,
        chain::genesis,
        datanets::list,
        datanets::one,
        datanets::trace,
        disputes::list,
        disputes::one,
        document::serve,
        faucet::faucet,
        keys::keep,
        keys::offer,
        keys::release,
        lineage::lineage,
        offers::list,
        pools::content,
        pools::list,
        pools::one,
        pools::proposals,
        pools::submissions,
        receipts::list,
        receipts::one,
        receipts::proof::proof,
        royalties::list,
        royalties::one,
        serving::build,
        serving::serve,
        statements::statement,
        status::checkpoint,
        status::healthy,
        status::metrics,
        status::ready,
        status::status,
        transactions::submit,
        validators::list,
    ),
    components(schemas(dto::ErrorBody))
)]
pub(super) struct Own;
