use super::*;
use crate::calendar;
use crate::problem::Problem;
use crate::purpose::{PURPOSE_BYTES_MAX, PURPOSES_MAX};
use crate::quota::{Period, QUOTA_CALLS_MAX};
use crate::rate::{RATE_CALLS_MAX, Rate, RateUnit};
use crate::territory::Territory;
use crate::tier::TIERS_MAX;
use proptest::prelude::*;

fn purpose(word: &str) -> Purpose {
    word.parse().unwrap()
}

fn codes(codes: &[&str]) -> BTreeSet<Territory> {
    codes.iter().map(|code| code.parse().unwrap()).collect()
}

/// Every clause of the language.
pub fn full() -> Terms {
    Terms {
        quota: Some(Quota {
            per: Period::Day,
            calls: Some(100),
            spend: Some(Price(20_000_000_000)),
            rate: Some(Rate { calls: 5, per: RateUnit::Second }),
        }),
        territories: Territories { allow: codes(&["FR", "NO", "PT"]), deny: codes(&["AQ"]) },
        revoke_if: Revocation::ALL.into(),
        ..exemplar()
    }
}

/// Terms as most owners write them.
pub fn exemplar() -> Terms {
    Terms {
        term: Some(Term::Days(30)),
        quota: Some(Quota::of_calls(100, Period::Day)),
        purposes: Purposes {
            allow: [purpose("evaluation"), purpose("research")].into(),
            deny: [purpose("surveillance")].into(),
        },
        delegation: Delegation { depth: 2 },
        price: PriceRule { per_mu: Price(2_000), per_call: Price(100_000), minimum: Price::ZERO },
        derivatives: Derivatives {
            allowed: true,
            share: Weight(150_000_000),
            floor_per_call: Price(50),
        },
        text: Some(LegalText::Spdx("CC-BY-4.0".into())),
        ..Terms::granting([Right::Call, Right::Derive])
    }
}

fn word() -> impl Strategy<Value = Purpose> {
    "[a-z0-9][a-z0-9_.-]{0,12}".prop_map(|word| word.parse().unwrap())
}

fn purposes() -> impl Strategy<Value = Purposes> {
    let lists = (
        proptest::collection::btree_set(word(), 0..6),
        proptest::collection::btree_set(word(), 0..6),
    );
    lists.prop_map(|(allow, deny)| Purposes {
        deny: deny.difference(&allow).cloned().collect(),
        allow,
    })
}

fn legal_text() -> impl Strategy<Value = LegalText> {
    prop_oneof![
        "[A-Za-z0-9.+-]{1,20}( (OR|AND) [A-Za-z0-9.+-]{1,9})?"
            .prop_filter("a name", |text| text.bytes().any(|b| b.is_ascii_alphanumeric()))
            .prop_map(LegalText::Spdx),
        any::<[u8; 32]>().prop_map(|bytes| LegalText::Sha256(Digest(bytes))),
    ]
}

fn territories() -> impl Strategy<Value = Territories> {
    let all: Vec<_> = Territory::all().collect();
    let some = || proptest::sample::subsequence(all.clone(), 0..=6);
    (some(), some()).prop_map(|(allow, deny)| {
        let allow: BTreeSet<_> = allow.into_iter().collect();
        let deny = deny.into_iter().filter(|code| !allow.contains(code)).collect();
        Territories { allow, deny }
    })
}

fn quota() -> impl Strategy<Value = Option<Quota>> {
    let units = proptest::sample::select(RateUnit::ALL.to_vec());
    let rate = (1..=RATE_CALLS_MAX, units).prop_map(|(calls, per)| Rate { calls, per });
    (
        proptest::sample::select(Period::ALL.to_vec()),
        proptest::option::of(1..=QUOTA_CALLS_MAX),
        proptest::option::of(any::<u64>().prop_map(Price)),
        proptest::option::of(rate),
    )
        .prop_map(|(per, calls, spend, rate)| {
            let quota = Quota { per, calls, spend, rate };
            let per = if quota.counts() { per } else { Period::Term };
            (quota.counts() || rate.is_some()).then_some(Quota { per, ..quota })
        })
}

/// Drops what contradicts the rest: clauses about calls where none are granted, and a
/// spend that no call fits into.
fn settle(mut terms: Terms) -> Terms {
    if !terms.grants_calls() {
        (terms.quota, terms.price) = (None, PriceRule::default());
        terms.tiers.clear();
    }
    let least = terms.price.least().max(Price(1));
    if let Some(spend) = terms.quota.as_mut().and_then(|quota| quota.spend.as_mut()) {
        *spend = (*spend).max(least);
    }
    terms
}

fn rights_and_reasons() -> impl Strategy<Value = (Vec<Right>, Vec<Revocation>)> {
    (
        proptest::sample::subsequence(Right::ALL.to_vec(), 1..=Right::ALL.len()),
        proptest::sample::subsequence(Revocation::ALL.to_vec(), 0..=Revocation::ALL.len()),
    )
}

/// A first price, and tiers of which none is dearer than the one before.
fn prices() -> impl Strategy<Value = (PriceRule, Vec<PriceTier>)> {
    let steps = proptest::collection::vec((1u64..1_000_000, any::<[u64; 3]>()), 0..=TIERS_MAX);
    (any::<[u64; 3]>(), steps).prop_map(|(first, steps)| {
        let rule = |[per_mu, per_call, minimum]: [u64; 3]| PriceRule {
            per_mu: Price(per_mu),
            per_call: Price(per_call),
            minimum: Price(minimum),
        };
        let (mut from_calls, mut now) = (0, first);
        let tiers = steps.into_iter().map(|(more, most)| {
            from_calls += more;
            now = [0, 1, 2].map(|at| most[at].min(now[at]));
            PriceTier { from_calls, price: rule(now) }
        });
        let tiers = tiers.collect();
        (rule(first), tiers)
    })
}

/// Any terms that pass their check.
pub fn any_terms() -> impl Strategy<Value = Terms> {
    let term = prop_oneof![
        (1..=TERM_DAYS_MAX).prop_map(Term::Days),
        (0..=calendar::MOMENT_MAX.0).prop_map(|ms| Term::Until(Moment(ms))),
    ];
    let derivatives =
        (any::<bool>(), 0..=Weight::ONE.0, any::<u64>()).prop_map(|(allowed, share, floor)| {
            match allowed {
                true => Derivatives { allowed, share: Weight(share), floor_per_call: Price(floor) },
                false => Derivatives::default(),
            }
        });
    let option = proptest::option::of::<BoxedStrategy<LegalText>>;
    (
        rights_and_reasons(),
        proptest::option::of(term),
        quota(),
        (purposes(), territories()),
        0..=DELEGATION_DEPTH_MAX,
        prices(),
        derivatives,
        option(legal_text().boxed()),
    )
        .prop_map(|(rights, term, quota, lists, depth, (price, tiers), derivatives, text)| {
            let ((grants, reasons), (purposes, territories)) = (rights, lists);
            settle(Terms {
                term,
                quota,
                purposes,
                territories,
                delegation: Delegation { depth },
                price,
                tiers,
                derivatives,
                revoke_if: reasons.into_iter().collect(),
                text,
                ..Terms::granting(grants)
            })
        })
}

#[test]
fn exemplar_bytes_are_pinned() {
    let document = exemplar().to_document();
    let expect = "fc42570638778059de7aaf4d407a40ee18b47b4aa62bbd0d6eb6d69f9cd6ac98";
    assert_eq!(Digest::of(&document).to_string(), expect, "{}", exemplar().print());
    assert_eq!(exemplar().id(), Cid::of(&document));
    assert_eq!(Terms::from_document(&document), Ok(exemplar()));
    let document = full().to_document();
    let expect = "e1bf59ddaded505dcce6350c616845cf98ebb603f876b167581e1f14723246c8";
    assert_eq!(Digest::of(&document).to_string(), expect, "{}", full().print());
    assert_eq!(Terms::from_document(&document), Ok(full()));
}

/// Terms that say nothing of a clause keep their id whatever clauses the language gains.
#[test]
fn ids_of_simple_terms_are_pinned() {
    let check = |terms: Terms, expect: &str| {
        assert_eq!(terms.id().to_string(), expect, "{}", terms.print());
        assert_eq!(Terms::from_document(&terms.to_document()), Ok(terms));
    };
    check(
        Terms::granting([Right::Call]),
        "bafyreig3rwsby3m6nmqzuyha2pbbftnqs5c6trydocui5b7o6tluzlxzyq",
    );
    let quota = Some(Quota::of_calls(100, Period::Day));
    check(
        Terms { quota, ..Terms::granting([Right::Call]) },
        "bafyreihswxoqzbkyt3bjgzrrjhy7ucdzptqtgqsusp6lsllcpnmhhscsui",
    );
    check(
        Terms { term: Some(Term::Days(30)), ..Terms::granting([Right::Fetch]) },
        "bafyreibu3q4fwvmyqs27idfs6fx4vvurlyrkx73a6usupo7rnr3tfkfwre",
    );
    check(exemplar(), "bafyreih4ijlqmodxqbm546vpjvahuqhodc2hwsvgfo6q23vw22pzzvvmta");
}

#[test]
fn documents_are_strict() {
    let bytes = exemplar().to_document();
    for cut in 0..bytes.len() {
        assert!(Terms::from_document(&bytes[..cut]).is_err(), "{cut}");
    }
    let refused = |change: &dyn Fn(&mut Terms)| {
        let mut terms = exemplar();
        change(&mut terms);
        assert_eq!(terms.check().unwrap_err().code(), ErrorCode::TermsInvalid);
        let refused = Terms::from_document(&terms.to_document());
        assert!(matches!(refused, Err(TermsDocumentError::Terms(_))), "{terms:?}");
    };
    refused(&|terms| terms.terms = 2);
    refused(&|terms| terms.grants.clear());
    refused(&|terms| terms.term = Some(Term::Days(0)));
    refused(&|terms| terms.term = Some(Term::Until(Moment(u64::MAX))));
    refused(&|terms| terms.quota = Some(Quota::of_calls(0, Period::Day)));
    let quota = |per, calls, spend, rate| Some(Quota { per, calls, spend, rate });
    refused(&|terms| terms.quota = quota(Period::Term, None, None, None));
    let rate = |calls| Some(Rate { calls, per: RateUnit::Hour });
    refused(&|terms| terms.quota = quota(Period::Day, None, None, rate(1)));
    refused(&|terms| terms.quota = quota(Period::Day, Some(QUOTA_CALLS_MAX + 1), None, None));
    refused(&|terms| terms.quota = quota(Period::Day, None, Some(Price(99_999)), None));
    refused(&|terms| terms.grants = [Right::Fetch].into());
    refused(&|terms| {
        terms.territories = Territories { allow: codes(&["PT"]), deny: codes(&["PT"]) }
    });
    refused(&|terms| terms.delegation.depth = DELEGATION_DEPTH_MAX + 1);
    refused(&|terms| terms.derivatives.allowed = false);
    refused(&|terms| terms.derivatives.share = Weight(1_000_000_001));
    refused(&|terms| terms.text = Some(LegalText::Spdx("a\"b".into())));
    refused(&|terms| terms.text = Some(LegalText::Spdx(String::new())));
    refused(&|terms| terms.text = Some(LegalText::Spdx("a".repeat(SPDX_BYTES_MAX + 1))));
    refused(&|terms| terms.purposes.deny = terms.purposes.allow.clone());
    refused(&|terms| {
        terms.purposes.allow = (0..=PURPOSES_MAX).map(|i| purpose(&format!("p{i}"))).collect();
    });
    assert!(Terms::from_document(&vec![0; TERMS_BYTES_MAX + 1]).is_err());
}

/// A rate beyond its limits, and a code that is not assigned, have no spelling at all.
#[test]
fn documents_hold_only_what_has_a_spelling() {
    let bytes = full().to_document();
    let check = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + from.len()].copy_from_slice(to);
        let refused = Terms::from_document(&changed);
        assert!(matches!(refused, Err(TermsDocumentError::Document(_))), "{refused:?}");
    };
    check(b"5/s", b"0/s");
    check(b"5/s", b"5/d");
    check(b"AQ", b"ZZ");
    check(b"breach", b"broken");
    let mut empty = exemplar();
    empty.revoke_if.clear();
    empty.territories = Territories::default();
    assert_eq!(empty.to_document(), exemplar().to_document());
}

#[test]
fn terms_that_are_over_bind_nobody() {
    let check = |term, now, over| {
        let expect = matches!(term, Some(Term::Until(_))) && over;
        let found = Terms { term, ..exemplar() }.problem_at(Moment(now));
        assert_eq!(found.is_some(), expect, "{found:?}");
    };
    check(None, u64::MAX, true);
    check(Some(Term::Days(1)), u64::MAX, true);
    check(Some(Term::Until(Moment(1_000))), 999, false);
    check(Some(Term::Until(Moment(1_000))), 1_000, true);
    let until = Moment(1_000);
    let over = Terms { term: Some(Term::Until(until)), ..exemplar() }.problem_at(until);
    assert_eq!(over, Some(Problem::Over { until }));
    assert_eq!(over.unwrap().to_string(), "the term ended at 1970-01-01T00:00:01Z");
}

#[test]
fn largest_terms_fit_the_limit() {
    let long = |letter: char| {
        (0..PURPOSES_MAX).map(move |i| {
            purpose(&format!("{i:02}{}", letter.to_string().repeat(PURPOSE_BYTES_MAX - 2)))
        })
    };
    let terms = Terms {
        purposes: Purposes { allow: long('a').collect(), deny: long('b').collect() },
        territories: Territories { allow: Territory::all().collect(), deny: BTreeSet::new() },
        text: Some(LegalText::Spdx("a".repeat(SPDX_BYTES_MAX))),
        ..full()
    };
    assert_eq!(terms.check(), Ok(()));
    assert!(terms.print().len() <= TERMS_BYTES_MAX);
    assert!(terms.to_document().len() <= TERMS_BYTES_MAX);
}

#[test]
fn royalties() {
    let check = |per_mu, per_call, minimum, mu, expect: Option<u64>| {
        let rule =
            PriceRule { per_mu: Price(per_mu), per_call: Price(per_call), minimum: Price(minimum) };
        assert_eq!(rule.royalty(Mu(mu)), expect.map(Price), "{rule:?} {mu}");
    };
    check(0, 0, 0, 1_000_000_000, Some(0));
    check(2_000, 100_000, 0, 1_500_000_000, Some(103_000));
    check(1, 0, 0, 999_999_999, Some(0));
    check(1, 0, 7, 999_999_999, Some(7));
    check(1, 5, 7, 2_000_000_000, Some(7));
    check(1, 6, 7, 2_000_000_000, Some(8));
    check(1, u64::MAX, 0, 1_000_000_000, None);
    check(u64::MAX, 0, 0, 2_000_000_000, None);
    check(2, 0, 0, u128::MAX, None);
    let rule = PriceRule { per_mu: Price(9), per_call: Price(3), minimum: Price(2) };
    assert_eq!(Terms { price: rule, ..exemplar() }.minimum_price_per_call(), Price(3));
}

#[test]
fn terms_end() {
    let accepted = Moment(1_000);
    let check = |term, expect: Option<u64>| {
        assert_eq!(Terms { term, ..exemplar() }.expires(accepted), expect.map(Moment));
    };
    check(None, None);
    check(Some(Term::Days(1)), Some(86_401_000));
    check(Some(Term::Until(Moment(5))), Some(5));
}

#[test]
fn sentences_in_a_lawyers_order() {
    let expect = [
        "You may call this through a gateway; build another capsule from it.",
        "You may do so only for these purposes: evaluation, research.",
        "Never for: surveillance.",
        "You may do so anywhere.",
        "The grant ends 30 days after you accept it.",
        "At most 100 calls per UTC day.",
        "The owner asks 0.000002000 credits per MU of work plus 0.000100000 credits per call; \
         node and network fees come on top.",
        "You may pass your certificate on, narrowed, up to 2 times over.",
        "What is built on this may be published on terms that are not wider; 15% of its royalty \
         is due here, at least 0.000000050 credits per call.",
        "You may end the grant; the owner cannot.",
        "The legal text is CC-BY-4.0 (SPDX).",
    ];
    assert_eq!(exemplar().explain(), expect);
    let bare = [
        "You may fetch its content.",
        "You may do so for any purpose.",
        "You may do so anywhere.",
        "The grant has no end date.",
        "You may call as often as you like.",
        "The owner asks no royalty; nodes and the network ask their own fees.",
        "You may pass your certificate on, narrowed, up to 15 times over.",
        "Nothing built on this may be published.",
        "You may end the grant; the owner cannot.",
        "No legal text is attached; these sentences are all there is.",
    ];
    assert_eq!(Terms::granting([Right::Fetch]).explain(), bare);
}

#[test]
fn sentences_of_limits_places_and_ends() {
    let said = full().explain();
    let expect = [
        "You may do so only in these territories: FR, NO, PT.",
        "Never in: AQ.",
        "You declare your territory when you accept.",
        "The grant ends 30 days after you accept it.",
        "At most 100 calls per UTC day.",
        "At most 5 calls per second.",
        "You may spend at most 20.000000000 credits on this per UTC day, node fees included.",
    ];
    assert_eq!(said[3..10], expect);
    let end = "You may end the grant; the owner may, when a dispute against you was upheld; \
               when no open channel of yours backs it; at any time.";
    assert!(said.iter().any(|sentence| sentence == end), "{said:#?}");
    let rate = Quota {
        per: Period::Term,
        calls: None,
        spend: None,
        rate: Some(Rate { calls: 1, per: RateUnit::Hour }),
    };
    let only = Terms { quota: Some(rate), ..exemplar() }.explain();
    assert_eq!(only[5], "At most 1 call per hour.");
}

proptest! {
    #[test]
    fn printed_terms_parse_and_documents_survive(terms in any_terms()) {
        prop_assert_eq!(terms.check(), Ok(()));
        prop_assert_eq!(Terms::parse(&terms.print()), Ok(terms.clone()), "{}", terms.print());
        prop_assert_eq!(Terms::from_document(&terms.to_document()), Ok(terms));
    }

    #[test]
    fn royalty_never_falls_with_work(terms in any_terms(), mu: u64, more: u64) {
        let (less, total) = (Mu(mu.into()), Mu(u128::from(mu) + u128::from(more)));
        if let Some(royalty) = terms.price.royalty(total) {
            prop_assert!(terms.price.royalty(less).is_some_and(|least| least <= royalty));
            prop_assert!(royalty >= terms.minimum_price_per_call());
        }
    }
}
