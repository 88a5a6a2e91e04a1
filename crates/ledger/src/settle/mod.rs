//! Settlement: recomputing every bill of a batch, and posting it.
//!
//! The ledger believes no arithmetic of a gateway or node. From a leaf's counters it
//! recomputes work, prices and splits as of the leaf's admission height, compares, and
//! posts. A batch settles whole or not at all; the refusal names the leaf.

mod check;
mod decide;
mod facts;
mod progress;
mod tables;
mod volume;
mod vouchers;

use crate::agenda;
use crate::key::Key;
use crate::object::{Batch, Node, Parameters};
use crate::postings::{self, Settlement};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::Settle;
use crate::view::View;
use ambar_base::{Digest, Encode, ErrorCode};
use ambar_receipt::batch::BATCH_LEAVES_MAX;
use ambar_receipt::{BatchHeader, BatchOutcome, SignedBatch, fact};
pub use check::Payout;
pub use progress::Progress;
pub use tables::Tables;

/// What the leaves of a batch do before anything is posted.
struct Effects<'a> {
    progress: &'a mut Progress,
    settlement: &'a mut Settlement,
    facts: &'a mut facts::Collector,
}

/// Settles a batch for the gateway that submits it.
pub fn settle(
    view: &mut View<'_>,
    node: Option<u64>,
    record: &Settle,
) -> Result<OperationResult, Stop> {
    let header = &record.batch.header;
    check_shape(node, record)?;
    let (tables, mut progress) = Tables::read(view, header, &record.leaves)?;
    let gateway = next_batch(view, &tables, header)?;
    check_signers(&tables, record)?;
    vouchers::raise(&record.vouchers, &mut progress)?;
    let mut settlement = Settlement::default();
    let mut facts = facts::Collector::default();
    for (index, leaf) in record.leaves.iter().enumerate() {
        let mut effects =
            Effects { progress: &mut progress, settlement: &mut settlement, facts: &mut facts };
        check::leaf(view.block, header.gateway, leaf, &tables, &mut effects)
            .map_err(|refusal| at_leaf(index, leaf.channel, leaf.n, &refusal))?;
    }
    let facts = facts.in_order(header, &tables, &progress);
    let outcome = BatchOutcome {
        header: Digest::of(&header.to_bytes()),
        facts: facts.len() as u64,
        facts_root: fact::tree_of(&facts).root(),
    };
    view.put(&Key::Facts((header.gateway, header.number)), &facts);
    volume::write(view, &tables, &progress)?;
    finish(view, progress, settlement, record, gateway)?;
    Ok(OperationResult::Settled(outcome))
}

fn at_leaf(index: usize, channel: u64, n: u64, refusal: &Refusal) -> Refusal {
    let message = format!("leaf {index} (channel {channel}, number {n}): {}", refusal.message);
    Refusal::new(refusal.code, message)
}

fn check_shape(node: Option<u64>, record: &Settle) -> Result<(), Refusal> {
    let header = &record.batch.header;
    if node != Some(header.gateway) {
        let message = "a batch is settled by the gateway that signed it";
        return Err(Refusal::new(ErrorCode::NotAuthorised, message));
    }
    if !(1..=BATCH_LEAVES_MAX).contains(&record.leaves.len()) {
        let message = format!("a batch has 1 to {BATCH_LEAVES_MAX} leaves");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message));
    }
    Ok(())
}

/// The gateway, if the batch is its next.
fn next_batch(view: &View<'_>, tables: &Tables, header: &BatchHeader) -> Result<Node, Stop> {
    let gateway: Node = view.expect(&Key::Node(header.gateway))?;
    debug_assert!(tables.nodes.contains_key(&header.gateway), "the gateway was read");
    if gateway.next_batch == header.number {
        return Ok(gateway);
    }
    let message =
        format!("batch {} is not the gateway's next, {}", header.number, gateway.next_batch);
    Err(Refusal::new(ErrorCode::NonceStale, message).into())
}

/// The header is that of the leaves, and everybody in it signed: admission found the
/// signatures good by keys that are compared here with the state's.
fn check_signers(tables: &Tables, record: &Settle) -> Result<(), Refusal> {
    let Settle { batch: SignedBatch { header, .. }, signers, leaves, .. } = record;
    let invalid = |message: String| Err(Refusal::new(ErrorCode::SignatureInvalid, message));
    if BatchHeader::of(header.gateway, header.number, leaves).as_ref() != Some(header) {
        return invalid("the batch header is not that of its leaves".into());
    }
    if signers.gateway != tables.node(header.gateway)?.key {
        return invalid("the batch is not signed by its gateway".into());
    }
    if signers.nodes.len() != header.nodes.len() {
        return invalid("each node in a batch signs its lines".into());
    }
    for (lines, key) in header.nodes.iter().zip(&signers.nodes) {
        if *key != tables.node(lines.node)?.key {
            return invalid(format!("node {} has not signed its lines", lines.node));
        }
    }
    Ok(())
}

fn finish(
    view: &mut View<'_>,
    mut progress: Progress,
    settlement: Settlement,
    record: &Settle,
    mut gateway: Node,
) -> Result<(), Stop> {
    let header = &record.batch.header;
    let height = view.block.height;
    let Parameters { challenge_window, .. } = view.parameters()?;
    let release_at = postings::release_height(height, challenge_window);
    settlement.post(view, &mut progress.channels, release_at)?;
    let calls = progress.write(view, header.gateway);
    agenda::forget_batch(view, header.gateway, header.number, &calls)?;
    gateway.next_batch += 1;
    view.put(&Key::Node(header.gateway), &gateway);
    let batch = Batch {
        header: Digest::of(&header.to_bytes()),
        leaves: header.leaves,
        price: header.price,
        height,
    };
    view.put(&Key::Batch((header.gateway, header.number)), &batch);
    Ok(())
}

pub(crate) fn refuse_bill(error: &ambar_receipt::BillError) -> Refusal {
    Refusal::new(ErrorCode::ReceiptInvalid, error.to_string())
}
