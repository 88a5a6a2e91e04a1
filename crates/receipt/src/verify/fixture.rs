//! A small world with one batch of five calls: a prompt that asks a datanet and a model,
//! signed by everybody, settled in a block that is final as `chain_fixture` says. Fuzz targets
//! use it too.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a test that fails")]

use super::chain_fixture;
use crate::batch::{BatchHeader, SignedBatch};
use crate::bill;
use crate::counters::{Counter, Counters};
use crate::export::{AssembleError, Parts, Preimages, ReceiptDocument, Settlement};
use crate::fact::{
    self, AskFact, ChannelFact, ContributorFact, Fact, FeeFact, GrantFact, HolderFact, NodeFact,
    Span, TariffFact, VersionFact,
};
use crate::leaf::{CallOutcome, Details, Leaf, Line, Shares, call_id};
use crate::outcome::{BatchOutcome, TransactionOutcome};
use crate::tariff::Tariff;
use ambar_attribution::span::{Occurrence, Span as TextSpan, SpanEvidence, SpanParameters};
use ambar_attribution::{
    Divided, Division, Evidence, Method, Passage, RetrievalEvidence, RetrievalParameters, shares,
};
use ambar_base::{
    AccountId, Checkpoint, Cid, Digest, Encode, Height, Moment, NetworkId, Price, SecretKey, Weight,
};
use ambar_capsule::body::{Body, DatasetBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{
    Content, DatanetDeclaration, RoyaltyDeclaration, SharingDeclaration,
};
use ambar_capsule::{Manifest, Party, Plan};
use ambar_licence::{
    CallFacts, DecisionRecord, GrantView, Narrowing, PartFacts, PriceRule, Right, Spent, Terms,
};
use std::collections::BTreeMap;

pub const GATEWAY: u64 = 1;
pub const NODE: u64 = 4;
pub const PROMPT: u64 = 10;
pub const DATANET: u64 = 3;
pub const MODEL: u64 = 5;
pub const CHANNEL: u64 = 5;
pub const CONTRIBUTORS: u32 = 7;
pub const RATE: Weight = Weight(10_000_000);

pub struct World {
    pub network: NetworkId,
    pub keys: BTreeMap<u64, SecretKey>,
    pub leaves: Vec<Leaf>,
    /// What each leaf binds, whatever becomes of it.
    pub bound: Vec<(Details, DecisionRecord)>,
    pub facts: Vec<Fact>,
    pub preimages: Preimages,
    pub index: usize,
}

pub fn account(name: &str) -> AccountId {
    AccountId(Digest::of(name.as_bytes()))
}

pub fn terms(version: u64) -> Terms {
    let (per_mu, per_call) = match version {
        PROMPT => (0, 1_000),
        DATANET => (2_000_001, 0),
        _ => (1_000_003, 7),
    };
    let price =
        PriceRule { per_mu: Price(per_mu), per_call: Price(per_call), minimum: Price::ZERO };
    Terms { price, ..Terms::granting([Right::Call, Right::Compose]) }
}

pub fn plan(version: u64) -> Plan {
    let weights: &[(Party, u32)] = match version {
        PROMPT => &[(Party::Line(1), 1_000_000_000)],
        DATANET => &[
            (Party::Line(2), 60_000_000),
            (Party::Line(3), 40_000_000),
            (Party::Datanet(DATANET), 900_000_000),
        ],
        _ => &[(Party::Line(4), 700_000_000), (Party::Line(5), 300_000_000)],
    };
    Plan::new(weights.iter().map(|(party, weight)| (*party, Weight(*weight))).collect()).unwrap()
}

pub fn manifest() -> Manifest {
    Manifest {
        ambar: 1,
        body: Body::Dataset(DatasetBody { records: 9, media_type: "text/plain".into() }),
        content: Content { bytes: 3, files: 1, sealed: None, table: ContentRoot([7; 32]) },
        creator: account("creator"),
        datanet: Some(DatanetDeclaration {
            contributors: Cid::of(b"table"),
            methods: vec![(1, Weight(600_000_000)), (2, Weight(400_000_000))],
            share: Weight(900_000_000),
            sharing: Some(SharingDeclaration {
                cap: Weight(450_000_000),
                contributors: CONTRIBUTORS,
                duplicates: 3,
                floor: Weight(50_000_000),
            }),
            treasury: account("treasury"),
        }),
        derived_from: Vec::new(),
        description: "Letters".into(),
        extensions: Vec::new(),
        fork: false,
        name: "letters".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: account("creator"), weight: Weight::ONE }],
        terms: terms(DATANET).id(),
        uses: Vec::new(),
    }
}

pub fn evidence() -> [Evidence; 2] {
    let passage = |document, contributor, start, score| Passage {
        document,
        contributor,
        start,
        end: start + 400,
        score,
    };
    let retrieval = RetrievalEvidence {
        corpus: Digest::of(b"corpus"),
        query: Digest::of(b"query"),
        parameters: RetrievalParameters::default(),
        passages: vec![passage(7, 2, 0, 900), passage(3, 5, 10, 500)],
    };
    let at = |document, contributor| Occurrence { document, contributor, offset: 40 };
    let span = |start, occurrences| TextSpan { start, end: start + 40, count: 3, occurrences };
    let spans = SpanEvidence {
        corpus: Digest::of(b"corpus"),
        corpus_bytes: 1 << 20,
        output: Digest::of(b"output"),
        parameters: SpanParameters::default(),
        spans: vec![span(0, vec![at(3, 5), at(8, 6)]), span(60, vec![at(7, 2)])],
    };
    [Evidence::Retrieval(retrieval), Evidence::VerbatimSpan(spans)]
}

/// How a call's use of the datanet is shared, under rules with a floor and a cap.
pub fn divided(call: Digest) -> Divided {
    let mix =
        [(Method::Retrieval, Weight(600_000_000)), (Method::VerbatimSpan, Weight(400_000_000))];
    let (total, datanet) = (Weight(900_000_000), manifest().id());
    let (sharing, contributors) = crate::sharing(&manifest().datanet.unwrap()).unwrap();
    let division = Division { total, mix: &mix, sharing, contributors, call, datanet };
    shares(&division, &evidence()).unwrap()
}

fn shares_of(call: Digest) -> Vec<Shares> {
    let share = |share: ambar_attribution::MethodShares| Shares {
        datanet: DATANET,
        method: share.method.number().into(),
        weights: share.weights,
        evidence: share.evidence_root,
    };
    divided(call).shares.into_iter().map(share).collect()
}

fn line(version: u64, node: u64, counts: &[(Counter, u64)], ask: Price) -> Line {
    let counters = Counters::new(counts.iter().copied());
    let bill = bill::line_bill(&counters, &terms(version).price, &Tariff::standard(), ask).unwrap();
    let (mu, royalty, node_fee) = (bill.mu, bill.royalty, bill.node_fee);
    let (grant, tariff, shares) = (version + 100, 0, Vec::new());
    Line { version, grant, node, tariff, counters, mu, royalty, node_fee, shares }
}

/// The decision by which a call was admitted.
pub fn decision(leaf: &Leaf) -> DecisionRecord {
    let part = |(index, line): (usize, &Line)| PartFacts {
        grant: line.grant,
        terms: terms(line.version).id(),
        view: GrantView {
            accepted: Moment(0),
            revoked: false,
            calls_used: 0,
            spent: Price::ZERO,
            rate_wait_ms: 0,
            territory: None,
            licensee_ok: true,
        },
        capsule: version_id(line.version),
        capsule_ok: true,
        right: if index == 0 { Right::Call } else { Right::Compose },
        line_max: Price(9_000_000_000),
        unit_price: Price(1_000),
    };
    let facts = CallFacts {
        channel: leaf.channel,
        height: leaf.admitted,
        now: leaf.time,
        ledger_age_ms: 12,
        remaining: Price(90_000_000_000),
        expires: Moment(u64::MAX),
        closing: false,
        unit_price_max: Price(1_000),
        purpose: leaf.purpose.as_deref().map(|purpose| purpose.parse().unwrap()),
        agent: None,
        price_max: Price(9_000_000_000),
        blocks: vec![(Digest::of(b"block"), (Narrowing::default(), Spent::default()))],
        parts: leaf.lines.iter().enumerate().map(part).collect(),
    };
    let terms: Vec<_> = leaf.lines.iter().map(|line| terms(line.version)).collect();
    let decided = facts.decide(&terms.iter().collect::<Vec<_>>());
    facts.recorded(&decided)
}

pub fn details(leaf: &Leaf) -> Details {
    Details {
        holder: Digest::of(b"holder"),
        input: Digest::of(b"input"),
        output: Digest::of(b"answer"),
        decision: decision(leaf).digest(),
        wall_ms: 1_234,
        routing: Vec::new(),
        counts: None,
    }
}

fn version_id(number: u64) -> Cid {
    if number == DATANET { manifest().id() } else { Cid::of(&[number as u8]) }
}

/// What a node asks at a height: node 4 lowered its ask at height 700.
fn ask(node: u64, height: u64) -> Price {
    Price(if node == NODE && height < 700 { 400_000 } else { 300_001 })
}

fn leaf(n: u64, admitted: u64) -> Leaf {
    let call = call_id(CHANNEL, &Digest::of(b"holder"), &format!("key {n}"));
    let mut lines = vec![
        line(PROMPT, GATEWAY, &[], ask(GATEWAY, admitted)),
        line(DATANET, NODE, &[(Counter::RetrievedBytes, 800)], ask(NODE, admitted)),
        line(
            MODEL,
            NODE,
            &[(Counter::TokensIn, 120 + n), (Counter::TokensOut, 64)],
            ask(NODE, admitted),
        ),
    ];
    lines[1].shares = shares_of(call);
    let mut leaf = Leaf {
        call,
        outcome: CallOutcome::Full,
        purpose: Some("research".into()),
        lines,
        ..Leaf::void(CHANNEL, n, Height(admitted), Moment(1_800_000_000_000))
    };
    leaf.network_fee = bill::network_fee(leaf.price().unwrap(), RATE);
    leaf.details = details(&leaf).digest();
    leaf
}

fn span(from: u64, until: Option<u64>) -> Span {
    Span { from: Height(from), until: until.map(Height) }
}

pub fn holder(line: u64, name: &str, from: u64, until: Option<u64>) -> Fact {
    Fact::Holder(HolderFact { line, account: account(name), span: span(from, until) })
}

fn facts(keys: &BTreeMap<u64, SecretKey>) -> Vec<Fact> {
    let always = span(0, None);
    let asked = |node, height, span| Fact::Ask(AskFact { node, per_mu: ask(node, height), span });
    let mut facts = vec![
        Fact::Channel(ChannelFact { number: CHANNEL, payer: account("payer"), gateway: GATEWAY }),
        Fact::Tariff(TariffFact { number: 0, id: Tariff::standard().id() }),
        Fact::Fee(FeeFact { rate: RATE, burn: Weight(500_000_000), span: always }),
        asked(GATEWAY, 0, always),
        asked(NODE, 0, span(20, Some(700))),
        asked(NODE, 700, span(700, None)),
        holder(2, "first holder", 20, Some(800)),
        holder(2, "second holder", 800, None),
    ];
    facts.extend([1, 3, 4, 5].map(|line| holder(line, &format!("holder {line}"), 20, None)));
    facts.extend((0..CONTRIBUTORS).map(|index| {
        let account = account(&format!("contributor {index}"));
        Fact::Contributor(ContributorFact { datanet: DATANET, index, account })
    }));
    facts.extend(keys.iter().map(|(number, key)| {
        let account = account(&format!("operator {number}"));
        Fact::Node(NodeFact { number: *number, key: key.public(), account })
    }));
    for (number, licensee) in [(PROMPT, "payer"), (DATANET, "author"), (MODEL, "author")] {
        let (terms, plan) = (terms(number).id(), plan(number).digest());
        let id = version_id(number);
        facts.push(Fact::Version(VersionFact { number, id, terms, plan }));
        let licensee = account(licensee);
        facts.push(Fact::Grant(GrantFact { number: number + 100, licensee, terms }));
    }
    facts
}

fn preimages(leaves: &[Leaf]) -> Preimages {
    let versions = [PROMPT, DATANET, MODEL];
    let drawn = leaves.iter().filter_map(|leaf| divided(leaf.call).drawn);
    Preimages {
        evidence: evidence().into_iter().chain(drawn).map(|piece| piece.encode().into()).collect(),
        manifests: vec![manifest().encode().into()],
        plans: versions.map(|version| plan(version).to_bytes().into()).into(),
        tariffs: vec![Tariff::standard().encode().into()],
        terms: versions.map(|version| terms(version).to_document().into()).into(),
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The first call was admitted before a royalty line was sold and an ask lowered.
    pub fn new() -> Self {
        let key = |seed| SecretKey::from_seed(&[seed; 32]);
        let keys = BTreeMap::from([(GATEWAY, key(2)), (NODE, key(3))]);
        let heights = [500, 900, 900, 900, 901].into_iter();
        let leaves: Vec<_> = heights.enumerate().map(|(n, at)| leaf(n as u64, at)).collect();
        Self {
            network: NetworkId(Digest::of(b"network")),
            bound: leaves.iter().map(|leaf| (details(leaf), decision(leaf))).collect(),
            preimages: preimages(&leaves),
            leaves,
            facts: facts(&keys),
            keys,
            index: 2,
        }
    }

    pub fn leaf(&mut self) -> &mut Leaf {
        &mut self.leaves[self.index]
    }

    pub fn gateway_key(&self) -> &SecretKey {
        &self.keys[&GATEWAY]
    }

    /// Whatever the leaves say, gateway and nodes sign it.
    pub fn batch(&self) -> SignedBatch {
        let header = BatchHeader::of(GATEWAY, 8, &self.leaves).unwrap();
        let signature = header.sign(self.network, self.gateway_key());
        let sign = |lines: &crate::NodeLines| {
            lines.sign(self.network, (GATEWAY, 8), &self.keys[&lines.node])
        };
        let nodes = header.nodes.iter().map(sign).collect();
        SignedBatch { header, signature, nodes }
    }

    pub fn facts_in_order(&self) -> Vec<Vec<u8>> {
        fact::in_order(self.facts.iter().cloned())
    }

    /// Whatever was signed, the block settles it.
    pub fn settlement(&self) -> Settlement {
        let facts = self.facts_in_order();
        let outcome = BatchOutcome {
            header: Digest::of(&self.batch().header.to_bytes()),
            facts: facts.len() as u64,
            facts_root: fact::tree_of(&facts).root(),
        };
        let settled = [vec![super::case::RESULT_SETTLED], outcome.to_bytes()].concat();
        let outcome =
            TransactionOutcome { fee: Price(5), results: vec![vec![0], settled] }.to_bytes();
        let outcomes = [Vec::new(), b"another".to_vec(), outcome.clone(), b"last".to_vec()];
        let proof = chain_fixture::proof(self.network, &outcomes, 2).to_bytes();
        Settlement { outcome, proof, result: 1 }
    }

    /// What somebody trusts who knows the committee of this epoch.
    pub fn checkpoint(&self, epoch: u64) -> Checkpoint {
        Checkpoint { network: self.network, committee: chain_fixture::committee(epoch) }
    }

    /// Whether the fixture has the keys of all nodes, and prices that sum.
    pub fn signable(&self) -> bool {
        let header = BatchHeader::of(GATEWAY, 8, &self.leaves);
        header.is_some_and(|header| header.nodes.iter().all(|n| self.keys.contains_key(&n.node)))
    }

    pub fn assembled(&self) -> Result<ReceiptDocument, AssembleError> {
        let (batch, facts) = (self.batch(), self.facts_in_order());
        ReceiptDocument::assemble(Parts {
            network: self.network,
            batch: &batch,
            leaves: &self.leaves,
            index: self.index,
            details: self.bound.get(self.index).map(|(details, _)| details),
            decision: self.bound.get(self.index).map(|(_, decision)| decision.to_bytes()),
            facts: &facts,
            settlement: Some(self.settlement()),
            preimages: &self.preimages,
        })
    }

    pub fn document(&self) -> ReceiptDocument {
        self.assembled().unwrap()
    }

    pub fn file(&self) -> Vec<u8> {
        self.document().seal(self.gateway_key())
    }
}
