//! Accounts, their grants and channels.

use super::App;
use super::dto::{Account, Channel, Grant};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::party::Party;
use super::views::{self, account_id, ledger, named, number, time};
use ambar_base::ErrorCode;
use ambar_gateway::view::LedgerView;
use ambar_index::Subject;
use ambar_ledger::Key;
use ambar_ledger::object::{self, Node};
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

/// An account by DID or id.
#[utoipa::path(get, path = "/api/v1/accounts/{account}",
    operation_id = "account", tag = "accounts",
    params(("account" = String, Path)), responses((status = 200, body = Account)))]
pub(super) async fn account(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Answer<Account> {
    views::account(&app, &ledger(&app)?, &text).map(Json)
}

#[derive(Deserialize)]
pub(super) struct Of {
    account: String,
}

/// The grants of an account.
#[utoipa::path(get, path = "/api/v1/grants",
    operation_id = "list_grants", tag = "accounts",
    params(("account" = String, Query)),
    responses((status = 200, body = Vec<Grant>)))]
pub(super) async fn grants(
    State(app): State<Arc<App>>,
    Asked(of): Asked<Of>,
    party: Party,
) -> Answer<Vec<Grant>> {
    let view = ledger(&app)?;
    let account = party.may_see(&view, &of.account)?;
    let numbers = app.index.grants(&account)?;
    numbers.into_iter().map(|number| grant(&app, &view, number)).collect::<Result<_, _>>().map(Json)
}

fn grant(app: &App, view: &LedgerView, number: u64) -> Result<Grant, Failure> {
    let grant: object::Grant = view.must("grant", number, &Key::Grant(number))?;
    let head = views::line(view, grant.line)?.head;
    let tiered = !view.terms(&grant.terms)?.tiers.is_empty();
    let volume: Option<object::Volume> = view.object(&Key::Volume(number))?;
    let volume = volume.or_else(|| tiered.then(|| object::Volume::of(&grant)));
    let (capsule, capsule_name) = named(app, view, head)?;
    Ok(Grant {
        id: number.to_string(),
        licensee: account_id(view, grant.licensee)?.to_string(),
        capsule: capsule.to_string(),
        capsule_name,
        terms: grant.terms.to_string(),
        accepted: time(grant.accepted),
        height: grant.height.0,
        revoked: grant.revoked.map(|height| height.0),
        current: grant.covers(&views::version(view, head)?),
        of: Some(grant.of.to_string()),
        breach: grant.breach.map(|height| height.0),
        disputes: super::disputes::open(app, view, Subject::Grant(number))?,
        calls: volume.as_ref().map(|volume| volume.calls),
        tier: volume.as_ref().map(|volume| *volume.tier.latest()),
    })
}

/// The channels of an account that are not paid out.
#[utoipa::path(get, path = "/api/v1/channels",
    operation_id = "list_channels", tag = "accounts",
    params(("account" = String, Query)),
    responses((status = 200, body = Vec<Channel>)))]
pub(super) async fn channels(
    State(app): State<Arc<App>>,
    Asked(of): Asked<Of>,
    party: Party,
) -> Answer<Vec<Channel>> {
    let view = ledger(&app)?;
    let account = party.may_see(&view, &of.account)?;
    let mut channels = Vec::new();
    for number in app.index.channels(&account)? {
        if let Some(object) = view.object::<object::Channel>(&Key::Channel(number))? {
            channels.push(channel_view(&view, number, &object)?);
        }
    }
    Ok(Json(channels))
}

/// A channel.
#[utoipa::path(get, path = "/api/v1/channels/{channel}",
    operation_id = "channel", tag = "accounts",
    params(("channel" = String, Path)),
    responses((status = 200, body = Channel)))]
pub(super) async fn channel(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    party: Party,
) -> Answer<Channel> {
    let (view, number) = (ledger(&app)?, number("channel", &text)?);
    let object: object::Channel = view.must("channel", number, &Key::Channel(number))?;
    match &party {
        Party::Certificate(opened) if opened.channel == number => {}
        Party::Certificate(_) => {
            let message = "the certificate is of another channel";
            return Err(Failure::new(ErrorCode::NotAuthorised, message));
        }
        _ => drop(party.may_see(&view, &account_id(&view, object.payer)?.to_string())?),
    }
    channel_view(&view, number, &object).map(Json)
}

fn channel_view(
    view: &LedgerView,
    number: u64,
    channel: &object::Channel,
) -> Result<Channel, Failure> {
    let gateway: Node = view.must("node", channel.gateway, &Key::Node(channel.gateway))?;
    Ok(Channel {
        id: number.to_string(),
        payer: account_id(view, channel.payer)?.to_string(),
        session_key: channel.session_key.did(),
        gateway: channel.gateway.to_string(),
        gateway_did: gateway.key.did(),
        grants: channel.grants.iter().map(ToString::to_string).collect(),
        unit_price_max: channel.unit_price_max.to_string(),
        expires: time(channel.expires),
        funded: channel.funded.to_string(),
        spent: channel.spent.to_string(),
        remaining: channel.remaining().to_string(),
        closing: channel.closing.map(|height| height.0),
        vouched: channel.vouched.map(|total| total.to_string()),
    })
}
