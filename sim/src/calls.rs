//! Calls as an honest gateway writes them, and the settlement of a batch of them.

use ambar_base::{Digest, NetworkId, Price, SecretKey};
use ambar_consensus::Head;
use ambar_ledger::object::{Governance, Node, Version};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{BatchSigners, Settle};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_receipt::{
    BatchHeader, CallOutcome, Counter, Counters, Leaf, Line, SignedBatch, Tariff, bill, call_id,
};

/// What a call refers to, by the ledger's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The capsule version.
    pub version: u64,
    /// The grant under which it is called.
    pub grant: u64,
    /// The node that serves it and is the gateway.
    pub node: u64,
    /// The channel that pays.
    pub channel: u64,
}

fn line(state: &impl State, place: &Place, counts: [u64; 2]) -> Result<Line, Refusal> {
    let Place { version, grant, node, .. } = *place;
    let object: Version = state.must("version", version, &Key::Version(version))?;
    let terms = state.terms(&object.terms)?;
    let serving: Node = state.must("node", node, &Key::Node(node))?;
    let [tokens_in, tokens_out] = counts;
    let counters = [(Counter::TokensIn, tokens_in), (Counter::TokensOut, tokens_out)];
    let counters = Counters::new(counters);
    let ask = *serving.ask.latest();
    let bill = bill::line_bill(&counters, &terms.price, &Tariff::standard(), ask);
    let bill::LineBill { mu, royalty, node_fee } =
        bill.map_err(|_| Refusal::unknown("price", "of a call"))?;
    let shares = Vec::new();
    Ok(Line { version, grant, node, tariff: 0, counters, mu, royalty, node_fee, shares })
}

/// Call number `n` of the channel, admitted at `head`, with so many tokens in and out.
pub fn leaf(
    state: &impl State,
    place: &Place,
    n: u64,
    (head, counts): (Head, [u64; 2]),
) -> Result<Leaf, Refusal> {
    let line = line(state, place, counts)?;
    let governance: Governance = state.governance()?;
    let rate = governance.parameters.latest().network_fee;
    let sum = Price(line.royalty.0.saturating_add(line.node_fee.0));
    Ok(Leaf {
        call: call_id(place.channel, &Digest::of(b"holder"), &n.to_string()),
        outcome: CallOutcome::Full,
        lines: vec![line],
        network_fee: bill::network_fee(sum, rate),
        details: Digest::of(b"details"),
        ..Leaf::void(place.channel, n, head.height, head.time)
    })
}

/// The settlement of leaves in the gateway's next batch, signed by `key` as gateway and node.
pub fn settlement(
    state: &impl State,
    gateway: u64,
    leaves: Vec<Leaf>,
    (network, key): (NetworkId, &SecretKey),
) -> Result<Operation, Refusal> {
    let node: Node = state.must("node", gateway, &Key::Node(gateway))?;
    let too_many = || Refusal::unknown("batch", "of so many leaves");
    let header = BatchHeader::of(gateway, node.next_batch, &leaves).ok_or_else(too_many)?;
    let batch = (gateway, node.next_batch);
    let nodes = header.nodes.iter().map(|lines| lines.sign(network, batch, key)).collect();
    let signature = header.sign(network, key);
    let signers = BatchSigners::single(key.public(), &header);
    let batch = SignedBatch { header, signature, nodes };
    Ok(Operation::Settle(Settle { batch, signers, leaves, vouchers: Vec::new() }))
}
