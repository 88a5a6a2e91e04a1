//! From ledger objects to what the API says.

use super::App;
use super::departments;
use super::dto::{
    Account, CapsuleRow, OperationView, Payment, Progress, Recovering, TermsView, TierView,
};
use super::failure::Failure;
use crate::progress::Work;
use ambar_base::{AccountId, Cid, ErrorCode, Moment, PublicKey};
use ambar_gateway::view::LedgerView;
use ambar_index::{CatalogueRow, Payout};
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Grant, Line, Recovery, Version};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_licence::{PriceTier, Right, Terms, calendar};
use ambar_receipt::{Leaf, Payee};

/// Most rows that one list can be asked for.
pub(super) const ROWS_MAX: usize = 1_000;
/// Rows of a list that does not say how many it wants.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// A moment as text.
pub(super) fn time(moment: Moment) -> String {
    calendar::print(moment)
}

/// How far long work is.
pub(super) fn progress(work: Work) -> Progress {
    Progress {
        phase: work.phase.text().into(),
        done: work.done,
        total: (work.total > 0).then_some(work.total),
        unit: work.phase.unit().map(Into::into),
    }
}

/// The state after the last final block.
pub(super) fn ledger(app: &App) -> Result<LedgerView, Failure> {
    Ok(LedgerView::latest(&*app.consensus)?)
}

/// The id of an account by number.
pub(super) fn account_id(view: &LedgerView, number: u64) -> Result<AccountId, Failure> {
    let balance: Balance = view.must("account", number, &Key::Balance(number))?;
    Ok(balance.account)
}

pub(super) fn account(app: &App, view: &LedgerView, text: &str) -> Result<Account, Failure> {
    let (number, account, balance) = view.account(text)?;
    let height = view.head().height;
    let keys = account.keys.as_ref();
    Ok(Account {
        id: account.id.to_string(),
        did: did(app, &account.id)?,
        number: number.to_string(),
        keys: keys.map_or(Vec::new(), |keys| keys.keys.iter().map(PublicKey::did).collect()),
        threshold: keys.map_or(0, |keys| keys.threshold),
        name: account.name,
        nonce: account.nonce,
        available: balance.available_at(height).to_string(),
        pending: balance.pending_at(height).to_string(),
        recovery: account.recovery.map(|digest| digest.to_string()),
        recovering: view.object(&Key::Recovery(number))?.as_ref().map(recovering),
        department: departments::one(view, number)?,
        departments: departments::of(view, number)?,
    })
}

fn recovering(recovery: &Recovery) -> Recovering {
    Recovering {
        keys: recovery.keys.keys.iter().map(PublicKey::did).collect(),
        threshold: recovery.keys.threshold,
        next: recovery.next.map(|digest| digest.to_string()),
        from: calendar::print(recovery.from),
        from_height: recovery.from_height.0,
    }
}

/// The DID of the key that opened an account.
pub(super) fn did(app: &App, account: &AccountId) -> Result<Option<String>, Failure> {
    Ok(app.index.first_key(account)?.map(|key| key.did()))
}

/// What an account without keys is called.
pub(super) fn account_name(view: &LedgerView, id: &AccountId) -> Result<Option<String>, Failure> {
    Ok(view.account(&id.to_string())?.1.name)
}

/// A version by number.
pub(super) fn version(view: &LedgerView, number: u64) -> Result<Version, Failure> {
    Ok(view.must("capsule", number, &Key::Version(number))?)
}

pub(super) fn line(view: &LedgerView, number: u64) -> Result<Line, Failure> {
    Ok(view.must("version line", number, &Key::Line(number))?)
}

/// A version's id and the name that its manifest gives it.
pub(super) fn named(app: &App, view: &LedgerView, number: u64) -> Result<(Cid, String), Failure> {
    match app.index.version(number)? {
        Some(row) => Ok((row.id, row.name)),
        None => Ok((version(view, number)?.id, crate::serve::manifest(view, number)?.name)),
    }
}

pub(super) fn capsule_row(view: &LedgerView, row: &CatalogueRow) -> Result<CapsuleRow, Failure> {
    let owner = line(view, row.line)?.owner;
    Ok(CapsuleRow {
        id: row.id.to_string(),
        kind: row.kind.clone(),
        name: row.name.clone(),
        owner: account_id(view, owner)?.to_string(),
        height: row.height.0,
        line: row.line.to_string(),
    })
}

pub(super) fn terms(terms: &Terms) -> TermsView {
    TermsView {
        id: terms.id().to_string(),
        toml: terms.print(),
        explain: terms.explain(),
        per_mu: terms.price.per_mu.to_string(),
        per_call: terms.price.per_call.to_string(),
        minimum: terms.price.minimum.to_string(),
        tiers: terms.tiers.iter().map(tier).collect(),
    }
}

fn tier(tier: &PriceTier) -> TierView {
    let PriceTier { from_calls, price } = tier;
    TierView {
        from_calls: *from_calls,
        per_mu: price.per_mu.to_string(),
        per_call: price.per_call.to_string(),
        minimum: price.minimum.to_string(),
    }
}

pub(super) fn operation(result: &OperationResult) -> OperationView {
    let number = |number: &u64| number.to_string();
    match result {
        OperationResult::Done => OperationView::Done,
        OperationResult::Account(made) => {
            OperationView::Account { number: number(&made.number), id: made.id.to_string() }
        }
        OperationResult::Version(made) => OperationView::Version {
            number: number(&made.number),
            id: made.id.to_string(),
            line: number(&made.line),
        },
        OperationResult::Grant(made) => OperationView::Grant { number: number(made) },
        OperationResult::Channel(made) => OperationView::Channel { number: number(made) },
        OperationResult::Node(made) => OperationView::Node { number: number(made) },
        OperationResult::Tariff(made) => OperationView::Tariff { number: number(made) },
        OperationResult::Settled(made) => {
            OperationView::Settled { header: made.header.to_string(), facts: made.facts }
        }
        OperationResult::Validator(made) => OperationView::Validator { number: number(made) },
        OperationResult::Withdrawn(bond) => OperationView::Withdrawn { bond: bond.to_string() },
        OperationResult::Ejected(made) => OperationView::Ejected {
            number: number(&made.validator),
            owner: made.owner.to_string(),
            burned: made.burned.to_string(),
        },
        OperationResult::Leased(given) => OperationView::Leased {
            calls: given.calls,
            spend: given.spend.to_string(),
            rate: given.rate,
            until: given.until.0,
        },
        OperationResult::Sold(made) => {
            OperationView::Sold { number: number(&made.royalty), seller: made.seller.to_string() }
        }
        OperationResult::Drawn(made) => OperationView::Drawn {
            organisation: made.organisation.to_string(),
            department: made.department.to_string(),
            amount: made.amount.to_string(),
        },
        OperationResult::Recalled(amount) => OperationView::Recalled { amount: amount.to_string() },
        OperationResult::Disputed(made) => OperationView::Disputed {
            number: number(&made.number),
            deposit: made.deposit.to_string(),
        },
        OperationResult::DisputeClosed(made) => OperationView::DisputeClosed {
            number: number(&made.number),
            to: made.to.to_string(),
            deposit: made.deposit.to_string(),
            refund: made.refund.to_string(),
        },
        OperationResult::Offer(made) => OperationView::Offer { number: number(made) },
        OperationResult::Pool(made) => OperationView::Pool { number: number(made) },
        OperationResult::Submission(made) => OperationView::Submission { number: number(made) },
        OperationResult::Proposal(made) => OperationView::Proposal { number: number(made) },
    }
}

pub(super) fn payment(
    app: &App,
    view: &LedgerView,
    leaf: &Leaf,
    payout: &Payout,
) -> Result<Payment, Failure> {
    let (role, capsule) = match payout.payee {
        Payee::Royalty(line) => ("royalty", Some(royalty_capsule(view, line)?)),
        Payee::Contributor(datanet, _) => ("contributor", Some(version(view, datanet)?.id)),
        Payee::Treasury(datanet) => ("treasury", Some(version(view, datanet)?.id)),
        Payee::Node(_) => ("node", line_capsule(view, leaf, payout.line)?),
        Payee::Network => ("network", None),
        Payee::Burn => ("burn", None),
    };
    Ok(Payment {
        account: payout.account.to_string(),
        did: did(app, &payout.account)?,
        name: account_name(view, &payout.account)?,
        role: role.into(),
        capsule: capsule.map(|id| id.to_string()),
        method: methods(leaf, payout),
        amount: payout.amount.to_string(),
    })
}

fn line_capsule(view: &LedgerView, leaf: &Leaf, at: Option<usize>) -> Result<Option<Cid>, Failure> {
    let line = at.and_then(|at| leaf.lines.get(at));
    line.map(|line| version(view, line.version).map(|version| version.id)).transpose()
}

/// The latest version of the line that a royalty line belongs to.
fn royalty_capsule(view: &LedgerView, number: u64) -> Result<Cid, Failure> {
    let royalty: ambar_ledger::object::Royalty =
        view.must("royalty line", number, &Key::Royalty(number))?;
    Ok(version(view, line(view, royalty.line)?.head)?.id)
}

/// The methods that named a contributor, joined by `+`.
fn methods(leaf: &Leaf, payout: &Payout) -> Option<String> {
    let Payee::Contributor(datanet, index) = payout.payee else { return None };
    let shares = leaf.lines.get(payout.line?)?.shares.iter();
    let shares = shares.filter(|shares| shares.datanet == datanet);
    let shares = shares.filter(|shares| shares.weights.iter().any(|(who, _)| *who == index));
    let names: Vec<_> = shares.map(|shares| method_name(shares.method)).collect();
    Some(names.join("+"))
}

/// The name of an attribution method by number.
pub(super) fn method_name(number: u16) -> String {
    let methods = ambar_attribution::Method::ALL.iter();
    let found = methods.into_iter().find(|method| u16::from(method.number()) == number);
    found.map_or_else(|| number.to_string(), |method| method.name().to_owned())
}

/// The number that an id's text stands for.
pub(super) fn number(what: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::invalid(format!("{text:?} is no {what}'s number")))
}

/// How many rows are wanted, within [`ROWS_MAX`].
pub(super) fn limit(given: Option<u32>) -> Result<usize, Failure> {
    let Some(given) = given else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(given) {
        Ok(limit @ 1..=ROWS_MAX) => Ok(limit),
        _ => Err(Failure::invalid(format!("limit is 1 to {ROWS_MAX}, not {given}"))),
    }
}

/// A fault of this node's own state.
pub(super) fn corrupt(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::LedgerCorrupt, message)
}

/// Refuses unless a grant lets its holder fetch a version now.
pub(super) fn may_fetch(
    view: &LedgerView,
    version: &Version,
    grant: &Grant,
) -> Result<(), Failure> {
    let refuse = |code, message: &str| Err(Failure::new(code, message));
    if !grant.covers(version) {
        return refuse(ErrorCode::GrantMissing, "the grant is for another capsule or other terms");
    }
    if grant.revoked.is_some() {
        return refuse(ErrorCode::GrantRevoked, "the grant was revoked");
    }
    let terms = view.terms(&grant.terms)?;
    if terms.expires(grant.accepted).is_some_and(|end| end <= view.head().time) {
        return refuse(ErrorCode::GrantTermOver, "the grant's term is over");
    }
    if !terms.grants.contains(&Right::Fetch) {
        return refuse(ErrorCode::RightNotGranted, "the grant does not include fetch");
    }
    Ok(())
}
