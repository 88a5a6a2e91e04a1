//! A small ledger on which something of everything has happened, and transactions that
//! apply to it.

use super::{key, manifest, terms};
use ambar_base::finality::{Ballot, Evidence, Proposal, Statement};
use ambar_base::{
    AccountId, Cid, Digest, Encode, Inception, KeySet, Moment, NetworkId, Price, SecretKey,
    Signature,
};
use ambar_capsule::SignedManifest;
use ambar_ledger::object::{Budget, Member, Role};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{
    Accept, Actor, AllowServing, BatchSigners, BeginRecovery, BuyRoyalty, CreateDepartment,
    Envelope, FundChannel, OfferRoyalty, OfferTerms, OpenChannel, Operation, Publish, Recall,
    RegisterName, RegisterNode, RegisterValidator, ReturnLease, RevokeCertificate, RotateKeys,
    SetAsk, SetBudget, SetEndpoint, SetMembers, Settle, TRANSACTION_VERSION, TakeLease, Transfer,
    TransferLine, TransferRoyalty,
};
use ambar_ledger::{Genesis, Key, MemoryLedger, SignedTransaction};
use ambar_licence::Period;
use ambar_receipt::{
    BatchHeader, CallOutcome, Counter, Counters, Leaf, Line, SignedBatch, Tariff, Voucher, bill,
    call_id,
};
use std::sync::OnceLock;

const START: Moment = Moment(1_800_000_000_000);
const ASK: Price = Price(500);
/// The channel and the node, by number.
const FIRST: u64 = 0;

/// A ledger with the key that acts on it: council, owner, payer and node at once.
#[derive(Debug)]
pub struct Stage {
    /// The ledger, in the middle of a block.
    pub ledger: MemoryLedger,
    /// Its network.
    pub network: NetworkId,
    /// The acting account.
    pub actor: AccountId,
    version: Cid,
}

/// Whose key signs.
#[must_use]
pub fn actor_key() -> SecretKey {
    key("faucet")
}

/// The stage, set once.
#[must_use]
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(Stage::set)
}

/// The same evidence against the acting key, which is a validator's.
#[must_use]
pub fn recast(network: NetworkId, evidence: &Evidence) -> Evidence {
    let (key, round) = (actor_key(), evidence.round());
    let cast = |ballot: &Ballot| Ballot::cast(&key, network, round, ballot.statement);
    let [one, other] = evidence.votes().map(cast);
    Evidence::new(key.public(), round, one, other).expect("the statements conflicted before")
}

impl Stage {
    fn set() -> Self {
        let genesis = Genesis::development(actor_key().public(), [7; 32]);
        let network = genesis.network();
        let actor = genesis.account(actor_key().public());
        let ledger = MemoryLedger::new(&genesis).expect("a development genesis is sound");
        let version = manifest::model_of(actor).id();
        let mut stage = Self { ledger, network, actor, version };
        let openings = [
            stage.publish(),
            Operation::RegisterNode(RegisterNode::new(network, &actor_key(), &actor, ASK)),
            stage.serving(),
            Operation::Accept(Accept {
                version,
                terms: terms::plain().id(),
                territory: None,
                offer: None,
            }),
            Operation::OpenChannel(channel()),
            stage.offer(),
            department("lab"),
            stage.offered_terms(),
            Operation::RotateKeys(RotateKeys {
                keys: KeySet::single(actor_key().public()),
                recovery: Some(KeySet::single(key("newcomer").public()).digest()),
            }),
        ];
        stage.open(openings);
        stage.open([stage.recovery()]);
        let bytes = stage.sign(Actor::Node(FIRST), vec![stage.lease()]).to_bytes();
        stage.ledger.apply(&bytes).expect("the gateway leases");
        stage
    }

    /// Blocks of one transaction each, of one operation each.
    fn open(&mut self, openings: impl IntoIterator<Item = Operation>) {
        let height = self.ledger.height().0 as usize;
        for (block, operation) in (height..).zip(openings) {
            let begun = self.ledger.begin(START.after(1_000 * block as u64));
            begun.expect("a block begins");
            let bytes = self.sign(Actor::Account(self.actor), vec![operation]).to_bytes();
            self.ledger.apply(&bytes).expect("the opening applies");
        }
    }

    /// An envelope of the next nonce.
    fn envelope(&self, actor: Actor, operations: Vec<Operation>) -> Envelope {
        Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            nonce: self.nonce(&actor),
            actor,
            expires: self.ledger.height().after(10),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        }
    }

    /// A transaction that is signed and in time.
    fn sign(&self, actor: Actor, operations: Vec<Operation>) -> SignedTransaction {
        self.envelope(actor, operations).sign(&actor_key())
    }

    /// The next nonce of an actor of this stage.
    #[must_use]
    pub fn nonce(&self, actor: &Actor) -> u64 {
        match actor {
            Actor::Account(id) => {
                self.ledger.account(&id.to_string()).map_or(0, |(_, account, _)| account.nonce)
            }
            Actor::Node(number) => {
                let node = self.ledger.must("node", number, &Key::Node(*number));
                node.map_or(0, |node: ambar_ledger::object::Node| node.nonce)
            }
            Actor::Nobody => 0,
        }
    }

    fn publish(&self) -> Operation {
        let manifest = manifest::model_of(self.actor);
        Operation::Publish(Publish {
            manifest: SignedManifest::sign(&manifest, self.network, &actor_key()),
            terms: Some(terms::plain().to_document()),
            contributors: None,
            grants: Vec::new(),
            derives: Vec::new(),
        })
    }

    fn lease(&self) -> Operation {
        Operation::TakeLease(TakeLease {
            channel: FIRST,
            grant: FIRST,
            period: 0,
            calls: 3,
            spend: Price(0),
            rate: 0,
            through: Vec::new(),
        })
    }

    fn serving(&self) -> Operation {
        let node = actor_key().public();
        Operation::AllowServing(AllowServing { version: self.version, node, allowed: true })
    }

    /// What is claimed of a call that is settled by [`Stage::transactions`].
    fn disputes(&self) -> Vec<Operation> {
        let Settle { batch, leaves, .. } = self.settle();
        super::dispute::operations(&batch.header, &leaves[0], &[leaves[1].hash()])
    }

    /// Transactions that apply, one operation each and all of an account's in one.
    #[must_use]
    pub fn transactions(&self) -> Vec<Vec<u8>> {
        let by = |actor: Actor, operations| self.sign(actor, operations).to_bytes();
        let single = self.operations().into_iter();
        let single = single.map(|operation| by(Actor::Account(self.actor), vec![operation]));
        let settle = by(Actor::Node(FIRST), vec![Operation::Settle(self.settle())]);
        let report = SignedTransaction::report(self.network, self.conflict()).to_bytes();
        let give = ReturnLease { grant: FIRST, period: 0, calls: 1, spend: Price(0), rate: 0 };
        let leases = [self.lease(), Operation::ReturnLease(give)];
        let leases = leases.map(|operation| by(Actor::Node(FIRST), vec![operation]));
        let open = Operation::OpenChannel(OpenChannel { grants: Vec::new(), ..channel() });
        let drawn = by(Actor::Account(self.department()), vec![open]);
        let disputes = self.disputes().into_iter();
        let disputes = disputes.map(|operation| by(Actor::Account(self.actor), vec![operation]));
        single.chain(leases).chain([settle, report, drawn]).chain(disputes).collect()
    }

    fn operations(&self) -> Vec<Operation> {
        let (actor, version) = (self.actor, self.version);
        let newcomer = key("newcomer");
        let inception = Inception::single(newcomer.public()).sign(self.network, &newcomer);
        let mut parameters = Genesis::development(actor_key().public(), [7; 32]).parameters;
        parameters.fee_base = Price(1_001);
        let keys = KeySet::single(newcomer.public());
        vec![
            Operation::CreateAccount(inception),
            Operation::Transfer(Transfer { to: actor, amount: Price(5) }),
            Operation::RotateKeys(RotateKeys { keys, recovery: None }),
            Operation::RegisterName(RegisterName { name: "harbour".into(), version }),
            Operation::TransferLine(TransferLine { version, to: actor, grants: Vec::new() }),
            Operation::TransferRoyalty(TransferRoyalty { royalty: FIRST, to: actor }),
            self.offer(),
            Operation::WithdrawOffer(FIRST),
            self.offered_terms(),
            Operation::WithdrawTerms(FIRST),
            Operation::Accept(Accept {
                version,
                terms: terms::plain().id(),
                territory: None,
                offer: Some(FIRST),
            }),
            Operation::BuyRoyalty(BuyRoyalty { royalty: FIRST, price: Price(7) }),
            self.recovery(),
            Operation::CancelRecovery,
            Operation::FinishRecovery(actor),
            Operation::RevokeGrant(FIRST),
            Operation::OpenChannel(channel()),
            Operation::FundChannel(FundChannel { channel: FIRST, amount: Price(9) }),
            Operation::CloseChannel(FIRST),
            Operation::RevokeCertificate(RevokeCertificate {
                channel: FIRST,
                block: Signature([7; 64]),
            }),
            Operation::SetAsk(SetAsk { node: FIRST, ask: Price(600) }),
            Operation::SetEndpoint(SetEndpoint {
                node: FIRST,
                address: Some("node.example:7700".into()),
            }),
            self.serving(),
            Operation::SetParameters(parameters),
            Operation::PublishTariff(Tariff::standard().encode()),
            Operation::RetireValidator,
            Operation::RankValidators(vec![actor_key().public()]),
            Operation::RegisterValidator(RegisterValidator::new(self.network, &newcomer, &actor)),
            Operation::WithdrawBond,
            Operation::ReportConflict(self.conflict()),
            department("sales"),
            Operation::SetBudget(SetBudget { department: self.department(), budget: budget() }),
            Operation::SetMembers(SetMembers {
                department: self.department(),
                members: members(),
                threshold: 1,
            }),
            Operation::Recall(Recall { department: self.department(), amount: None }),
            Operation::CloseDepartment(self.department()),
        ]
        .into_iter()
        .chain(super::pool::operations(actor))
        .collect()
    }

    /// The actor's one department.
    fn department(&self) -> AccountId {
        AccountId::department(&self.actor, "lab")
    }

    fn offer(&self) -> Operation {
        let expires = START.after(1 << 40);
        let offer = OfferRoyalty { royalty: FIRST, price: Price(7), to: None, expires };
        Operation::OfferRoyalty(offer)
    }

    fn offered_terms(&self) -> Operation {
        let terms = terms::plain();
        Operation::OfferTerms(OfferTerms {
            version: self.version,
            terms: terms.id(),
            document: Some(terms.to_document()),
            to: None,
            expires: START.after(1 << 40),
            limit: Some(3),
            once: true,
        })
    }

    fn recovery(&self) -> Operation {
        let keys = KeySet::single(key("newcomer").public());
        let record = BeginRecovery {
            account: self.actor,
            // The actor's own transaction moves its nonce before this is looked at.
            nonce: self.nonce(&Actor::Account(self.actor)) + 1,
            recovery: keys.clone(),
            keys,
            next: None,
            signatures: Vec::new(),
        };
        Operation::BeginRecovery(record.sign(self.network, &[key("newcomer")]))
    }

    /// Two votes of the one validator that contradict one another.
    #[must_use]
    pub fn conflict(&self) -> Evidence {
        let proposal = Proposal { parent_view: 6, block: Digest::ZERO };
        let cast = |statement| Ballot::cast(&actor_key(), self.network, (0, 7), statement);
        let votes = [Statement::Nullify, Statement::Finalize(proposal)].map(cast);
        let [nullify, finalize] = votes;
        Evidence::new(actor_key().public(), (0, 7), nullify, finalize).expect("they conflict")
    }

    fn settle(&self) -> Settle {
        let leaves = vec![self.leaf(0), self.leaf(1)];
        let batch = self.batch(&leaves).expect("two small prices");
        let signers = BatchSigners::single(actor_key().public(), &batch.header);
        let session = key("session");
        let voucher = Voucher::sign(self.network, FIRST, Price::CREDIT, &session);
        Settle { signers, batch, leaves, vouchers: vec![(session.public(), voucher)] }
    }

    /// The batch of these leaves, signed as gateway and node; nothing if prices overflow.
    #[must_use]
    pub fn batch(&self, leaves: &[Leaf]) -> Option<SignedBatch> {
        let header = BatchHeader::of(FIRST, FIRST, leaves)?;
        let signature = header.sign(self.network, &actor_key());
        let sign = |lines: &ambar_receipt::NodeLines| {
            lines.sign(self.network, (FIRST, FIRST), &actor_key())
        };
        let nodes = header.nodes.iter().map(sign).collect();
        Some(SignedBatch { header, signature, nodes })
    }

    fn leaf(&self, n: u64) -> Leaf {
        let counters = Counters::new([(Counter::TokensIn, 40), (Counter::TokensOut, 20 + n)]);
        let bill = bill::line_bill(&counters, &terms::plain().price, &Tariff::standard(), ASK);
        let bill = bill.expect("a small call");
        let line = Line {
            version: FIRST,
            grant: FIRST,
            node: FIRST,
            tariff: FIRST,
            counters,
            mu: bill.mu,
            royalty: bill.royalty,
            node_fee: bill.node_fee,
            shares: Vec::new(),
        };
        let void = Leaf::void(FIRST, n, self.ledger.height(), self.ledger.time());
        let call = call_id(FIRST, &Digest::ZERO, &n.to_string());
        let mut leaf = Leaf { call, outcome: CallOutcome::Full, lines: vec![line], ..void };
        let fee = ambar_base::Weight(20_000_000);
        leaf.network_fee = bill::network_fee(leaf.price().unwrap_or_default(), fee);
        leaf
    }
}

fn budget() -> Budget {
    Budget { amount: Price(5 * Price::CREDIT.0), per: Period::Month }
}

fn members() -> Vec<Member> {
    vec![Member { key: actor_key().public(), roles: Role::ALL.to_vec() }]
}

fn department(name: &str) -> Operation {
    let (name, members) = (name.to_owned(), members());
    let record = CreateDepartment { name, members, threshold: 1, budget: budget() };
    Operation::CreateDepartment(record)
}

fn channel() -> OpenChannel {
    OpenChannel {
        session_key: key("session").public(),
        gateway: actor_key().public(),
        grants: vec![FIRST],
        amount: Price::CREDIT,
        unit_price_max: Price::CREDIT,
        expires: START.after(1 << 40),
        vouchers: true,
    }
}
