use super::*;
use crate::quota::Period;
use crate::rate::{Rate, RateUnit};
use crate::terms::{Delegation, Purposes, Term};
use crate::territory::Territories;
use ambar_base::{Coded, ErrorCode, PublicKey};
use proptest::prelude::*;

#[path = "decision_tables/mod.rs"]
mod tables;

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

fn code(text: &str) -> Territory {
    text.parse().unwrap()
}

fn capsule(n: u8) -> Cid {
    Cid::of(&[n])
}

fn grant() -> GrantView {
    GrantView {
        accepted: Moment(0),
        revoked: false,
        calls_used: 0,
        spent: Price::ZERO,
        rate_wait_ms: 0,
        territory: None,
        licensee_ok: true,
    }
}

/// Allowed: an unnarrowed certificate, terms without limits, a call that may cost 100.
fn case() -> Case {
    Case {
        terms: Terms::granting([Right::Call]),
        grant: grant(),
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
            agent: None,
            price_max: Price(100),
            line_max: Price(100),
            unit_price: Price(10),
        },
        now: NOW,
        ledger_age_ms: 0,
    }
}

fn block(narrowing: Narrowing) -> (Narrowing, Spent) {
    (narrowing, Spent::default())
}

/// The code of every refusal, in the order of [`decide`].
const REFUSALS: [ErrorCode; 22] = [
    ErrorCode::LedgerStale,
    ErrorCode::ChannelClosed,
    ErrorCode::ChannelExpired,
    ErrorCode::GrantMissing,
    ErrorCode::GrantRevoked,
    ErrorCode::GrantTermOver,
    ErrorCode::RightNotGranted,
    ErrorCode::CertificateExpired,
    ErrorCode::AgentSignatureRequired,
    ErrorCode::DelegationTooDeep,
    ErrorCode::CapsuleNotAllowed,
    ErrorCode::PurposeNotAllowed,
    ErrorCode::PurposeRequired,
    ErrorCode::TerritoryNotAllowed,
    ErrorCode::TerritoryRequired,
    ErrorCode::PriceAboveLimit,
    ErrorCode::QuotaExceeded,
    ErrorCode::SpendExceeded,
    ErrorCode::RateExceeded,
    ErrorCode::CallLimitExceeded,
    ErrorCode::BudgetExceeded,
    ErrorCode::ChannelEmpty,
];

/// Everything is wrong at once.
fn wrong_case() -> Case {
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
    case.terms.quota = Some(Quota {
        per: Period::Term,
        calls: Some(1),
        spend: Some(Price(1)),
        rate: Some(Rate { calls: 1, per: RateUnit::Hour }),
    });
    case.terms.territories.deny = [code("AQ")].into();
    case.grant = GrantView {
        revoked: true,
        calls_used: 1,
        spent: Price(u64::MAX),
        rate_wait_ms: 1,
        territory: Some(code("AQ")),
        licensee_ok: false,
        ..grant()
    };
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
    case
}

/// Each repair uncovers the next refusal of the fixed order.
#[test]
fn refusals_come_in_a_fixed_order() {
    let mut case = wrong_case();
    let each = |case: &mut Case, repair: fn(&mut Narrowing)| {
        case.blocks.iter_mut().for_each(|(narrowing, _)| repair(narrowing));
    };
    type Row<'a> = (ErrorCode, &'a dyn Fn(&mut Case));
    let rows: [Row<'_>; 22] = [
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
        (ErrorCode::TerritoryNotAllowed, &|c| c.grant.territory = None),
        (ErrorCode::TerritoryRequired, &|c| c.grant.territory = Some(code("PT"))),
        (ErrorCode::PriceAboveLimit, &|c| c.channel.unit_price_max = Price(10)),
        (ErrorCode::QuotaExceeded, &|c| c.grant.calls_used = 0),
        (ErrorCode::SpendExceeded, &|c| c.terms.quota.as_mut().unwrap().spend = None),
        (ErrorCode::RateExceeded, &|c| c.grant.rate_wait_ms = 0),
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
    let expect =
        Reservation { price: Price(100), purpose: Some(word("a")), territory: Some(code("PT")) };
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
        weighted(0.1, 1u8..3),
    )
        .prop_map(|(budget, calls, expires, purposes, capsules, agent)| Narrowing {
            budget: budget.map(Price),
            calls,
            expires: expires.map(Moment),
            purposes,
            capsules: capsules.map(|set| set.into_iter().map(capsule).collect()),
            agent: agent.map(|seed| PublicKey([seed; 32])),
        })
}

fn any_block() -> impl Strategy<Value = (Narrowing, Spent)> {
    let spent =
        (0u64..200, 0u64..3).prop_map(|(price, calls)| Spent { price: Price(price), calls });
    (any_narrowing(), spent)
}

fn any_territory() -> impl Strategy<Value = Territory> {
    proptest::sample::select(vec![code("AQ"), code("FR"), code("PT")])
}

fn any_territories() -> impl Strategy<Value = Territories> {
    let set = || proptest::collection::btree_set(any_territory(), 0..=2);
    (set(), set()).prop_map(|(allow, deny)| Territories {
        deny: deny.difference(&allow).copied().collect(),
        allow,
    })
}

fn any_quota() -> impl Strategy<Value = Quota> {
    use proptest::option::weighted;
    let rate = Rate { calls: 5, per: RateUnit::Second };
    (
        proptest::sample::select(Period::ALL.to_vec()),
        weighted(0.3, 1u64..4),
        weighted(0.3, 1u64..400),
        weighted(0.3, Just(rate)),
    )
        .prop_map(|(per, calls, spend, rate)| Quota {
            per,
            calls,
            spend: spend.map(Price),
            rate,
        })
}

fn any_purposes() -> impl Strategy<Value = Purposes> {
    (any_words(0), any_words(0)).prop_map(|(allow, deny)| Purposes {
        deny: deny.difference(&allow).cloned().collect(),
        allow,
    })
}

/// A case near the limits, so that each decision is met often.
fn any_case() -> impl Strategy<Value = Case> {
    use proptest::option::{of, weighted};
    (
        proptest::collection::vec(any_block(), 0..4),
        (any_purposes(), weighted(0.3, any_territories()), weighted(0.3, any_quota())),
        (of(any_word()), of(any_territory())),
        (0u64..200, 0u64..200, 0u64..4, 0u64..200, 0u64..2),
        0u16..12,
    )
        .prop_map(|(blocks, (purposes, territories, quota), declared, numbers, depth)| {
            let (hold, line, used, spent, wait) = numbers;
            let mut case = case();
            case.blocks = blocks;
            case.terms.purposes = purposes;
            case.terms.territories = territories.unwrap_or_default();
            case.terms.quota = quota;
            case.terms.delegation.depth = depth;
            (case.request.purpose, case.grant.territory) = declared;
            (case.request.price_max, case.request.line_max) = (Price(hold), Price(line));
            (case.grant.calls_used, case.grant.spent) = (used, Price(spent));
            case.grant.rate_wait_ms = wait;
            case
        })
}

/// Extreme counters and limits of a block.
fn extreme(((narrowing, _), n): ((Narrowing, Spent), [u64; 4])) -> (Narrowing, Spent) {
    let narrowing = Narrowing {
        budget: narrowing.budget.map(|_| Price(n[0])),
        calls: narrowing.calls.map(|_| n[1]),
        ..narrowing
    };
    (narrowing, Spent { price: Price(n[2]), calls: n[3] })
}

/// A case whose numbers and flags are anything at all, under any terms.
fn arbitrary_case() -> impl Strategy<Value = Case> {
    let edges = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), NOW.0 - 2..NOW.0 + 2];
    (
        crate::terms::tests::any_terms(),
        proptest::collection::vec(edges, 12),
        any::<[bool; 4]>(),
        proptest::collection::vec((any_block(), any::<[u64; 4]>()), 0..9),
        (proptest::option::of(any_word()), proptest::option::of(any_territory())),
        proptest::sample::select(Right::ALL.to_vec()),
    )
        .prop_map(|(terms, n, flags, blocks, (purpose, territory), right)| {
            let [revoked, licensee_ok, closing, capsule_ok] = flags;
            let grant = GrantView {
                accepted: Moment(n[0]),
                revoked,
                calls_used: n[1],
                spent: Price(n[2]),
                rate_wait_ms: n[3],
                territory,
                licensee_ok,
            };
            let channel = ChannelView {
                remaining: Price(n[5]),
                expires: Moment(n[4]),
                closing,
                unit_price_max: Price(n[6]),
                capsule_ok,
            };
            let request = Request {
                capsule: capsule(1),
                purpose,
                right,
                agent: None,
                price_max: Price(n[7]),
                line_max: Price(n[8]),
                unit_price: Price(n[9]),
            };
            let blocks = blocks.into_iter().map(extreme).collect();
            let (now, ledger_age_ms) = (Moment(n[10]), n[11]);
            Case { terms, grant, channel, blocks, request, now, ledger_age_ms }
        })
}

/// Lifts what would refuse before the numbers are looked at.
fn lively(mut case: Case) -> Case {
    case.ledger_age_ms = 0;
    (case.channel.closing, case.channel.capsule_ok) = (false, true);
    (case.channel.expires, case.now) = (Moment(u64::MAX), NOW);
    (case.grant.licensee_ok, case.grant.revoked) = (true, false);
    case.terms = Terms { quota: case.terms.quota, ..Terms::granting([case.request.right]) };
    for (narrowing, _) in &mut case.blocks {
        let Narrowing { budget, calls, .. } = *narrowing;
        *narrowing = Narrowing { budget, calls, ..Narrowing::default() };
    }
    case
}

/// Refuses a narrower case that is allowed more than the wider one.
fn only_takes_away(wide: &Case, narrow: &Case) -> Result<(), TestCaseError> {
    match (wide.decide(), narrow.decide()) {
        (Decision::Allow(wide), Decision::Allow(narrow)) => {
            prop_assert!(narrow.price <= wide.price);
            prop_assert_eq!(narrow.territory, wide.territory);
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
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_narrowing_only_takes_away(case in any_case(), added in any_block()) {
        let mut narrowed = case.clone();
        narrowed.blocks.push(added);
        only_takes_away(&case, &narrowed)?;
    }

    /// Every prefix of a chain is at least as wide as every longer one.
    #[test]
    fn chains_only_take_away(
        case in any_case(),
        chain in proptest::collection::vec(any_block(), 1..=8),
    ) {
        let mut cases = vec![Case { blocks: Vec::new(), ..case }];
        for added in chain {
            let mut next = cases[cases.len() - 1].clone();
            next.blocks.push(added);
            cases.push(next);
        }
        for (length, wide) in cases.iter().enumerate() {
            for narrow in &cases[length + 1..] {
                only_takes_away(wide, narrow)?;
            }
        }
    }

    /// Whatever the facts, there is one answer, and what it allows is within every limit.
    #[test]
    fn every_situation_is_decided(case in arbitrary_case(), live: bool) {
        let case = if live { lively(case) } else { case };
        let found = case.decide();
        prop_assert_eq!(&found, &case.decide());
        match found {
            Decision::Deny(denial) => {
                prop_assert!(REFUSALS.contains(&denial.code()));
                prop_assert!(!denial.to_string().is_empty());
            }
            Decision::Allow(reservation) => {
                prop_assert!(reservation.price <= case.channel.remaining);
                let spend = case.terms.quota.and_then(|quota| quota.spend);
                let total = case.grant.spent.checked_add(case.request.line_max);
                prop_assert!(spend.is_none_or(|spend| total.is_some_and(|sum| sum <= spend)));
            }
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
