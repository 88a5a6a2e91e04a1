//! Transactions that the ledger refuses.

use crate::common::{Person, text};
use crate::node::Node;
use crate::support::market::until;
use crate::world::{Section, TERMS, World, now};
use ambar_base::{
    AccountId, Cid, Digest, Domain, Encode, Height, Inception, Moment, NetworkId, Price, SecretKey,
    Weight,
};
use ambar_capsule::body::{Modality, ModelBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Content, Parent, RoyaltyDeclaration};
use ambar_capsule::{Body, Manifest, SignedManifest};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{
    Accept, FundChannel, Publish, RegisterName, SetAsk, SetEndpoint, Transfer,
};
use ambar_licence::{Right, Terms, calendar};

/// Until terms end that are made to end, milliseconds.
const SOON_MS: u64 = 2_500;
/// How often a price is changed until the ledger keeps no more changes.
const CHANGES_MAX: u64 = 200;

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] = &[
    ("envelopes", envelopes),
    ("operations", operations),
    ("publications", publications),
    ("derivatives", derivatives),
    ("acceptances", acceptances),
    ("validators", validators),
];

fn refused(world: &World, name: &str, operation: Operation, code: &str) {
    world.expect(&world.act(name, vec![operation]), code, "a transaction");
}

fn transfer(to: AccountId, credits: u64) -> Operation {
    Operation::Transfer(Transfer { to, amount: Price(credits * Price::CREDIT.0) })
}

/// What is wrong with a transaction whatever it asks.
fn envelopes(world: &World) {
    let (app, stranger) = (world.key("app"), SecretKey::from_seed(&[9; 32]));
    let sound = || world.envelope(&app, vec![transfer(world.account(&world.key("owner")), 1)]);
    let check = |envelope: ambar_ledger::transaction::Envelope, key: &SecretKey, code: &str| {
        world.expect(&world.submit(envelope.sign(key).to_bytes()), code, "an envelope");
    };
    let mut envelope = sound();
    envelope.network = NetworkId(Digest::of(b"another network"));
    check(envelope, &app, "wrong_network");
    let mut envelope = sound();
    envelope.nonce += 7;
    check(envelope, &app, "nonce_stale");
    let mut envelope = sound();
    envelope.expires = Height(1);
    check(envelope, &app, "transaction_expired");
    let mut envelope = sound();
    envelope.fee_cap = Price(0);
    check(envelope, &app, "fee_too_low");
    check(sound(), &stranger, "signature_invalid");
    world.expect(&world.submit(b"no transaction".to_vec()), "transaction_invalid", "no envelope");
}

/// What is asked of accounts, channels, nodes and names.
fn operations(world: &World) {
    let (app, owner) = (world.key("app"), world.account(&world.key("owner")));
    let nobody = world.account(&SecretKey::from_seed(&[6; 32]));
    refused(world, "app", transfer(nobody, 1), "account_unknown");
    refused(world, "app", transfer(owner, 1_000_000), "balance_too_low");
    let fund = |channel| FundChannel { channel, amount: Price::CREDIT };
    refused(world, "app", Operation::FundChannel(fund(999_999)), "channel_unknown");
    let closing = world.stall("to-close", TERMS, "null:tokens=4");
    world.person().json(&["channel", "close", &closing.channel, "--as", "app"]);
    let closed = Operation::FundChannel(fund(closing.channel.parse().unwrap()));
    refused(world, "app", closed, "channel_closed");
    refused(world, "app", Operation::RevokeGrant(999_999), "not_found");
    let inception = Inception::single(app.public()).sign(world.network, &app);
    refused(world, "app", Operation::CreateAccount(inception), "key_name_taken");
    let node = text(&world.person().json(&["status"])["node"], "number").parse().unwrap();
    let endpoint = SetEndpoint { node, address: None };
    refused(world, "app", Operation::SetEndpoint(endpoint), "not_authorised");
    let name =
        |version| Operation::RegisterName(RegisterName { name: "quick-one".into(), version });
    world.act("owner", vec![name(world.model.parse().unwrap())]).ok();
    let own = SignedManifest::sign(&manifest(world.account(&app), &terms()), world.network, &app);
    let version = own.id();
    world.act("app", vec![publish(own, Some(terms().to_document()), Vec::new())]).ok();
    refused(world, "app", name(version), "name_taken");
    let changed = (0..CHANGES_MAX).map(|at| {
        let ask = Operation::SetAsk(SetAsk { node, ask: Price(at) });
        world.act("operator", vec![ask])
    });
    let last = changed.into_iter().find(|answer| answer.status != 200).unwrap();
    world.expect(&last, "limit_exceeded", "a price once more");
}

/// A manifest of a model by an account.
fn manifest(creator: AccountId, terms: &Terms) -> Manifest {
    let body = ModelBody {
        architecture: "null".into(),
        context_tokens: 2048,
        format: "service".into(),
        modality: Modality::Text,
    };
    let content = Content { bytes: 0, files: 0, sealed: None, table: ContentRoot::of(b"") };
    Manifest {
        ambar: 1,
        body: Body::Model(body),
        content,
        creator,
        datanet: None,
        derived_from: Vec::new(),
        description: "A model of a test.".into(),
        extensions: Vec::new(),
        fork: false,
        name: format!("model {}", now().0),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: creator, weight: Weight::ONE }],
        terms: terms.id(),
        uses: Vec::new(),
    }
}

fn terms() -> Terms {
    Terms::granting([Right::Call, Right::Derive])
}

/// Manifests that are none, by what is wrong with them.
pub fn bad_manifests(world: &World) -> Vec<(&'static str, SignedManifest)> {
    let owner = world.key("owner");
    let sound = || manifest(world.account(&owner), &terms());
    let sign = |manifest: &Manifest| SignedManifest::sign(manifest, world.network, &owner);
    let parent = |name: &[u8]| Parent { share: Weight(600_000_000), version: Cid::of(name) };
    let shares = Manifest { derived_from: vec![parent(b"one"), parent(b"two")], ..sound() };
    let unnamed = Manifest { name: String::new(), ..sound() };
    let large = Manifest { description: "x".repeat(70_000), ..sound() };
    let bytes = b"no manifest".to_vec();
    let signature = owner.sign(Domain::Capsule, world.network, &Cid::of(&bytes).0.0);
    let none = SignedManifest { signature, key: owner.public(), bytes };
    vec![
        ("document_invalid", none),
        ("manifest_invalid", sign(&unnamed)),
        ("manifest_too_large", sign(&large)),
        ("share_exceeded", sign(&shares)),
    ]
}

fn publish(manifest: SignedManifest, terms: Option<Vec<u8>>, derives: Vec<u64>) -> Operation {
    let (contributors, grants) = (None, Vec::new());
    Operation::Publish(Publish { manifest, terms, contributors, grants, derives })
}

fn publications(world: &World) {
    let owner = world.key("owner");
    for (code, manifest) in bad_manifests(world) {
        refused(world, "owner", publish(manifest, Some(terms().to_document()), Vec::new()), code);
    }
    let mut unknown = terms();
    unknown.price.per_mu = Price(7);
    let sound = manifest(world.account(&owner), &unknown);
    let signed = SignedManifest::sign(&sound, world.network, &owner);
    refused(world, "owner", publish(signed, None, Vec::new()), "terms_invalid");
}

/// What is built on the work of others without their leave.
fn derivatives(world: &World) {
    let app = world.key("app");
    let derived = |parent: &str, derives: Vec<u64>| {
        let version = parent.parse().unwrap();
        let parents = vec![Parent { share: Weight(10_000_000), version }];
        let base = manifest(world.account(&app), &terms());
        let manifest = Manifest { derived_from: parents, ..base };
        let signed = SignedManifest::sign(&manifest, world.network, &app);
        publish(signed, Some(terms().to_document()), derives)
    };
    let revoked = world.stall("parent", TERMS, "null:tokens=4");
    refused(world, "app", derived(&revoked.model, Vec::new()), "grant_missing");
    world.person().json(&["grant", "revoke", &revoked.grant, "--as", "app"]);
    let grant = revoked.grant.parse().unwrap();
    refused(world, "app", derived(&revoked.model, vec![grant]), "grant_revoked");

    let closed = TERMS.replace(", \"derive\"", "");
    let closed = world.publish("no-derivatives", &closed, "null:tokens=4");
    refused(world, "app", derived(&closed, Vec::new()), "right_not_granted");

    let soon = calendar::print(Moment((now().0 + SOON_MS) / 1_000 * 1_000));
    let over = format!("{TERMS}[term]\nuntil = {soon}\n");
    let over = world.stall("past", &over, "null:tokens=4");
    let grant: u64 = over.grant.parse().unwrap();
    until("the term is over", || {
        let answer = world.act("app", vec![derived(&over.model, vec![grant])]);
        answer.text.contains("grant_term_over").then_some(())
    });
}

fn acceptances(world: &World) {
    let local = format!("{TERMS}[territories]\nallow = [\"PT\"]\n");
    let local = world.publish("local", &local, "null:tokens=4");
    let shown = world.person().json(&["show", &local]);
    let own: Cid = text(&shown["terms"], "id").parse().unwrap();
    let accept = |version: &str, terms: Cid, territory: Option<&str>| {
        let (version, territory) = (version.parse().unwrap(), territory.map(str::to_owned));
        Operation::Accept(Accept { version, terms, territory, offer: None })
    };
    refused(world, "app", accept(&local, own, None), "territory_required");
    refused(world, "app", accept(&local, own, Some("FR")), "territory_not_allowed");
    refused(world, "app", accept(&local, own, Some("nowhere")), "invalid_request");
    refused(world, "app", accept(&local, Cid::of(b"other"), Some("PT")), "grant_missing");
    let nothing = Cid::of(b"nothing").to_string();
    refused(world, "app", accept(&nothing, own, None), "model_not_found");
}

/// Bonds that are locked, and seats that are taken.
fn validators(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    // A home gets its keys when its node starts.
    drop(Node::start(folder.path()));
    let newcomer = Person::new(folder.path(), world.url());
    newcomer.json(&["key", "new", "me"]);
    newcomer.json(&["account", "fund", "60", "--as", "me"]);
    newcomer.json(&["network", "register", "--as", "me"]);
    newcomer.run(&["network", "register", "--as", "me"]).failed(3, "seat_taken");
    newcomer.json(&["network", "retire", "--as", "me"]);
    newcomer.run(&["network", "withdraw", "--as", "me"]).failed(3, "bond_locked");
}
