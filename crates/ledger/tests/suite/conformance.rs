//! The bytes of every object and operation are for ever: a change of one of these digests
//! is a new format with a version and a migration, never an accident.

use ambar_base::finality::{Ballot, Evidence, Proposal, Statement};
use ambar_base::{
    AccountId, Amount, Cid, Decode, Digest, Encode, Height, Inception, KeySet, Moment, NetworkId,
    Price, SecretKey, Signature, Weight, codec,
};
use ambar_capsule::{Party, Plan, SignedManifest};
use ambar_ledger::history::History;
use ambar_ledger::object::{
    Account, Agenda, Balance, Batch, Channel, Datanet, ForgetBatch, FormerUses, Governance, Grant,
    Line, Name, Node, Numbers, Parameters, Royalty, Serve, Version,
};
use ambar_ledger::result::{EjectedResult, OperationResult};
use ambar_ledger::roster::{Roster, Status, Validator};
use ambar_ledger::sequence::Sequence;
use ambar_ledger::transaction::{
    Accept, AllowServing, BatchSigners, FundChannel, OpenChannel, Operation, Publish, RegisterName,
    RegisterNode, RegisterValidator, RevokeCertificate, RotateKeys, SetAsk, Settle, Transfer,
    TransferLine, TransferRoyalty,
};
use ambar_ledger::{Genesis, SignedTransaction};
use ambar_receipt::{
    BatchHeader, CallOutcome, Counter, Counters, Leaf, Line as LeafLine, Shares, SignedBatch,
};
use std::fmt::Debug;

const NETWORK: NetworkId = NetworkId(Digest::ZERO);

fn check<T: Encode + Decode + Debug + PartialEq>(what: &str, value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{what}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value), "{what}");
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn account(name: &str) -> AccountId {
    AccountId::reserved(name)
}

fn keys() -> KeySet {
    let mut keys = vec![key(1).public(), key(2).public()];
    keys.sort_unstable();
    KeySet { keys, threshold: 2 }
}

fn parameters() -> Parameters {
    Parameters {
        network_fee: Weight(1),
        burn: Weight(2),
        fee_base: Price(3),
        fee_per_byte: Price(4),
        deposit: Price(5),
        settlement_window: 6,
        challenge_window: 7,
        tariff: 8,
        node_bond: Price(9),
        validator_bond: Price(10),
        committee_min: 11,
        committee_max: 12,
        churn: 13,
    }
}

fn changed<T>(first: T, then: T) -> History<T> {
    let mut history = History::new(Height(3), first);
    history.set(Height(300), Height(0), then).unwrap();
    history
}

fn settled() -> Sequence {
    let mut sequence = Sequence::default();
    for n in [0, 1, 5, 200] {
        sequence.settle(n).unwrap();
    }
    sequence
}

fn version() -> Version {
    let weights = [(Party::Line(4), Weight(1)), (Party::Datanet(5), Weight(999_999_999))];
    Version {
        id: Cid::of(b"version"),
        creator: 1,
        line: 2,
        terms: Cid::of(b"terms"),
        plan: Plan::new(weights.into()).unwrap(),
        uses: vec![(6, 7), (8, 9)],
        former_uses: Some(FormerUses { last: Height(10), uses: vec![(6, 11), (8, 12)] }),
        depth: 3,
        datanet: true,
        height: Height(13),
        least: Price(300),
    }
}

fn leaf() -> Leaf {
    let shares = Shares {
        datanet: 5,
        method: 1,
        weights: vec![(0, Weight(3)), (200, Weight(4))],
        evidence: Digest::of(b"evidence"),
    };
    let line = LeafLine {
        version: 1,
        grant: 2,
        node: 3,
        tariff: 4,
        counters: Counters::new([(Counter::TokensIn, 300), (Counter::EmbeddingTokens, 1)]),
        mu: ambar_base::Mu(1 << 70),
        royalty: Price(5),
        node_fee: Price(6),
        shares: vec![shares],
    };
    Leaf {
        outcome: CallOutcome::Partial,
        call: Digest::of(b"call"),
        purpose: Some("research".into()),
        lines: vec![line],
        network_fee: Price(7),
        ..Leaf::void(8, 9, Height(10), Moment(1_800_000_000_000))
    }
}

fn settle() -> Settle {
    let leaves = vec![leaf(), Leaf::void(8, 10, Height(10), Moment(1))];
    let header = BatchHeader::of(3, 0, &leaves).unwrap();
    let nodes = vec![Signature([2; 64])];
    let signers = BatchSigners { gateway: key(3).public(), nodes: vec![key(4).public()] };
    let batch = SignedBatch { header, signature: Signature([1; 64]), nodes };
    Settle { batch, signers, leaves, vouchers: Vec::new() }
}

#[test]
fn accounts_and_rules() {
    let value = Account {
        id: account("a"),
        keys: Some(keys()),
        recovery: Some(Digest::of(b"recovery")),
        nonce: 300,
        name: Some("Ada".into()),
    };
    check("account", &value, "c7023af93b888a95550d3e2aaca7c22a8afe45610d9c134d0166eb4c927051c8");
    let pending = vec![(Height(5), Amount(6)), (Height(7), Amount(1 << 100))];
    let value = Balance { account: account("a"), available: Amount(4), pending };
    check("balance", &value, "eef62dd865c98767586dfc94de15879fecd2932038da8b0862969b7b5ef058e7");
    check(
        "parameters",
        &parameters(),
        "8b08f4bd38a7e3f5f0d30e323bd574f3e1fbf7cf2d1ca17b3dc22f3d7d24e065",
    );
    let history = changed(parameters(), Parameters { tariff: 9, ..parameters() });
    let value = Governance { parameters: history, council: 3, development: true };
    check("governance", &value, "bf9d77535b61beac5d7831debc1da2a0464c565d1b0653e28caabb97a69af4a6");
    let value = Numbers {
        accounts: 1,
        versions: 2,
        lines: 3,
        royalties: 4,
        grants: 5,
        channels: 6,
        nodes: 7,
        tariffs: 8,
        validators: 9,
        offers: 10,
    };
    check("numbers", &value, "c848e1013f9f04a9d63fa43ce7fd4af035152c7c669a4a404b67107cee5f2e4e");
    let genesis = Genesis::development(key(1).public(), [7; 32]);
    check("genesis", &genesis, "e1986de141bce925b0f32a2b1e8b32da0cda876e7ba788cf675fd12f826cea81");
}

#[test]
fn capsules() {
    check(
        "version",
        &version(),
        "78bf449a01d4b0515f798a22ad7f4328eba3548676071e5a15f8c58c633a97b4",
    );
    let royalty = vec![(4, Weight::ONE)];
    let value = Line { first: Cid::of(b"first"), owner: 1, head: 2, royalty };
    check("line", &value, "68cd77396da82c38078f723f960e5ceffcdadd9d6aacbcacf6f5c1a3a75db125");
    check(
        "royalty",
        &Royalty { line: 1, holder: changed(2, 300) },
        "5bdbac4701ab809af5ea3cc422b31bdd5ba04088a11cbdb6a7d4996db6f16548",
    );
    let table = Cid::of(b"table");
    let value = Datanet { table, contributors: vec![1, 300], treasury: 2 };
    check("datanet", &value, "126ce86e194ea556bfa5e16850427379b0d43606d64ff1662402ce12c3242388");
    check(
        "name",
        &Name { owner: 1, line: 2 },
        "a12871fee210fb8619291eaea194581cbd2531e4b23759d225f6806923f63222",
    );
}

#[test]
fn licences_and_channels() {
    let value = Grant {
        licensee: 1,
        line: 2,
        terms: Cid::of(b"terms"),
        accepted: Moment(1_800_000_000_000),
        height: Height(3),
        revoked: Some(Height(4)),
        territory: Some("PT".into()),
        breach: Some(Height(5)),
        of: Cid::of(b"published"),
        least: Price(300),
    };
    check("grant", &value, "0af1eb2e23fe2411e4eb75a7ba2410892a9c1c1eb8ae18499ea95b7a2ed50fbe");
    let value = Channel {
        payer: 1,
        session_key: key(3).public(),
        gateway: 2,
        grants: vec![3, 4],
        unit_price_max: Price(5),
        expires: Moment(6),
        funded: Amount(8),
        spent: Amount(7),
        settled: settled(),
        closing: Some(Height(9)),
        deposit: Amount(10),
        vouched: None,
    };
    check("channel", &value, "5ab6aa4f6b02177156ae5b1f55f30a87d08953c29b8453ce28b2779f48379e50");
}

#[test]
fn nodes_and_batches() {
    let value = Node {
        key: key(4).public(),
        owner: 1,
        ask: changed(Price(2), Price(300)),
        bond: Amount(3),
        next_batch: 4,
        nonce: 5,
    };
    check("node", &value, "483158036bcd378c8dfa39feeaee77869e9ff5b943bcff78c56fc057b5f099d3");
    check(
        "serve",
        &Serve { allowed: changed(true, false) },
        "dca591d36fd3d5aeb3496056ba2c5182034471f38a1c140ca88a263a030b9fec",
    );
    let header = Digest::of(b"header");
    let value = Batch { header, leaves: 2, price: Price(3), height: Height(4) };
    check("batch", &value, "6406150f60e029090e617e553e9d08679ba3c17f29894aae8d00f7b825a9249b");
    let batches = vec![ForgetBatch { gateway: 1, number: 2, calls: 300 }];
    check(
        "agenda",
        &Agenda { batches, channels: vec![5, 6], leases: vec![(7, (8, 9))] },
        "50fdbbbd8f9f640511c26bd45f16870b86e00bc9225eb47e44b6ce728c334d07",
    );
}

#[test]
fn validators() {
    let value = Validator {
        key: key(4).public(),
        owner: 1,
        bond: Amount(300),
        status: Status::Left(Height(300)),
    };
    check("validator", &value, "00b8b941cd4e6fb22112db6bc1f0e905ccfb15169023e75fa9dc248c0480909d");
    let statuses =
        vec![Status::Candidate, Status::Seated, Status::Leaving, Status::Ejected(Height(300))];
    check(
        "statuses",
        &statuses,
        "ade6062295b767d20e2ccfaaa62484cf4b6ef2f472c364e250ff82f5366b2752",
    );
    check(
        "roster",
        &Roster { epoch: 1, seats: vec![2, 300], ranking: vec![300, 2, 4] },
        "4bb7efe20a87a0ec21306bdca1bee7586d5caa91b57fab39065212231187b766",
    );
}

#[test]
fn operations_of_accounts() {
    let inception = Inception { first: key(1).public(), keys: keys(), recovery: None };
    let checks = [
        (
            Operation::CreateAccount(inception.sign(NETWORK, &key(1))),
            "7c8fb17e6a0baf872df8b67cc3423600b68d264e55303491d3f7a9da3daf9b85",
        ),
        (
            Operation::RotateKeys(RotateKeys { keys: keys(), recovery: None }),
            "09a2e3ab92344c5a12e84620bdd36e74116bcc3500ee1736782609c9c0c520b4",
        ),
        (
            Operation::Transfer(Transfer { to: account("a"), amount: Price(300) }),
            "83421d13995f93a8698b77ce4348fc777972c9b7ccec85fad2f31c8e1c26d5e0",
        ),
        (
            Operation::SetParameters(parameters()),
            "7c3bbe11955d49e4f2f87f8af5c05a4e29d34471bc66cc2f7e16400a11f14719",
        ),
        (
            Operation::PublishTariff(vec![1, 2, 3]),
            "5972c56c2d14ccc460adead0f3a90ee9d770356b8e24bd63bee6286c1b8fb310",
        ),
    ];
    for (operation, expect) in checks {
        check(&format!("{operation:?}"), &operation, expect);
    }
}

#[test]
fn operations_on_capsules() {
    let id = Cid::of(b"version");
    let manifest = SignedManifest {
        bytes: b"manifest".to_vec(),
        key: key(1).public(),
        signature: Signature([1; 64]),
    };
    let terms = Some(b"terms".to_vec());
    let publish =
        Publish { manifest, terms, contributors: None, grants: vec![1, 300], derives: vec![2] };
    let (name, to, territory) = ("lab/model".to_owned(), account("a"), Some("PT".to_owned()));
    let line = TransferLine { version: id, to, grants: vec![3] };
    let accept = Accept { version: id, terms: Cid::of(b"terms"), territory, offer: None };
    let checks = [
        (
            Operation::Publish(publish),
            "523f41d1787dd9bd47b57e998eff3bec87ba0671de7c358bf65b06be1ff23320",
        ),
        (
            Operation::RegisterName(RegisterName { name, version: id }),
            "98df468852b70d39eb3c16967875057268a79d469093a3248be9acc56ec2d89c",
        ),
        (
            Operation::TransferLine(line),
            "b3c8a094a055f1aab20548d6c51c6c034be914c775fcd8442ad80e30039621da",
        ),
        (
            Operation::TransferRoyalty(TransferRoyalty { royalty: 300, to }),
            "687e6fecd930f6b645c5d649e2d7a8cc024a273eb50c8e9ebf58f3a085658c87",
        ),
        (
            Operation::Accept(accept),
            "e1da3aaf858cc41680a19cdb9c03f03b148aab6cdd74507413e340bc519de34b",
        ),
        (
            Operation::RevokeGrant(300),
            "8f6c2f855ee5557d12ca4a5cff99c15322bd3899c3ad65bea599b8cc32e03f67",
        ),
        (
            Operation::RevokeCertificate(RevokeCertificate {
                channel: 300,
                block: Signature([7; 64]),
            }),
            "97407f669be54dd1cb322efb76095dafee0e56454ea1d8dac166358bbe0bfc2a",
        ),
    ];
    for (operation, expect) in checks {
        check(&format!("{operation:?}"), &operation, expect);
    }
}

#[test]
fn operations_of_payers_and_nodes() {
    let open = OpenChannel {
        session_key: key(3).public(),
        gateway: key(4).public(),
        grants: vec![1, 2],
        amount: Price(3),
        unit_price_max: Price(4),
        expires: Moment(5),
        vouchers: false,
    };
    let register = RegisterNode::new(NETWORK, &key(4), &account("a"), Price(300));
    let (version, node) = (Cid::of(b"version"), key(4).public());
    let allow = AllowServing { version, node, allowed: true };
    let checks = [
        (
            Operation::OpenChannel(open),
            "40064cbb46abc7602dc73db2637bfe177d4174c0efca19a7a365c0877c912e98",
        ),
        (
            Operation::FundChannel(FundChannel { channel: 1, amount: Price(300) }),
            "142a0760fce1cb685fa6ce7d1a3e84763c5b837037843940a3b3ba2ee0d09a74",
        ),
        (
            Operation::CloseChannel(300),
            "b4e8eeb0bbae0c2a9cdc0978cf7ffaf8f2ef66da196dfa806bfae36daa39171f",
        ),
        (
            Operation::RegisterNode(register),
            "5b7b842e43964602644c4e4198a7c41d8477775f796ee44c37c1c75c52fdd3da",
        ),
        (
            Operation::SetAsk(SetAsk { node: 1, ask: Price(300) }),
            "284d18576bd00ee10ec56c1ebe771fd8a3a882749f413da941fae79c3788aae2",
        ),
        (
            Operation::AllowServing(allow),
            "3ced243c571433479a3ceae53203db30ec8e85ea8f9ad7e2bc7d42fb7b0dcf21",
        ),
        (
            Operation::Settle(settle()),
            "8576682d92f9d9ace30641317e23518f8b962755cdb7e875588b0e6ffab63359",
        ),
    ];
    for (operation, expect) in checks {
        check(&format!("{operation:?}"), &operation, expect);
    }
}

fn evidence() -> Evidence {
    let cast = |statement| Ballot::cast(&key(4), NETWORK, (3, 300), statement);
    let proposal = Proposal { parent_view: 299, block: Digest::of(b"block") };
    let votes = (cast(Statement::Finalize(proposal)), cast(Statement::Nullify));
    Evidence::new(key(4).public(), (3, 300), votes.0, votes.1).unwrap()
}

#[test]
fn operations_of_validators() {
    let register = RegisterValidator::new(NETWORK, &key(4), &account("a"));
    let checks = [
        (
            Operation::RegisterValidator(register),
            "290b8be4800a52860997983160769bbc58923ee69194000c7e57858f48a0f74f",
        ),
        (
            Operation::RetireValidator,
            "380918b946a526640a40df5dced6516794f3d97bbd9e6bb553d037c4439f31c3",
        ),
        (
            Operation::WithdrawBond,
            "62b67e1f685b7fef51102005dddd27774be3fee38c42965c53aab035d0b6b221",
        ),
        (
            Operation::RankValidators(vec![key(4).public(), key(1).public()]),
            "98d6f81492f215f25935bd60fe03eb35cfab1f79f203255222d0ad80d800dd81",
        ),
        (
            Operation::ReportConflict(evidence()),
            "6ecacd2acf128b5e6e657c964b7a70d890658d902c930bdb440b3666c1173efa",
        ),
    ];
    for (operation, expect) in checks {
        check(&format!("{operation:?}"), &operation, expect);
    }
    let report = SignedTransaction::report(NETWORK, evidence());
    check("report", &report, "c334a3229918e766d99803adbf9514c763cc9b87fcaf0f4e8df1195eb1757496");
    let ejected = EjectedResult { validator: 300, owner: account("a"), burned: Amount(1 << 70) };
    let results = vec![
        OperationResult::Validator(300),
        OperationResult::Withdrawn(Amount(1 << 70)),
        OperationResult::Ejected(ejected),
    ];
    check("results", &results, "4ef10f37451a169a3f6764fb1ffb497f3b08c98466ef2cdd9c12933ea90e0f6e");
}
