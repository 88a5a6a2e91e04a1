//! Terms that are offered beside the published ones: who may accept them, what calls under them
//! cost, and for which versions they hold.
use crate::world::{World, derived, key, model, prompt, proof, terms};
use ambar_base::{Cid, ErrorCode, Moment, Price};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_ledger::object::{Grant, Offer};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{Accept, OfferTerms, Publish, TakeLease, TransferLine};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Period, Quota, Right, Term, Terms};
use ambar_receipt::{Counter, Leaf, verify};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PUBLIC: u64 = 1_000_000;
const CHEAP: u64 = 400_000;
const COUNTS: &[(Counter, u64)] = &[(Counter::TokensIn, 100), (Counter::TokensOut, 20)];

struct Market {
    world: World,
    node: u64,
    version: u64,
    id: Cid,
}

fn per_call(price: u64) -> Terms {
    terms(&[Right::Call, Right::Compose], 0, price)
}

/// Ana sells calls of a model at the operator's node; Ben and Cleo buy.
fn market() -> Market {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo", "operator"] {
        world.person(name);
    }
    let node = world.node("operator");
    let ana = world.id("ana");
    let (version, id) = world.publish("ana", model(ana), &per_call(PUBLIC), None, vec![]).unwrap();
    world.serve("ana", id, "operator");
    world.block(1_000);
    Market { world, node, version, id }
}

fn code<T>(result: Result<T, Refusal>) -> Option<ErrorCode> {
    result.err().map(|refusal| refusal.code)
}

impl Market {
    /// A channel of somebody with this grant, and a call through it.
    fn call(&mut self, who: &str, grant: u64) -> (u64, Leaf) {
        let channel = self.world.channel(who, "operator", vec![grant], Price::CREDIT);
        self.world.block(100);
        (channel, self.leaf(channel, 0, grant))
    }

    fn leaf(&self, channel: u64, n: u64, grant: u64) -> Leaf {
        let line = self.world.line(self.version, grant, self.node, COUNTS);
        self.world.leaf(channel, n, vec![line])
    }

    fn settle(&mut self, leaf: Leaf) -> Result<(), Refusal> {
        self.world.settle("operator", self.node, vec![leaf])
    }

    /// Another version of the line.
    fn continued(&mut self, terms: &Terms, parents: &[(Cid, u32)]) -> Result<(u64, Cid), Refusal> {
        let ana = self.world.id("ana");
        let royalty = Vec::new();
        let manifest = Manifest { previous: vec![self.id], royalty, ..derived(ana, parents) };
        self.world.publish("ana", manifest, terms, None, vec![])
    }

    fn grant(&self, number: u64) -> Grant {
        self.world.ledger.must("grant", number, &Key::Grant(number)).unwrap()
    }
}

#[test]
fn a_private_offer_is_cheaper_and_for_one() {
    let mut market = market();
    let (cheap, ben) = (per_call(CHEAP), market.world.id("ben"));
    let offer = market.world.offer_to("ana", market.id, &cheap, ben).unwrap();
    let elsewhere = market.world.accept_offer("cleo", market.id, &cheap, offer);
    assert_eq!(code(elsewhere), Some(ErrorCode::NotAuthorised));
    let granted = market.world.accept_offer("ben", market.id, &cheap, offer).unwrap();
    let public = market.world.accept("cleo", market.id).unwrap();
    assert_eq!(market.grant(granted).of, market.grant(public).terms);
    let (_, leaf) = market.call("ben", granted);
    assert_eq!(leaf.lines[0].royalty, Price(CHEAP));
    let mut dear = leaf.clone();
    dear.lines[0].royalty = Price(PUBLIC);
    assert_eq!(code(market.settle(dear)), Some(ErrorCode::ReceiptInvalid));
    market.settle(leaf).unwrap();
    let (_, leaf) = market.call("cleo", public);
    assert_eq!(leaf.lines[0].royalty, Price(PUBLIC));
    market.settle(leaf).unwrap();
}

#[test]
fn receipts_under_an_offer_verify_offline() {
    let mut market = market();
    let cheap = per_call(CHEAP);
    let offer = market.world.offer("ana", market.id, &cheap, |_| {}).unwrap();
    let grants = [
        market.world.accept_offer("ben", market.id, &cheap, offer).unwrap(),
        market.world.accept("cleo", market.id).unwrap(),
    ];
    let leaves = [market.call("ben", grants[0]).1, market.call("cleo", grants[1]).1];
    for document in proof::settle(&mut market.world, "operator", market.node, &leaves) {
        assert_eq!(document.preimages.terms.len(), 1);
        let file = document.seal(&key("operator's node"));
        let report = verify(&file, Some(&proof::checkpoint(&market.world)));
        assert!(report.ok, "{report:#?}");
    }
}

#[test]
fn who_may_offer_what() {
    let mut market = market();
    let (id, cheap) = (market.id, per_call(CHEAP));
    let world = &mut market.world;
    assert_eq!(code(world.offer("ben", id, &cheap, |_| {})), Some(ErrorCode::NotAuthorised));
    let mut check = |terms: &Terms, change: fn(&mut OfferTerms), expect| {
        assert_eq!(code(world.offer("ana", id, terms, change)), Some(expect), "{terms:?}");
    };
    check(&cheap, |offer| offer.limit = Some(0), ErrorCode::TransactionInvalid);
    check(&cheap, |offer| offer.expires = crate::world::START, ErrorCode::TransactionInvalid);
    check(&cheap, |offer| offer.document = None, ErrorCode::TermsInvalid);
    let mut other = cheap.clone();
    other.derivatives.allowed = false;
    check(&other, |_| {}, ErrorCode::TermsInvalid);
    let over = Terms { term: Some(Term::Until(crate::world::START)), ..cheap.clone() };
    check(&over, |_| {}, ErrorCode::TermsInvalid);
    let own = world.id("ana");
    assert_eq!(code(world.offer_to("ana", id, &cheap, own)), Some(ErrorCode::TransactionInvalid));
}

#[test]
fn a_trial_is_taken_once_and_ends() {
    let mut market = market();
    let trial = Terms {
        term: Some(Term::Days(2)),
        quota: Some(Quota::of_calls(3, Period::Term)),
        ..per_call(0)
    };
    let (id, once) = (market.id, |offer: &mut OfferTerms| offer.once = true);
    let first = market.world.offer("ana", id, &trial, once).unwrap();
    let second = market.world.offer("ana", id, &trial, once).unwrap();
    let grant = market.world.accept_offer("ben", id, &trial, first).unwrap();
    for offer in [first, second] {
        let again = market.world.accept_offer("ben", id, &trial, offer);
        assert_eq!(code(again), Some(ErrorCode::NotAuthorised), "one for each account, ever");
    }
    market.world.accept_offer("cleo", id, &trial, second).unwrap();
    let (channel, leaf) = market.call("ben", grant);
    let take = TakeLease {
        channel,
        grant,
        period: 0,
        calls: 5,
        spend: Price(0),
        rate: 0,
        through: Vec::new(),
    };
    let leased = market.world.act_as_node("operator", market.node, Operation::TakeLease(take));
    assert!(matches!(leased, Ok(OperationResult::Leased(lease)) if lease.calls == 3));
    assert_eq!(leaf.lines[0].royalty, Price(0));
    market.settle(leaf).unwrap();
    market.world.block(2 * Moment::DAY_MS);
    let late = market.leaf(channel, 1, grant);
    assert_eq!(code(market.settle(late)), Some(ErrorCode::GrantTermOver));
}

#[test]
fn offers_end() {
    let mut market = market();
    let (id, cheap) = (market.id, per_call(CHEAP));
    let world = &mut market.world;
    let two = world.offer("ana", id, &cheap, |offer| offer.limit = Some(2)).unwrap();
    for name in ["ben", "ben", "cleo"] {
        let grant = world.accept_offer(name, id, &cheap, two);
        assert_eq!(grant.is_err(), name == "cleo", "two and no more: {grant:?}");
    }
    let withdrawn = world.offer("ana", id, &cheap, |_| {}).unwrap();
    let withdraw = Operation::WithdrawTerms(withdrawn);
    assert_eq!(world.refused("ben", withdraw.clone()), ErrorCode::NotAuthorised);
    world.act("ana", vec![withdraw.clone()]).unwrap();
    assert_eq!(world.refused("ana", withdraw), ErrorCode::NotFound);
    let taken = world.accept_offer("ben", id, &cheap, withdrawn);
    assert_eq!(code(taken), Some(ErrorCode::NotFound));
    let dear = per_call(PUBLIC + 1);
    let late = world.offer("ana", id, &cheap, |_| {}).unwrap();
    let other = world.accept_offer("ben", id, &dear, late);
    assert_eq!(code(other), Some(ErrorCode::GrantMissing), "not what was read");
    let held = world
        .offer("ana", id, &cheap, |offer| offer.expires = crate::world::START.after(1 << 40))
        .unwrap();
    world.block(3_600_000);
    assert_eq!(code(world.accept_offer("ben", id, &cheap, late)), Some(ErrorCode::NotFound));
    let grant = world.accept_offer("ben", id, &cheap, held).unwrap();
    let give = TransferLine { version: id, to: world.id("cleo"), grants: Vec::new() };
    world.act("ana", vec![Operation::TransferLine(give)]).unwrap();
    assert_eq!(code(world.accept_offer("ben", id, &cheap, held)), Some(ErrorCode::NotFound));
    let stays: Offer = world.ledger.must("offer", held, &Key::Offer(held)).unwrap();
    assert_eq!(stays.terms, cheap.id());
    world.act("cleo", vec![Operation::WithdrawTerms(held)]).unwrap();
    let (_, leaf) = market.call("ben", grant);
    market.settle(leaf).unwrap();
}

#[test]
fn a_grant_under_an_offer_follows_the_published_terms() {
    let mut market = market();
    let (id, cheap) = (market.id, per_call(CHEAP));
    let offer = market.world.offer("ana", id, &cheap, |_| {}).unwrap();
    let grant = market.world.accept_offer("ben", id, &cheap, offer).unwrap();
    let (same, _) = market.continued(&per_call(PUBLIC), &[]).unwrap();
    let (other, other_id) = market.continued(&per_call(PUBLIC + 1), &[]).unwrap();
    let (channel, _) = market.call("ben", grant);
    market.version = same;
    let leaf = market.leaf(channel, 0, grant);
    market.settle(leaf).unwrap();
    market.version = other;
    let leaf = market.leaf(channel, 1, grant);
    assert_eq!(code(market.settle(leaf)), Some(ErrorCode::GrantMissing), "new published terms");
    // The same offer is accepted anew for them.
    let anew = market.world.accept_offer("ben", other_id, &cheap, offer).unwrap();
    let (_, leaf) = market.call("ben", anew);
    market.settle(leaf).unwrap();
}

#[test]
fn parents_get_their_floor_of_every_offer() {
    let mut market = market();
    let cleo = market.world.id("cleo");
    let mut floor = per_call(1);
    floor.derivatives.floor_per_call = Price(60_000);
    let (_, parent) = market.world.publish("cleo", model(cleo), &floor, None, vec![]).unwrap();
    // A tenth of the public price is 100,000; of the offered one 40,000.
    let offer = market.world.offer("ana", market.id, &per_call(CHEAP), |_| {}).unwrap();
    let grant = market.world.accept_offer("ben", market.id, &per_call(CHEAP), offer).unwrap();
    let (version, id) = market.continued(&per_call(PUBLIC), &[(parent, 100_000_000)]).unwrap();
    let refused = market.world.offer("ana", id, &per_call(CHEAP), |_| {}).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TermsInvalid);
    assert!(refused.message.contains("floor_per_call"), "{refused}");
    let short = market.world.offer("ana", id, &per_call(599_999), |_| {});
    assert_eq!(code(short), Some(ErrorCode::TermsInvalid));
    market.world.offer("ana", id, &per_call(600_000), |_| {}).unwrap();
    let taken = market.world.accept_offer("ben", id, &per_call(CHEAP), offer);
    assert_eq!(code(taken), Some(ErrorCode::TermsInvalid), "made for a version without parents");
    let (channel, _) = market.call("ben", grant);
    market.world.serve("ana", id, "operator");
    market.version = version;
    let leaf = market.leaf(channel, 0, grant);
    assert_eq!(code(market.settle(leaf)), Some(ErrorCode::GrantMissing), "nor does the grant hold");
}

#[test]
fn offers_are_no_wider_than_what_the_capsule_is_built_on() {
    let mut market = market();
    let cleo = market.world.id("cleo");
    let mut denying = per_call(1);
    denying.purposes.deny = ["surveillance".parse().unwrap()].into();
    let (_, parent) = market.world.publish("cleo", model(cleo), &denying, None, vec![]).unwrap();
    let (wide, narrow) =
        (per_call(CHEAP), Terms { price: per_call(CHEAP).price, ..denying.clone() });
    let early = market.world.offer("ana", market.id, &wide, |_| {}).unwrap();
    let published = Terms { price: per_call(PUBLIC).price, ..denying };
    let (_, id) = market.continued(&published, &[(parent, 100_000_000)]).unwrap();
    let refused = market.world.offer("ana", id, &wide, |_| {}).unwrap_err();
    assert!(refused.message.contains("purposes.deny"), "{refused}");
    let taken = market.world.accept_offer("ben", id, &wide, early).unwrap_err();
    assert!(taken.message.contains("purposes.deny"), "made before there was a parent: {taken}");
    let offer = market.world.offer("ana", id, &narrow, |_| {}).unwrap();
    market.world.accept_offer("ben", id, &narrow, offer).unwrap();
}

/// The right to derive is that of the grant's own terms.
#[test]
fn who_builds_on_a_capsule_may_have_the_right_by_an_offer() {
    let mut market = market();
    let (ana, ben) = (market.world.id("ana"), market.world.id("ben"));
    let bare = Terms { grants: [Right::Call].into(), ..per_call(PUBLIC) };
    let more = Terms { grants: [Right::Call, Right::Derive].into(), ..per_call(CHEAP) };
    let (_, id) = market.world.publish("ana", model(ana), &bare, None, vec![]).unwrap();
    let offer = market.world.offer_to("ana", id, &more, ben).unwrap();
    let granted = market.world.accept_offer("ben", id, &more, offer).unwrap();
    let public = market.world.accept("ben", id).unwrap();
    let own = Terms { grants: [Right::Call].into(), ..per_call(PUBLIC) };
    let manifest = derived(ben, &[(id, 100_000_000)]);
    let manifest = Manifest { terms: own.id(), creator: ben, ..manifest };
    let mut publish = |grant| {
        let publish = Publish {
            manifest: SignedManifest::sign(&manifest, market.world.network, &key("ben")),
            terms: Some(own.to_document()),
            contributors: None,
            grants: vec![],
            derives: vec![grant],
        };
        code(market.world.act("ben", vec![Operation::Publish(publish)]))
    };
    assert_eq!(publish(public), Some(ErrorCode::RightNotGranted));
    assert_eq!(publish(granted), None);
}

#[test]
fn a_component_is_used_under_an_offer() {
    let mut market = market();
    let (id, cheap) = (market.id, per_call(CHEAP));
    let calls_only = terms(&[Right::Call], 0, CHEAP);
    let world = &mut market.world;
    let offers = [&cheap, &calls_only].map(|terms| world.offer("ana", id, terms, |_| {}).unwrap());
    let compose = world.accept_offer("ben", id, &cheap, offers[0]).unwrap();
    let only = world.accept_offer("ben", id, &calls_only, offers[1]).unwrap();
    let ben = world.id("ben");
    let uses = prompt(ben, id, id);
    let mut publish =
        |grant| world.publish("ben", uses.clone(), &per_call(7), None, vec![grant; 2]);
    assert_eq!(code(publish(only)), Some(ErrorCode::GrantMissing));
    let (version, used) = publish(compose).unwrap();
    world.serve("ben", used, "operator");
    let grant = world.accept("cleo", used).unwrap();
    let channel = world.channel("cleo", "operator", vec![grant], Price::CREDIT);
    world.block(100);
    let lines = vec![
        world.line(version, grant, market.node, &[]),
        world.line(market.version, compose, market.node, COUNTS),
    ];
    assert_eq!((lines[0].royalty, lines[1].royalty), (Price(7), Price(CHEAP)));
    let leaf = world.leaf(channel, 0, lines);
    market.settle(leaf).unwrap();
}

/// What somebody does with offers of one capsule.
#[derive(Clone, Debug)]
enum Act {
    Offer { to: Option<usize>, ms: u64, limit: Option<u64>, once: bool },
    Withdraw(usize),
    Accept(usize),
    Give(usize),
    Wait(u64),
}

const PEOPLE: [&str; 3] = ["ana", "ben", "cleo"];

fn act() -> impl Strategy<Value = (usize, Act)> {
    let (to, limit) = (prop::option::of(0usize..3), prop::option::of(0u64..3));
    let offer = (to, 0u64..4_000, limit, any::<bool>());
    let act = prop_oneof![
        4 => offer.prop_map(|(to, ms, limit, once)| Act::Offer { to, ms, limit, once }),
        1 => (0usize..6).prop_map(Act::Withdraw),
        7 => (0usize..6).prop_map(Act::Accept),
        1 => (0usize..3).prop_map(Act::Give),
        1 => (1u64..3_000).prop_map(Act::Wait),
    ];
    (0usize..3, act)
}

/// What a much simpler machine knows.
#[derive(Default)]
struct Known {
    owner: usize,
    /// Maker, act and end of each offer that is not gone.
    offers: BTreeMap<usize, (usize, Act, u64)>,
    made: usize,
    tried: [bool; 3],
}

impl Known {
    /// Whether the act is allowed, and what follows.
    fn expects(&mut self, who: usize, act: &Act, now: u64) -> bool {
        match act {
            Act::Offer { to, ms, limit, .. } => {
                let good = self.owner == who && *ms > 0 && *to != Some(who) && *limit != Some(0);
                if good {
                    self.offers.insert(self.made, (who, act.clone(), now + ms));
                    self.made += 1;
                }
                good
            }
            Act::Withdraw(number) => {
                let maker = self.offers.get(number).map(|(maker, ..)| *maker);
                let good = maker.is_some_and(|maker| maker == who || self.owner == who);
                good && self.offers.remove(number).is_some()
            }
            Act::Accept(number) => {
                let Some((maker, Act::Offer { to, limit, once, .. }, end)) =
                    self.offers.get_mut(number)
                else {
                    return false;
                };
                let may = to.is_none_or(|to| to == who) && *maker == self.owner && now < *end;
                if !may || (*once && self.tried[who]) {
                    return false;
                }
                self.tried[who] |= *once;
                *limit = limit.map(|left| left - 1);
                if *limit == Some(0) {
                    self.offers.remove(number);
                }
                true
            }
            Act::Give(to) => {
                let good = self.owner == who;
                self.owner = if good { *to } else { self.owner };
                good
            }
            Act::Wait(_) => true,
        }
    }
}

fn operation(world: &World, id: Cid, act: &Act) -> Option<Operation> {
    let terms = per_call(CHEAP);
    Some(match act {
        Act::Offer { to, ms, limit, once } => Operation::OfferTerms(OfferTerms {
            version: id,
            terms: terms.id(),
            document: Some(terms.to_document()),
            to: to.map(|to| world.id(PEOPLE[to])),
            expires: world.ledger.time().after(*ms),
            limit: *limit,
            once: *once,
        }),
        Act::Withdraw(number) => Operation::WithdrawTerms(*number as u64),
        Act::Accept(number) => Operation::Accept(Accept {
            version: id,
            terms: terms.id(),
            territory: None,
            offer: Some(*number as u64),
        }),
        Act::Give(to) => {
            let to = world.id(PEOPLE[*to]);
            Operation::TransferLine(TransferLine { version: id, to, grants: Vec::new() })
        }
        Act::Wait(_) => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The ledger accepts exactly what a much simpler machine does.
    #[test]
    fn offers_are_taken_by_whom_they_are_for(acts in prop::collection::vec(act(), 1..40)) {
        let Market { mut world, id, .. } = market();
        let mut known = Known::default();
        for (who, act) in acts {
            if let Act::Wait(ms) = act {
                world.block(ms);
            }
            let expect = known.expects(who, &act, world.ledger.time().0);
            let Some(operation) = operation(&world, id, &act) else { continue };
            let done = world.act(PEOPLE[who], vec![operation]);
            prop_assert_eq!(done.is_ok(), expect, "{:?} by {}: {:?}", act, who, done);
        }
        let left = (0..known.made).filter(|number| {
            let offer: Option<Offer> = world.ledger.object(&Key::Offer(*number as u64)).unwrap();
            offer.is_some()
        });
        prop_assert_eq!(left.collect::<Vec<_>>(), known.offers.into_keys().collect::<Vec<_>>());
    }
}
