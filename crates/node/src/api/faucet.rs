//! Credits for nothing, on development networks.

use super::App;
use super::dto::{FaucetAnswer, FaucetRequest};
use super::extract::Sent;
use super::failure::{Answer, Failure};
use super::views::{account, ledger};
use crate::submit::Signatory;
use ambar_base::{AccountId, Coded, ErrorCode, Price, SignedInception, codec};
use ambar_ledger::Key;
use ambar_ledger::query::State as _;
use ambar_ledger::transaction::{Operation, Transfer};
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// Most credits of one request.
const FAUCET_CREDITS_MAX: Price = Price(1_000_000 * Price::CREDIT.0);

/// Opens the account if need be and gives it credits.
#[utoipa::path(post, path = "/api/v1/faucet",
    operation_id = "faucet", tag = "accounts",
    request_body = FaucetRequest,
    responses((status = 200, body = FaucetAnswer)))]
pub(super) async fn faucet(
    State(app): State<Arc<App>>,
    Sent(request): Sent<FaucetRequest>,
) -> Answer<FaucetAnswer> {
    if !ledger(&app)?.governance()?.development {
        let message = "credits are free on development networks only";
        return Err(Failure::new(ErrorCode::NotAuthorised, message));
    }
    let (inception, amount) = read(&request)?;
    let to = inception.check(app.network);
    let to = to.map_err(|error| Failure::new(ErrorCode::SignatureInvalid, error.to_string()))?;
    let faucet = Key::FirstKey(app.home.validator.public());
    if ledger(&app)?.object::<u64>(&faucet)?.is_none() {
        let message = "this node has no faucet: ask the node of a validator that is there since \
                       genesis";
        return Err(Failure::new(ErrorCode::NotAuthorised, message));
    }
    let _turn = app.faucet.lock().await;
    let opened = ledger(&app)?.object::<u64>(&Key::AccountNumber(to))?.is_none();
    let operations = operations(opened, inception, to, amount);
    let faucet = Signatory { network: app.network, key: &app.home.validator };
    let committed = faucet.act(&*app.consensus, operations).await;
    let committed = committed.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let account = account(&app, &ledger(&app)?, &to.to_string())?;
    let transaction = format!("{}-{}", committed.height, committed.index);
    Ok(Json(FaucetAnswer { account, opened, transaction }))
}

fn read(request: &FaucetRequest) -> Result<(SignedInception, Price), Failure> {
    let bytes = hex::decode(&request.inception);
    let bytes = bytes.map_err(|_| Failure::invalid("the inception is not hexadecimal"))?;
    let inception = codec::decode(&bytes)
        .map_err(|error| Failure::invalid(format!("the inception does not decode: {error}")))?;
    let amount: Price =
        request.amount.parse().map_err(|error| Failure::invalid(format!("amount: {error}")))?;
    if amount > FAUCET_CREDITS_MAX {
        let message = format!("the faucet gives at most {FAUCET_CREDITS_MAX} credits at once");
        return Err(Failure::new(ErrorCode::LimitExceeded, message));
    }
    Ok((inception, amount))
}

fn operations(
    opened: bool,
    inception: SignedInception,
    to: AccountId,
    amount: Price,
) -> Vec<Operation> {
    let open = opened.then_some(Operation::CreateAccount(inception));
    open.into_iter().chain([Operation::Transfer(Transfer { to, amount })]).collect()
}
