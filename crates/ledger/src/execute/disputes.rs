//! Disputes: claims that a call was not what its receipt says, and how they end.
//!
//! What a caller declares and what a node counts cannot be checked by anybody who was not
//! there. Whoever has evidence sets a deposit aside and claims it of a call that settled; the
//! council decides. What was overstated is paid back out of the node's bond: what is pending is
//! kept by account and height and knows no call, and may be spent before anybody decides. Shares
//! that do not reproduce cost the bond, too.
//!
//! **Invariant**: the deposit of an open dispute lies with the reserved account of deposits,
//! and nobody is paid more than the dispute says or the bond holds.

use super::grants::end;
use super::nodes::check_council;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{
    Balance, Batch, Claim, DISPUTE_TEXT_BYTES_MAX, Datanet, Dispute, DisputeBook, DisputeState,
    Grant, Line, Misattributed, Node, Parameters, Royalty, Ruled, Version, dispute_deposit,
    reserved,
};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::{DisputeClosed, DisputeOpened, OperationResult};
use crate::transaction::{OpenDispute, ResolveDispute, Ruling};
use crate::view::{View, stored_terms};
use ambar_base::{Amount, Digest, Encode, ErrorCode, Price, tree};
use ambar_licence::Revocation;
use ambar_receipt::audit::AUDIT_ONE_IN;
use ambar_receipt::{CallOutcome, Leaf, Line as CallLine};

/// Whom a claim is of, and what it can cost them.
struct Accused {
    account: u64,
    node: Option<u64>,
    price: Price,
}

fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Stop> {
    Err(Refusal::new(code, message).into())
}

pub(super) fn open(
    view: &mut View<'_>,
    party: &Party,
    record: &OpenDispute,
) -> Result<OperationResult, Stop> {
    let OpenDispute { header, leaf, claim, evidence, statement, .. } = record;
    check_text(statement)?;
    let (batch, receipt) = ((header.gateway, header.number), (leaf.channel, leaf.n));
    let line = claimed_line(leaf, *claim)?;
    let called = leaf.lines.first().unwrap_or(line);
    let made = Key::Claim(claim.digest(receipt, party.account));
    let fixed = [Key::Batch(batch), Key::DisputeBook, Key::Balance(reserved::DEPOSITS)];
    let grants = [Key::Grant(line.grant), Key::Grant(called.grant)];
    let rest = [made.clone(), Key::Node(line.node), Key::Version(called.version)];
    view.require(fixed.into_iter().chain(grants).chain(rest))?;
    check_settled(view, record)?;
    check_new(view, &made)?;
    let accused = match claim {
        Claim::Breach(_) => breach(view, party, line)?,
        Claim::Overstated(_) => overstated(view, party, called, line)?,
        Claim::Misattributed(claim) => misattributed(view, party, called, line, claim.datanet)?,
    };
    let deposit = dispute_deposit(&view.parameters()?).ok_or_else(Refusal::overflow)?;
    postings::transfer(view, party.account, reserved::DEPOSITS, deposit)?;
    let mut book: DisputeBook = view.get(&Key::DisputeBook)?.unwrap_or_default();
    let number = book.next;
    let dispute = Dispute {
        receipt,
        batch,
        claim: *claim,
        claimant: party.account,
        accused: accused.account,
        node: accused.node,
        capsule: view.expect::<Version>(&Key::Version(called.version))?.id,
        price: accused.price,
        evidence: *evidence,
        statement: statement.clone(),
        deposit,
        opened: view.block.time,
        height: view.block.height,
        state: DisputeState::Open,
    };
    book.next = number.checked_add(1).ok_or_else(Refusal::overflow)?;
    book.open += 1;
    view.put(&Key::DisputeBook, &book);
    view.put(&Key::Dispute(number), &dispute);
    view.put(&made, &number);
    Ok(OperationResult::Disputed(DisputeOpened { number, deposit }))
}

fn check_text(text: &str) -> Result<(), Refusal> {
    let plain = text.chars().all(|letter| !letter.is_control() || letter == '\n');
    if (1..=DISPUTE_TEXT_BYTES_MAX).contains(&text.len()) && plain {
        return Ok(());
    }
    let message = format!("a statement or reason is 1 to {DISPUTE_TEXT_BYTES_MAX} bytes of text");
    Err(Refusal::new(ErrorCode::TransactionInvalid, message))
}

/// The line that a claim is about.
fn claimed_line(leaf: &Leaf, claim: Claim) -> Result<&CallLine, Refusal> {
    let line = match claim {
        Claim::Breach(grant) => leaf.lines.iter().find(|line| line.grant == grant),
        Claim::Overstated(index) | Claim::Misattributed(Misattributed { line: index, .. }) => {
            usize::try_from(index).ok().and_then(|at| leaf.lines.get(at))
        }
    };
    let nothing = leaf.outcome == CallOutcome::Void;
    line.filter(|_| !nothing).ok_or_else(|| {
        let message = "the call has no such line, or none under that grant";
        Refusal::new(ErrorCode::TransactionInvalid, message)
    })
}

/// The very call settled in the batch, not too long ago.
fn check_settled(view: &View<'_>, record: &OpenDispute) -> Result<(), Stop> {
    let OpenDispute { header, leaf, index, path, claim, .. } = record;
    let batch: Batch = view.named(
        "batch",
        format!("{} of gateway {}", header.number, header.gateway),
        &Key::Batch((header.gateway, header.number)),
    )?;
    let named = Digest::of(&header.to_bytes()) == batch.header;
    if !named || !tree::includes(&header.leaves_root, &leaf.hash(), *index, header.leaves, path) {
        return refuse(ErrorCode::ReceiptInvalid, "the call is not one that the batch settled");
    }
    let Parameters { settlement_window, challenge_window, .. } = view.parameters()?;
    let window = match claim {
        Claim::Overstated(_) | Claim::Misattributed(_) if challenge_window > 0 => challenge_window,
        _ => settlement_window,
    };
    let last = batch.height.after(window);
    if view.block.height <= last {
        return Ok(());
    }
    refuse(ErrorCode::TransactionExpired, format!("this could be claimed up to height {last}"))
}

fn check_new(view: &View<'_>, made: &Key) -> Result<(), Stop> {
    match view.get::<u64>(made)? {
        None => Ok(()),
        Some(known) => {
            let message = format!("this was claimed before: see dispute {known}");
            refuse(ErrorCode::TransactionInvalid, message)
        }
    }
}

/// A breach is for the owner of the capsule to claim, or whoever holds one of its royalty
/// lines, of the licensee.
fn breach(view: &View<'_>, party: &Party, line: &CallLine) -> Result<Accused, Stop> {
    let grant: Grant = view.named("grant", line.grant, &Key::Grant(line.grant))?;
    let object: Line = view.expect(&Key::Line(grant.line))?;
    if object.owner != party.account {
        view.require(object.royalty.iter().map(|(number, _)| Key::Royalty(*number)))?;
        let royalty = |(number, _): &(u64, _)| view.expect::<Royalty>(&Key::Royalty(*number));
        let lines = object.royalty.iter().map(royalty).collect::<Result<Vec<_>, Stop>>()?;
        if !lines.iter().any(|royalty| *royalty.holder.latest() == party.account) {
            let message = "a breach is claimed by the capsule's owner or a royalty line's holder";
            return refuse(ErrorCode::NotAuthorised, message);
        }
    }
    if grant.licensee == party.account {
        return refuse(ErrorCode::TransactionInvalid, "nobody disputes their own call");
    }
    Ok(Accused { account: grant.licensee, node: None, price: Price::ZERO })
}

/// What was counted is for whoever paid to claim, of the node's owner. The called capsule's
/// grant is the payer's: the channel may be gone.
fn overstated(
    view: &View<'_>,
    party: &Party,
    called: &CallLine,
    line: &CallLine,
) -> Result<Accused, Stop> {
    let grant: Grant = view.named("grant", called.grant, &Key::Grant(called.grant))?;
    if grant.licensee != party.account {
        return refuse(ErrorCode::NotAuthorised, "what was counted is claimed by who paid");
    }
    let price = line.royalty.checked_add(line.node_fee).ok_or_else(Refusal::overflow)?;
    of_node(view, party, line, price)
}

/// Whom a call paid is for whoever paid to claim, and for those whom its shares are about, of the
/// owner of the node that made them.
fn misattributed(
    view: &View<'_>,
    party: &Party,
    called: &CallLine,
    line: &CallLine,
    datanet: u64,
) -> Result<Accused, Stop> {
    view.require([Key::Datanet(datanet)])?;
    let object: Datanet = view.named("datanet", datanet, &Key::Datanet(datanet))?;
    let grant: Grant = view.named("grant", called.grant, &Key::Grant(called.grant))?;
    let concerned = object.contributors.iter().chain([&object.treasury, &grant.licensee]);
    if !concerned.into_iter().any(|account| *account == party.account) {
        let message = "shares are claimed to be others by who paid, or who is in the datanet";
        return refuse(ErrorCode::NotAuthorised, message);
    }
    let most = line.royalty.0.checked_mul(AUDIT_ONE_IN).ok_or_else(Refusal::overflow)?;
    of_node(view, party, line, Price(most))
}

/// A claim about what a node did for a line.
fn of_node(view: &View<'_>, party: &Party, line: &CallLine, price: Price) -> Result<Accused, Stop> {
    let node: Node = view.named("node", line.node, &Key::Node(line.node))?;
    if node.owner == party.account {
        return refuse(ErrorCode::TransactionInvalid, "nobody disputes their own node");
    }
    if price.is_zero() {
        return refuse(ErrorCode::TransactionInvalid, "the line cost nothing");
    }
    Ok(Accused { account: node.owner, node: Some(line.node), price })
}

/// The council decides: the deposit goes back, or to whom it was claimed of.
pub(super) fn resolve(
    view: &mut View<'_>,
    party: &Party,
    record: &ResolveDispute,
) -> Result<OperationResult, Stop> {
    check_council(view, party)?;
    check_text(&record.reason)?;
    let number = record.dispute;
    let mut dispute = open_dispute(view, number)?;
    let (height, reason) = (view.block.height, record.reason.clone());
    let mut refund = Amount::ZERO;
    let to = match record.ruling {
        Ruling::Dismissed => {
            dispute.state = DisputeState::Dismissed(Ruled { height, refund, reason });
            dispute.accused
        }
        Ruling::Upheld(asked) => {
            match dispute.claim {
                Claim::Breach(grant) => uphold_breach(view, grant, asked)?,
                Claim::Overstated(_) | Claim::Misattributed(_) => {
                    refund = pay_back(view, &dispute, asked)?;
                }
            }
            dispute.state = DisputeState::Upheld(Ruled { height, refund, reason });
            dispute.claimant
        }
    };
    close(view, number, &dispute, to, refund)
}

fn uphold_breach(view: &mut View<'_>, number: u64, asked: Price) -> Result<(), Stop> {
    if !asked.is_zero() {
        let message = "a breach is about terms: nothing is paid back";
        return refuse(ErrorCode::TransactionInvalid, message);
    }
    let mut grant: Grant = view.expect(&Key::Grant(number))?;
    let ends = stored_terms(view, grant.terms)?.revoke_if.contains(&Revocation::Breach);
    if grant.breach.is_none() {
        grant.breach = Some(view.block.height);
        view.put(&Key::Grant(number), &grant);
    }
    if ends {
        end(view, number, &mut grant);
    }
    Ok(())
}

/// Pays the claimant out of the node's bond: what was asked, or what the bond holds.
fn pay_back(view: &mut View<'_>, dispute: &Dispute, asked: Price) -> Result<Amount, Stop> {
    if asked.is_zero() || asked > dispute.price {
        let message = format!("what the bond pays is above zero and at most {}", dispute.price);
        return refuse(ErrorCode::TransactionInvalid, message);
    }
    let nobody = || Refusal::new(ErrorCode::LedgerCorrupt, "the dispute names no node");
    let key = Key::Node(dispute.node.ok_or_else(nobody)?);
    let mut node: Node = view.expect(&key)?;
    let paid =
        postings::pay_from_bond(view, &mut node.bond, dispute.claimant, Amount::from(asked))?;
    view.put(&key, &node);
    Ok(paid)
}

/// The claimant takes the claim back, and may make it again.
pub(super) fn withdraw(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let mut dispute = open_dispute(view, number)?;
    if dispute.claimant != party.account {
        return refuse(ErrorCode::NotAuthorised, format!("dispute {number} is somebody else's"));
    }
    dispute.state = DisputeState::Withdrawn(view.block.height);
    view.remove(&claim_key(&dispute));
    let to = dispute.claimant;
    close(view, number, &dispute, to, Amount::ZERO)
}

/// Nobody waits for a council for ever.
pub(super) fn lapse(view: &mut View<'_>, number: u64) -> Result<OperationResult, Stop> {
    let mut dispute = open_dispute(view, number)?;
    if view.block.time < dispute.lapses() {
        let message = format!(
            "dispute {number} can lapse {} days after it was opened",
            crate::object::DISPUTE_DAYS
        );
        return refuse(ErrorCode::NotAuthorised, message);
    }
    dispute.state = DisputeState::Lapsed(view.block.height);
    view.remove(&claim_key(&dispute));
    let to = dispute.claimant;
    close(view, number, &dispute, to, Amount::ZERO)
}

fn claim_key(dispute: &Dispute) -> Key {
    Key::Claim(dispute.claim.digest(dispute.receipt, dispute.claimant))
}

/// An open dispute, with everything read that closing it takes.
fn open_dispute(view: &View<'_>, number: u64) -> Result<Dispute, Stop> {
    let key = Key::Dispute(number);
    view.require([key.clone(), Key::DisputeBook, Key::Balance(reserved::DEPOSITS)])?;
    let dispute: Dispute = view.named("dispute", number, &key)?;
    let balances = [dispute.claimant, dispute.accused].map(Key::Balance);
    let subject = match (dispute.claim, dispute.node) {
        (Claim::Breach(grant), _) => Some(Key::Grant(grant)),
        (Claim::Overstated(_) | Claim::Misattributed(_), node) => node.map(Key::Node),
    };
    view.require(balances.into_iter().chain(subject))?;
    if dispute.is_open() {
        return Ok(dispute);
    }
    let message = format!("dispute {number} is {}", dispute.state.text());
    refuse(ErrorCode::TransactionInvalid, message)
}

/// Gives the deposit to whom it is due, and keeps what became of the dispute.
fn close(
    view: &mut View<'_>,
    number: u64,
    dispute: &Dispute,
    to: u64,
    refund: Amount,
) -> Result<OperationResult, Stop> {
    let deposit = dispute.deposit;
    postings::transfer(view, reserved::DEPOSITS, to, deposit)?;
    let mut book: DisputeBook = view.expect(&Key::DisputeBook)?;
    let uncounted = || Refusal::new(ErrorCode::LedgerCorrupt, "no dispute is counted as open");
    book.open = book.open.checked_sub(1).ok_or_else(uncounted)?;
    view.put(&Key::DisputeBook, &book);
    view.put(&Key::Dispute(number), dispute);
    let account = |number| Ok::<_, Stop>(view.expect::<Balance>(&Key::Balance(number))?.account);
    let (to, claimant) = (account(to)?, account(dispute.claimant)?);
    Ok(OperationResult::DisputeClosed(DisputeClosed { number, to, deposit, claimant, refund }))
}
