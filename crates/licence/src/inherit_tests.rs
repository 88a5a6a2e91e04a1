use super::*;
use crate::terms::tests::any_terms;
use crate::terms::{Derivatives, Purposes};
use crate::territory::Territories;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Terms that let things be built on them for a tenth, with these lines beside it.
fn terms(lines: &str) -> Terms {
    let said = |key: &str, line: &'static str| if lines.contains(key) { "" } else { line };
    let rights = said("grants", "grants = [\"call\", \"derive\"]\n");
    let derivatives =
        said("derivatives", "derivatives.allowed = true\nderivatives.share = \"10%\"\n");
    Terms::parse(&format!("terms = 1\n{rights}{lines}\n{derivatives}")).unwrap()
}

/// What a child with these lines is told under an ancestor with those.
#[track_caller]
fn row(child: &str, ancestor: &str, expect: &[&str]) {
    let found = check(&terms(child), &terms(ancestor));
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expect, "{child} under {ancestor}");
}

const NOTHING: &str = "derivatives.allowed = false";
const FORBIDDEN: &str = "derivatives.allowed: nothing built on it may be published";

#[test]
fn derivatives() {
    let share = |share: &str| format!("derivatives = {{ allowed = true, share = \"{share}\" }}");
    let below = |least: &str, found: &str| {
        format!("derivatives.share: it asks a share of {least} of what is built on it, not {found}")
    };
    row("", "", &[]);
    row("", NOTHING, &[FORBIDDEN]);
    row(NOTHING, NOTHING, &[FORBIDDEN]);
    row(NOTHING, "", &[]);
    row(&share("10%"), "", &[]);
    row(&share("11%"), "", &[]);
    row(&share("9.9999999%"), "", &[&below("10%", "9.9999999%")]);
    row(&share("0%"), "", &[&below("10%", "0%")]);
    row(&share("0%"), &share("0%"), &[]);
    row(&share("99%"), &share("100%"), &[&below("100%", "99%")]);
    row(NOTHING, &share("100%"), &[]);
}

#[test]
fn rights_that_hand_content_on() {
    let rights = |words: &str| format!("grants = [{words}]");
    let not = |right: &str| format!("grants: it does not grant to {right}");
    let call = rights("\"call\"");
    row(&call, "", &[]);
    row(&rights("\"call\", \"compose\""), &rights("\"derive\""), &[]);
    row("", &call, &[&not("derive")]);
    row(&rights("\"fetch\""), "", &[&not("fetch")]);
    row(&rights("\"train\""), "", &[&not("train")]);
    row(&rights("\"compute\""), "", &[&not("compute")]);
    row(&rights("\"fetch\", \"train\""), &call, &[&not("fetch"), &not("train")]);
    row(&rights("\"fetch\""), &rights("\"fetch\", \"derive\""), &[]);
    row(&rights("\"derive\""), &rights("\"derive\""), &[]);
}

#[test]
fn purposes_are_not_wider() {
    let allow = |words: &str| format!("purposes.allow = [{words}]");
    let deny = |words: &str| format!("purposes.deny = [{words}]");
    let any =
        |words: &str| format!("purposes.allow: any purpose is allowed; it allows only {words}");
    let not = |word: &str| format!("purposes.allow: it does not allow the purpose `{word}`");
    let denied = |word: &str| {
        let clause = "purposes.deny: it denies the purpose";
        format!("{clause} `{word}`, which has to be denied here too")
    };
    row(&allow("\"a\""), "", &[]);
    row(&deny("\"a\""), "", &[]);
    row("", &allow("\"a\""), &[&any("a")]);
    row("", &allow("\"a\", \"b\""), &[&any("a, b")]);
    row(&deny("\"z\""), &allow("\"a\""), &[&any("a")]);
    row(&allow("\"a\""), &allow("\"a\""), &[]);
    row(&allow("\"a\""), &allow("\"a\", \"b\""), &[]);
    row(&allow("\"a\", \"b\""), &allow("\"a\""), &[&not("b")]);
    row(&allow("\"b\", \"c\""), &allow("\"a\""), &[&not("b"), &not("c")]);
    row("", &deny("\"x\""), &[&denied("x")]);
    row(&deny("\"x\""), &deny("\"x\""), &[]);
    row(&deny("\"x\", \"y\""), &deny("\"x\""), &[]);
    row(&deny("\"y\""), &deny("\"x\""), &[&denied("x")]);
    row(&allow("\"a\""), &deny("\"x\""), &[]);
    row(&allow("\"a\", \"x\""), &deny("\"x\""), &[&denied("x")]);
    let both = format!("{}\n{}", allow("\"a\""), deny("\"x\""));
    row(&both, &both, &[]);
    row(&allow("\"a\""), &both, &[]);
    row(&deny("\"x\""), &both, &[&any("a")]);
    row("", &both, &[&any("a"), &denied("x")]);
    row(&allow("\"x\""), &both, &[&denied("x")]);
}

#[test]
fn territories_are_not_wider() {
    let allow = |codes: &str| format!("territories.allow = [{codes}]");
    let deny = |codes: &str| format!("territories.deny = [{codes}]");
    let any = |codes: &str| {
        format!("territories.allow: every territory is allowed; it allows only {codes}")
    };
    let not = |code: &str| format!("territories.allow: it does not allow the territory `{code}`");
    let denied = |code: &str| {
        let clause = "territories.deny: it denies the territory";
        format!("{clause} `{code}`, which has to be denied here too")
    };
    row(&allow("\"PT\""), "", &[]);
    row(&deny("\"PT\""), "", &[]);
    row("", &allow("\"PT\""), &[&any("PT")]);
    row(&deny("\"NO\""), &allow("\"PT\", \"FR\""), &[&any("FR, PT")]);
    row(&allow("\"PT\""), &allow("\"PT\", \"FR\""), &[]);
    row(&allow("\"PT\", \"NO\""), &allow("\"PT\", \"FR\""), &[&not("NO")]);
    row("", &deny("\"NO\""), &[&denied("NO")]);
    row("", &deny("\"NO\", \"AQ\""), &[&denied("AQ"), &denied("NO")]);
    row(&deny("\"NO\""), &deny("\"NO\""), &[]);
    row(&allow("\"PT\""), &deny("\"NO\""), &[]);
    row(&allow("\"PT\", \"NO\""), &deny("\"NO\""), &[&denied("NO")]);
    let all: Vec<_> = Territory::all().map(|code| format!("\"{code}\"")).collect();
    let but_pt: Vec<_> = all.iter().filter(|code| *code != "\"PT\"").cloned().collect();
    row(&deny(&but_pt.join(",")), &allow("\"PT\""), &[]);
    // Terms without territories ask nobody where they are.
    let every = Territory::all().map(|code| code.to_string()).collect::<Vec<_>>().join(", ");
    row("", &allow(&all.join(",")), &[&any(&every)]);
    row(&allow(&all.join(",")), &allow(&all.join(",")), &[]);
}

#[test]
fn what_is_about_the_derivatives_own_calls_is_free() {
    let bound = "term.days = 1\n[quota]\ncalls = 1\n[price]\nper_call = \"5\"\n[delegation]\n\
                 depth = 0\n[text]\nspdx = \"CC-BY-4.0\"\n[derivatives]\nallowed = true\n\
                 floor_per_call = \"1\"";
    row("derivatives.allowed = true", bound, &[]);
    row("revoke_if = [\"owner\"]", "", &[]);
    row("", "revoke_if = [\"breach\"]", &[]);
}

#[test]
fn only_what_cannot_be_corrected_is_a_matter_of_authority() {
    let codes = |child: &str, ancestor: &str| -> Vec<_> {
        check(&terms(child), &terms(ancestor)).iter().map(Coded::code).collect()
    };
    assert_eq!(codes("", NOTHING), [ErrorCode::NotAuthorised]);
    assert_eq!(codes("", "purposes.deny = [\"x\"]"), [ErrorCode::TermsInvalid]);
}

/// Each of a few words is allowed, denied, or not spoken of.
fn lists(allowed: u8, denied: u8, words: [&str; 2]) -> (Vec<String>, Vec<String>) {
    let pick = |bits: u8| {
        let chosen = words.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, word)| (*word).to_owned()).collect()
    };
    (pick(allowed), pick(denied & !allowed))
}

/// Terms from a universe so small that one is often under another.
fn small() -> impl Strategy<Value = Terms> {
    let bits = (0u8..4, 0u8..4);
    (any_terms(), bits.clone(), bits, 0u8..4, (any::<bool>(), 0u32..3)).prop_map(
        |(terms, purposes, places, rights, (closed, share))| {
            let (allow, deny) = lists(purposes.0, purposes.1, ["a", "b"]);
            let word = |word: String| word.parse::<Purpose>().unwrap();
            let mut terms = Terms {
                grants: [Right::Call].into(),
                purposes: Purposes {
                    allow: allow.into_iter().map(word).collect(),
                    deny: deny.into_iter().map(word).collect(),
                },
                ..terms
            };
            let handed = [Right::Derive, Right::Fetch];
            terms.grants.extend(
                handed.into_iter().enumerate().filter(|(at, _)| rights >> at & 1 == 1).map(|x| x.1),
            );
            let (allow, deny) = lists(places.0, places.1, ["FR", "PT"]);
            let code = |code: String| code.parse::<Territory>().unwrap();
            terms.territories = Territories {
                allow: allow.into_iter().map(code).collect(),
                deny: deny.into_iter().map(code).collect(),
            };
            terms.derivatives = Derivatives::default();
            if !closed {
                terms.derivatives.allowed = true;
                terms.derivatives.share = Weight(share * 10_000_000);
            }
            terms
        },
    )
}

/// Something in between: each clause is that of one side or the other.
fn mixed(pick: u8, a: &Terms, b: &Terms) -> Terms {
    let side = |at: u8| if pick >> at & 1 == 1 { a } else { b };
    Terms {
        grants: side(0).grants.clone(),
        purposes: side(1).purposes.clone(),
        territories: side(2).territories.clone(),
        derivatives: side(3).derivatives,
        ..a.clone()
    }
}

/// How many of the triples that were drawn are chains: the property below is not vacuous.
#[test]
fn not_wider_is_transitive() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut chains = 0;
    for _ in 0..15_000 {
        let tree = (small(), small(), any::<[u8; 2]>()).new_tree(&mut runner).unwrap();
        let (child, other, [p, q]) = tree.current();
        let parent = mixed(p, &child, &other);
        let ancestor = mixed(q, &parent, &other);
        if check(&child, &parent).is_empty() && check(&parent, &ancestor).is_empty() {
            chains += 1;
            assert_eq!(check(&child, &ancestor), [], "{child:?}\n{parent:?}\n{ancestor:?}");
        }
    }
    assert!(chains > 500, "{chains} chains were drawn");
}

proptest! {
    /// Accepted terms permit nothing that the ancestor refuses.
    #[test]
    fn what_is_accepted_permits_no_more(child in small(), other in small(), pick: u8) {
        let ancestor = mixed(pick, &child, &other);
        let accepted = check(&child, &ancestor).is_empty();
        let permits = |terms: &Terms, word: Option<&Purpose>| match word {
            None => terms.purposes.allow.is_empty(),
            Some(word) => {
                let Purposes { allow, deny } = &terms.purposes;
                (allow.is_empty() || allow.contains(word)) && !deny.contains(word)
            }
        };
        let words = ["a", "b", "c"].map(|word| word.parse::<Purpose>().unwrap());
        let wide = words.iter().map(Some).chain([None])
            .any(|word| permits(&child, word) && !permits(&ancestor, word));
        let far = Territory::all().any(|at| {
            child.territories.admit(at) && !ancestor.territories.admit(at)
        });
        prop_assert!(!(accepted && (wide || far)), "{child:?} under {ancestor:?}");
        if ancestor.derivatives.allowed && child.grants.is_subset(&ancestor.grants)
            && child.derivatives.share >= ancestor.derivatives.share
            && child.territories.is_empty() == ancestor.territories.is_empty() {
            prop_assert_eq!(accepted, !wide && !far);
        }
    }

    #[test]
    fn terms_are_accepted_under_their_own(terms in any_terms()) {
        let found = check(&terms, &terms);
        prop_assert_eq!(found.is_empty(), terms.derivatives.allowed);
    }
}
