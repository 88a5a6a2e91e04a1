use super::*;
use crate::terms::{Delegation, Period, Purposes, Quota, Term};
use ambar_base::{Coded, ErrorCode, PublicKey};
use proptest::prelude::*;

const NOW: Moment = Moment(1_000_000_000);

/// A situation that owns its parts, so that a row can change one of them.
#[derive(Clone, Debug)]
struct Case {
    terms: Terms,
    grant: GrantView,
    channel: ChannelView,
    blocks: Vec<(Narrowing, Spent)>,
    request: Request,
    now: Moment,
    ledger_age_ms: u64,
}

impl Case {
    fn decide(&self) -> Decision {
        let narrowings: Vec<_> = self.blocks.iter().map(|(block, spent)| (block, *spent)).collect();
        decide(&Situation {
            terms: &self.terms,
            grant: self.grant,
            channel: self.channel,
            narrowings: &narrowings,
            request: &self.request,
            now: self.now,
            ledger_age_ms: self.ledger_age_ms,
        })
    }
}

fn word(text: &str) -> Purpose {
    text.parse().unwrap()
}

fn words(list: &[&str]) -> BTreeSet<Purpose> {
    list.iter().map(|text| word(text)).collect()
}

fn capsule(n: u8) -> Cid {
    Cid::of(&[n])
}

/// Allowed: an unnarrowed certificate, terms without limits, a call that may cost 100.
fn case() -> Case {
    Case {
        terms: Terms::granting([Right::Call]),
        grant: GrantView { accepted: Moment(0), revoked: false, calls_used: 0, licensee_ok: true },
        channel: ChannelView {
            remaining: Price(1_000),
            expires: Moment(NOW.0 + 1),
            closing: false,
            unit_price_max: Price(10),
            capsule_ok: true,
        },
        blocks: vec![(Narrowing::default(), Spent::default())],
        request: Request {
            capsule: capsule(1),
            purpose: None,
            right: Right::Call,
            price_max: Price(100),
            unit_price: Price(10),
        },
        now: NOW,
        ledger_age_ms: 0,
    }
}

fn block(narrowing: Narrowing) -> (Narrowing, Spent) {
    (narrowing, Spent::default())
}

fn budget(nano: u64) -> Narrowing {
    Narrowing { budget: Some(Price(nano)), ..Default::default() }
}

fn calls(calls: u64) -> Narrowing {
    Narrowing { calls: Some(calls), ..Default::default() }
}

fn expires(at: u64) -> Narrowing {
    Narrowing { expires: Some(Moment(at)), ..Default::default() }
}

fn only_for(list: &[&str]) -> Narrowing {
    Narrowing { purposes: Some(words(list)), ..Default::default() }
}

fn only_capsules(list: &[u8]) -> Narrowing {
    let capsules = list.iter().copied().map(capsule).collect();
    Narrowing { capsules: Some(capsules), ..Default::default() }
}

fn purposes(case: &mut Case, allow: &[&str], deny: &[&str]) {
    case.terms.purposes = Purposes { allow: words(allow), deny: words(deny) };
}

#[track_caller]
fn check(change: impl FnOnce(&mut Case), expect: Result<Option<&str>, ErrorCode>) {
    let mut case = case();
    change(&mut case);
    let price = case.request.price_max;
    let found = case.decide();
    match (&found, expect) {
        (Decision::Allow(reservation), Ok(purpose)) => {
            assert_eq!(*reservation, Reservation { price, purpose: purpose.map(word) });
        }
        (Decision::Deny(denial), Err(code)) => assert_eq!(denial.code(), code, "{denial}"),
        _ => panic!("{found:?}, expected {expect:?}"),
    }
}

#[track_caller]
fn allow(change: impl FnOnce(&mut Case)) {
    check(change, Ok(None));
}

#[track_caller]
fn deny(code: ErrorCode, change: impl FnOnce(&mut Case)) {
    check(change, Err(code));
}

#[test]
fn ledger_channel_and_grant() {
    allow(|_| {});
    allow(|c| c.ledger_age_ms = 5_000);
    deny(ErrorCode::LedgerStale, |c| c.ledger_age_ms = 5_001);
    deny(ErrorCode::ChannelClosed, |c| c.channel.closing = true);
    deny(ErrorCode::ChannelExpired, |c| c.channel.expires = NOW);
    allow(|c| c.channel.expires = Moment(u64::MAX));
    deny(ErrorCode::GrantMissing, |c| c.grant.licensee_ok = false);
    deny(ErrorCode::GrantRevoked, |c| c.grant.revoked = true);
    deny(ErrorCode::GrantTermOver, |c| c.terms.term = Some(Term::Days(11)));
    allow(|c| c.terms.term = Some(Term::Days(12)));
    deny(ErrorCode::GrantTermOver, |c| c.terms.term = Some(Term::Until(NOW)));
    allow(|c| c.terms.term = Some(Term::Until(Moment(NOW.0 + 1))));
    deny(ErrorCode::RightNotGranted, |c| c.request.right = Right::Compose);
    allow(|c| {
        c.terms.grants.insert(Right::Compose);
        c.request.right = Right::Compose;
    });
}

#[test]
fn certificates_expire_and_deepen() {
    allow(|c| c.blocks[0] = block(expires(NOW.0)));
    deny(ErrorCode::CertificateExpired, |c| c.blocks[0] = block(expires(NOW.0 - 1)));
    deny(ErrorCode::CertificateExpired, |c| c.blocks.push(block(expires(0))));
    let agent = Narrowing { agent: Some(PublicKey([1; 32])), ..Default::default() };
    deny(ErrorCode::AgentSignatureRequired, |c| c.blocks.push(block(agent.clone())));
    deny(ErrorCode::CertificateExpired, |c| {
        c.blocks.extend([block(agent), block(expires(0))]);
    });
    let depth = |c: &mut Case, depth, narrowed| {
        c.terms.delegation = Delegation { depth };
        c.blocks.extend((0..narrowed).map(|_| block(Narrowing::default())));
    };
    allow(|c| depth(c, 0, 0));
    deny(ErrorCode::DelegationTooDeep, |c| depth(c, 0, 1));
    allow(|c| depth(c, 2, 2));
    deny(ErrorCode::DelegationTooDeep, |c| depth(c, 2, 3));
    allow(|c| c.blocks.clear());
}

#[test]
fn capsules() {
    deny(ErrorCode::CapsuleNotAllowed, |c| c.channel.capsule_ok = false);
    allow(|c| c.blocks.push(block(only_capsules(&[1]))));
    allow(|c| c.blocks.push(block(only_capsules(&[0, 1, 2]))));
    deny(ErrorCode::CapsuleNotAllowed, |c| c.blocks.push(block(only_capsules(&[2]))));
    deny(ErrorCode::CapsuleNotAllowed, |c| {
        c.blocks.extend([block(only_capsules(&[1, 2])), block(only_capsules(&[2, 3]))]);
    });
    deny(ErrorCode::CapsuleNotAllowed, |c| {
        c.blocks.extend([block(only_capsules(&[2])), block(only_capsules(&[1]))]);
    });
}

#[test]
fn purposes_of_the_terms() {
    let declare = |c: &mut Case, text: &str| c.request.purpose = Some(word(text));
    check(|c| declare(c, "a"), Ok(Some("a")));
    check(|c| purposes(c, &["a"], &[]), Ok(Some("a")));
    deny(ErrorCode::PurposeRequired, |c| purposes(c, &["a", "b"], &[]));
    allow(|c| purposes(c, &[], &["x"]));
    let both = |c: &mut Case, allow: &[&str], deny: &[&str], declared: &str| {
        purposes(c, allow, deny);
        declare(c, declared);
    };
    check(|c| both(c, &["a", "b"], &[], "b"), Ok(Some("b")));
    deny(ErrorCode::PurposeNotAllowed, |c| both(c, &["a"], &[], "b"));
    deny(ErrorCode::PurposeNotAllowed, |c| both(c, &[], &["x"], "x"));
    check(|c| both(c, &[], &["x"], "y"), Ok(Some("y")));
}

#[test]
fn purposes_of_the_certificate() {
    check(|c| c.blocks.push(block(only_for(&["a"]))), Ok(Some("a")));
    deny(ErrorCode::PurposeRequired, |c| c.blocks.push(block(only_for(&["a", "b"]))));
    check(
        |c| {
            purposes(c, &["a", "b"], &[]);
            c.blocks.push(block(only_for(&["b", "c"])));
        },
        Ok(Some("b")),
    );
    check(
        |c| {
            purposes(c, &[], &["b"]);
            c.blocks.push(block(only_for(&["a", "b"])));
        },
        Ok(Some("a")),
    );
    deny(ErrorCode::PurposeNotAllowed, |c| {
        purposes(c, &["a"], &[]);
        c.blocks.push(block(only_for(&["b"])));
    });
    deny(ErrorCode::PurposeNotAllowed, |c| {
        c.blocks.extend([block(only_for(&["a"])), block(only_for(&["b"]))]);
    });
    deny(ErrorCode::PurposeNotAllowed, |c| {
        c.blocks.push(block(only_for(&["a"])));
        c.request.purpose = Some(word("b"));
    });
    check(
        |c| {
            c.blocks.extend([block(only_for(&["a", "b", "d"])), block(only_for(&["b", "c", "d"]))]);
            c.request.purpose = Some(word("d"));
        },
        Ok(Some("d")),
    );
}

#[test]
fn prices_and_quota() {
    deny(ErrorCode::PriceAboveLimit, |c| c.request.unit_price = Price(11));
    allow(|c| c.request.unit_price = Price(0));
    let quota = |c: &mut Case, used| {
        c.terms.quota = Some(Quota { calls: 10, per: Period::Day });
        c.grant.calls_used = used;
    };
    allow(|c| quota(c, 0));
    allow(|c| quota(c, 9));
    deny(ErrorCode::QuotaExceeded, |c| quota(c, 10));
    deny(ErrorCode::QuotaExceeded, |c| quota(c, u64::MAX));
    allow(|c| c.grant.calls_used = u64::MAX);
}

#[test]
fn calls_of_blocks() {
    let used = |c: &mut Case, limit, used| {
        c.blocks.push((calls(limit), Spent { price: Price::ZERO, calls: used }));
    };
    deny(ErrorCode::CallLimitExceeded, |c| used(c, 0, 0));
    allow(|c| used(c, 1, 0));
    deny(ErrorCode::CallLimitExceeded, |c| used(c, 1, 1));
    allow(|c| used(c, 10, 9));
    deny(ErrorCode::CallLimitExceeded, |c| used(c, 10, u64::MAX));
    // The child has calls left, its parent has none: siblings used them.
    deny(ErrorCode::CallLimitExceeded, |c| {
        used(c, 5, 5);
        used(c, 5, 0);
    });
}

#[test]
fn budgets_of_blocks_and_money_of_the_channel() {
    let spent = |c: &mut Case, limit, spent| {
        c.blocks.push((budget(limit), Spent { price: Price(spent), calls: 1 }));
    };
    allow(|c| spent(c, 100, 0));
    deny(ErrorCode::BudgetExceeded, |c| spent(c, 99, 0));
    allow(|c| spent(c, 150, 50));
    deny(ErrorCode::BudgetExceeded, |c| spent(c, 150, 51));
    deny(ErrorCode::BudgetExceeded, |c| spent(c, 0, 0));
    allow(|c| {
        spent(c, 0, 0);
        c.request.price_max = Price::ZERO;
    });
    deny(ErrorCode::BudgetExceeded, |c| spent(c, u64::MAX, u64::MAX));
    deny(ErrorCode::BudgetExceeded, |c| {
        spent(c, 100, 1);
        spent(c, 100, 0);
    });
    allow(|c| c.channel.remaining = Price(100));
    deny(ErrorCode::ChannelEmpty, |c| c.channel.remaining = Price(99));
    deny(ErrorCode::BudgetExceeded, |c| {
        spent(c, 99, 0);
        c.channel.remaining = Price(0);
    });
}

/// Everything is wrong at once; each repair uncovers the next refusal of the fixed order.
#[test]
fn refusals_come_in_a_fixed_order() {
    let narrowing = Narrowing {
        budget: Some(Price(0)),
        calls: Some(0),
        expires: Some(Moment(0)),
        purposes: Some(words(&["a"])),
        capsules: Some([capsule(9)].into()),
        agent: Some(PublicKey([1; 32])),
    };
    let mut case = case();
    case.blocks = vec![block(narrowing); 3];
    case.terms.delegation = Delegation { depth: 1 };
    case.terms.term = Some(Term::Until(Moment(0)));
    case.terms.quota = Some(Quota { calls: 1, per: Period::Term });
    case.grant =
        GrantView { accepted: Moment(0), revoked: true, calls_used: 1, licensee_ok: false };
    case.channel = ChannelView {
        remaining: Price(0),
        expires: Moment(0),
        closing: true,
        unit_price_max: Price(0),
        capsule_ok: false,
    };
    case.request.right = Right::Train;
    case.request.purpose = Some(word("b"));
    case.ledger_age_ms = u64::MAX;
    let each = |case: &mut Case, repair: fn(&mut Narrowing)| {
        case.blocks.iter_mut().for_each(|(narrowing, _)| repair(narrowing));
    };
    type Row<'a> = (ErrorCode, &'a dyn Fn(&mut Case));
    let rows: [Row<'_>; 18] = [
        (ErrorCode::LedgerStale, &|c| c.ledger_age_ms = 0),
        (ErrorCode::ChannelClosed, &|c| c.channel.closing = false),
        (ErrorCode::ChannelExpired, &|c| c.channel.expires = Moment(u64::MAX)),
        (ErrorCode::GrantMissing, &|c| c.grant.licensee_ok = true),
        (ErrorCode::GrantRevoked, &|c| c.grant.revoked = false),
        (ErrorCode::GrantTermOver, &|c| c.terms.term = None),
        (ErrorCode::RightNotGranted, &|c| c.request.right = Right::Call),
        (ErrorCode::CertificateExpired, &|c| each(c, |n| n.expires = None)),
        (ErrorCode::AgentSignatureRequired, &|c| each(c, |n| n.agent = None)),
        (ErrorCode::DelegationTooDeep, &|c| c.terms.delegation.depth = 2),
        (ErrorCode::CapsuleNotAllowed, &|c| c.channel.capsule_ok = true),
        (ErrorCode::CapsuleNotAllowed, &|c| each(c, |n| n.capsules = None)),
        (ErrorCode::PurposeNotAllowed, &|c| c.request.purpose = None),
        (ErrorCode::PriceAboveLimit, &|c| c.channel.unit_price_max = Price(10)),
        (ErrorCode::QuotaExceeded, &|c| c.terms.quota = None),
        (ErrorCode::CallLimitExceeded, &|c| each(c, |n| n.calls = None)),
        (ErrorCode::BudgetExceeded, &|c| each(c, |n| n.budget = None)),
        (ErrorCode::ChannelEmpty, &|c| c.channel.remaining = Price(100)),
    ];
    for (code, repair) in rows {
        let Decision::Deny(denial) = case.decide() else { panic!("expected {code}") };
        assert_eq!(denial.code(), code, "{denial}");
        assert!(!denial.to_string().is_empty());
        repair(&mut case);
    }
    let expect = Reservation { price: Price(100), purpose: Some(word("a")) };
    assert_eq!(case.decide(), Decision::Allow(expect));
}

fn any_word() -> impl Strategy<Value = Purpose> {
    proptest::sample::select(vec![word("a"), word("b"), word("c")])
}

fn any_words(least: usize) -> impl Strategy<Value = BTreeSet<Purpose>> {
    proptest::collection::btree_set(any_word(), least..=3)
}

fn any_narrowing() -> impl Strategy<Value = Narrowing> {
    use proptest::option::weighted;
    (
        weighted(0.3, 0u64..400),
        weighted(0.3, 0u64..4),
        weighted(0.3, NOW.0 - 1..NOW.0 + 2),
        weighted(0.3, any_words(1)),
        weighted(0.3, proptest::collection::btree_set(0u8..3, 1..=3)),
        weighted(0.05, any::<[u8; 32]>()),
    )
        .prop_map(|(budget, calls, expires, purposes, capsules, agent)| Narrowing {
            budget: budget.map(Price),
            calls,
            expires: expires.map(Moment),
            purposes,
            capsules: capsules.map(|set| set.into_iter().map(capsule).collect()),
            agent: agent.map(PublicKey),
        })
}

fn any_block() -> impl Strategy<Value = (Narrowing, Spent)> {
    let spent =
        (0u64..200, 0u64..3).prop_map(|(price, calls)| Spent { price: Price(price), calls });
    (any_narrowing(), spent)
}

fn any_case() -> impl Strategy<Value = Case> {
    (
        proptest::collection::vec(any_block(), 0..4),
        any_words(0),
        any_words(0),
        proptest::option::of(any_word()),
        0u64..200,
        0u16..4,
    )
        .prop_map(|(blocks, allow, deny, purpose, price_max, depth)| {
            let mut case = case();
            case.blocks = blocks;
            case.terms.purposes.deny = deny.difference(&allow).cloned().collect();
            case.terms.purposes.allow = allow;
            case.terms.delegation.depth = depth;
            case.request.purpose = purpose;
            case.request.price_max = Price(price_max);
            case
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_narrowing_only_takes_away(case in any_case(), added in any_block()) {
        let before = case.decide();
        let mut narrowed = case;
        narrowed.blocks.push(added);
        match (before, narrowed.decide()) {
            (Decision::Allow(wide), Decision::Allow(narrow)) => {
                prop_assert!(narrow.price <= wide.price);
                // An undeclared purpose may become declared, a declared one never changes.
                prop_assert!(wide.purpose.is_none() || wide.purpose == narrow.purpose);
            }
            (Decision::Deny(Denial::PurposeRequired { allowed }), Decision::Allow(narrow)) => {
                prop_assert!(narrow.purpose.is_some_and(|purpose| allowed.contains(&purpose)));
            }
            (Decision::Deny(denial), Decision::Allow(_)) => {
                return Err(TestCaseError::fail(format!("{denial} was lifted")));
            }
            (_, Decision::Deny(_)) => {}
        }
    }

    #[test]
    fn a_declared_purpose_never_helps_against_a_rule(case in any_case(), purpose in any_word()) {
        let mut silent = case.clone();
        silent.request.purpose = None;
        let mut spoken = case;
        spoken.request.purpose = Some(purpose);
        if let (Decision::Deny(denial), Decision::Allow(_)) = (silent.decide(), spoken.decide()) {
            prop_assert!(matches!(denial, Denial::PurposeRequired { .. }), "{}", denial);
        }
    }
}
