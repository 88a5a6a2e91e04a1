use super::*;
use crate::purpose::PURPOSE_BYTES_MAX;
use proptest::prelude::*;

fn purpose(word: &str) -> Purpose {
    word.parse().unwrap()
}

/// Every clause that version 1 enforces.
pub fn exemplar() -> Terms {
    Terms {
        term: Some(Term::Days(30)),
        quota: Some(Quota { calls: 100, per: Period::Day }),
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

/// Any terms that pass their check.
pub fn any_terms() -> impl Strategy<Value = Terms> {
    let term = prop_oneof![
        (1..=TERM_DAYS_MAX).prop_map(Term::Days),
        (0..=calendar::MOMENT_MAX.0).prop_map(|ms| Term::Until(Moment(ms))),
    ];
    let quota = (1..=QUOTA_CALLS_MAX, proptest::sample::select(Period::ALL.to_vec()))
        .prop_map(|(calls, per)| Quota { calls, per });
    let price = any::<[u64; 3]>().prop_map(|[per_mu, per_call, minimum]| PriceRule {
        per_mu: Price(per_mu),
        per_call: Price(per_call),
        minimum: Price(minimum),
    });
    let derivatives =
        (any::<bool>(), 0..=Weight::ONE.0, any::<u64>()).prop_map(|(allowed, share, floor)| {
            match allowed {
                true => Derivatives { allowed, share: Weight(share), floor_per_call: Price(floor) },
                false => Derivatives::default(),
            }
        });
    let rights = proptest::sample::subsequence(Right::ALL.to_vec(), 1..=Right::ALL.len());
    let option = proptest::option::of::<BoxedStrategy<LegalText>>;
    (
        rights,
        proptest::option::of(term),
        proptest::option::of(quota),
        purposes(),
        0..=DELEGATION_DEPTH_MAX,
        price,
        derivatives,
        option(legal_text().boxed()),
    )
        .prop_map(|(grants, term, quota, purposes, depth, price, derivatives, text)| Terms {
            term,
            quota,
            purposes,
            delegation: Delegation { depth },
            price,
            derivatives,
            text,
            ..Terms::granting(grants)
        })
}

#[test]
fn exemplar_bytes_are_pinned() {
    let document = exemplar().to_document();
    let expect = "fc42570638778059de7aaf4d407a40ee18b47b4aa62bbd0d6eb6d69f9cd6ac98";
    assert_eq!(Digest::of(&document).to_string(), expect, "{}", exemplar().print());
    assert_eq!(exemplar().id(), Cid::of(&document));
    assert_eq!(Terms::from_document(&document), Ok(exemplar()));
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
    refused(&|terms| terms.quota = Some(Quota { calls: 0, per: Period::Day }));
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

#[test]
fn largest_terms_fit_the_limit() {
    let long = |letter: char| {
        (0..PURPOSES_MAX).map(move |i| {
            purpose(&format!("{i:02}{}", letter.to_string().repeat(PURPOSE_BYTES_MAX - 2)))
        })
    };
    let terms = Terms {
        purposes: Purposes { allow: long('a').collect(), deny: long('b').collect() },
        text: Some(LegalText::Spdx("a".repeat(SPDX_BYTES_MAX))),
        ..exemplar()
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
fn periods() {
    let (day, accepted) = (Moment::DAY_MS, Moment(Moment::DAY_MS * 30 + 5));
    let check = |per, now, expect| {
        assert_eq!(
            Quota { calls: 1, per }.period_of(Moment(now), accepted),
            expect,
            "{per:?} {now}"
        );
    };
    check(Period::Day, accepted.0, 0);
    check(Period::Day, day * 31 - 1, 0);
    check(Period::Day, day * 31, 1);
    check(Period::Day, 0, 0);
    check(Period::Month, day * 31 - 1, 0);
    check(Period::Month, day * 31, 1);
    check(Period::Month, day * 365, 12);
    check(Period::Term, u64::MAX, 0);
}

#[test]
fn sentences_in_a_lawyers_order() {
    let expect = [
        "You may call this through a gateway; build another capsule from it.",
        "You may do so only for these purposes: evaluation, research.",
        "Never for: surveillance.",
        "The grant ends 30 days after you accept it.",
        "At most 100 calls per UTC day.",
        "The owner asks 0.000002000 credits per MU of work plus 0.000100000 credits per call; \
         node and network fees come on top.",
        "You may pass your certificate on, narrowed, up to 2 times over.",
        "What is built on this may be published; 15% of its royalty is due here, at least \
         0.000000050 credits per call.",
        "The legal text is CC-BY-4.0 (SPDX).",
    ];
    assert_eq!(exemplar().explain(), expect);
    let bare = [
        "You may fetch its content.",
        "You may do so for any purpose.",
        "The grant has no end date.",
        "You may call as often as you like.",
        "The owner asks no royalty; nodes and the network ask their own fees.",
        "You may pass your certificate on, narrowed, up to 15 times over.",
        "Nothing built on this may be published.",
        "No legal text is attached; these sentences are all there is.",
    ];
    assert_eq!(Terms::granting([Right::Fetch]).explain(), bare);
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
