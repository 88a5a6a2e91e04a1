//! The API's description, OpenAPI 3.1.

use super::{
    accounts, blobs, blocks, capsules, certificates, chain, datanets, disputes, dto, faucet, keys,
    lineage, offers, receipts, royalties, serving, statements, status, transactions, validators,
};
use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ambar node",
        description = "Ids are texts. Prices are decimal texts with 9 decimals, balances and \
            payouts with 18. Requests that concern a party carry `ambar-key`, `ambar-time`, \
            `ambar-digest` and `ambar-signature`, or a certificate as bearer token."
    ),
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
        faucet::faucet,
        keys::keep,
        keys::offer,
        keys::release,
        lineage::lineage,
        offers::list,
        receipts::list,
        receipts::one,
        receipts::proof::proof,
        royalties::list,
        royalties::one,
        serving::build,
        serving::serve,
        statements::statement,
        status::checkpoint,
        status::status,
        transactions::submit,
        validators::list,
    ),
    components(schemas(dto::ErrorBody))
)]
struct Api;

/// The description.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

/// The API's description.
pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
