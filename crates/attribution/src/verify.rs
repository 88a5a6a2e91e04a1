//! Checking claimed shares: evidence is read strictly, shares are computed again and
//! compared. Whether the evidence is true of the corpus needs the corpus: see `corpus`.

use crate::evidence::{Evidence, EvidenceError};
use crate::method::{Attributor, Method};
use crate::shares::{Division, MethodShares, SharesError, shares};
use ambar_base::{Coded, Digest, ErrorCode, Weight};

/// Why claimed shares do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The evidence cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Evidence and mix do not give shares.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// Other methods than the evidence gives, or in another order.
    #[error("shares of {claimed} methods are claimed, the evidence gives others ({expected})")]
    Methods {
        /// Number of methods claimed.
        claimed: usize,
        /// Number of methods recomputed.
        expected: usize,
    },
    /// A root that is not that of the evidence.
    #[error("the evidence of method {} has root {expected}, not {claimed}", .method.name())]
    Root {
        /// The method.
        method: Method,
        /// Root claimed.
        claimed: Digest,
        /// Root recomputed.
        expected: Digest,
    },
    /// Weights that the evidence does not give.
    #[error("method {} gives contributor {contributor} {expected}, not {claimed}", .method.name())]
    Weight {
        /// The method.
        method: Method,
        /// The first contributor that differs.
        contributor: u32,
        /// Weight claimed.
        claimed: Weight,
        /// Weight recomputed.
        expected: Weight,
    },
    /// The same weights, but not each contributor once in ascending order.
    #[error("the weights of method {} are not in ascending order of contributors", .0.name())]
    Order(Method),
}

impl Coded for VerifyError {
    fn code(&self) -> ErrorCode {
        ErrorCode::ReceiptInvalid
    }
}

/// Computes shares again from evidence documents and compares them with those claimed.
/// Evidence that found nothing may be left out.
pub fn verify(
    claimed: &[MethodShares],
    evidence: &[&[u8]],
    division: &Division<'_>,
) -> Result<(), VerifyError> {
    let evidence: Vec<Evidence> =
        evidence.iter().map(|bytes| Evidence::decode(bytes)).collect::<Result<_, _>>()?;
    check_roots(claimed, &evidence)?;
    let expected = shares(division, &evidence)?.shares;
    let methods = |shares: &[MethodShares]| shares.iter().map(|s| s.method).collect::<Vec<_>>();
    if methods(claimed) != methods(&expected) {
        let (claimed, expected) = (claimed.len(), expected.len());
        return Err(VerifyError::Methods { claimed, expected });
    }
    claimed.iter().zip(&expected).try_for_each(|(claimed, expected)| compare(claimed, expected))
}

/// The root says which evidence is meant, so it is compared before what follows from it.
fn check_roots(claimed: &[MethodShares], evidence: &[Evidence]) -> Result<(), VerifyError> {
    for share in claimed {
        let method = share.method;
        if let Some(piece) = evidence.iter().find(|piece| piece.method() == method) {
            let (claimed, expected) = (share.evidence_root, piece.root());
            if claimed != expected {
                return Err(VerifyError::Root { method, claimed, expected });
            }
        }
    }
    Ok(())
}

fn compare(claimed: &MethodShares, expected: &MethodShares) -> Result<(), VerifyError> {
    if claimed == expected {
        return Ok(());
    }
    let method = claimed.method;
    if claimed.evidence_root != expected.evidence_root {
        // Its own evidence may be as claimed: that of a draw follows from the rest.
        let (claimed, expected) = (claimed.evidence_root, expected.evidence_root);
        return Err(VerifyError::Root { method, claimed, expected });
    }
    let weight = |share: &MethodShares, contributor| {
        let found = share.weights.iter().find(|(other, _)| *other == contributor);
        found.map_or(Weight::ZERO, |(_, weight)| *weight)
    };
    let named =
        claimed.weights.iter().chain(&expected.weights).map(|(contributor, _)| *contributor);
    let differs = |c: &u32| weight(claimed, *c) != weight(expected, *c);
    Err(match named.into_iter().find(differs) {
        Some(contributor) => {
            let (claimed, expected) = (weight(claimed, contributor), weight(expected, contributor));
            VerifyError::Weight { method, contributor, claimed, expected }
        }
        None => VerifyError::Order(method),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{retrieval, span};

    use crate::sharing::Sharing;
    use ambar_base::Cid;

    const MIX: [(Method, Weight); 2] =
        [(Method::Retrieval, Weight(700_000_000)), (Method::VerbatimSpan, Weight(300_000_000))];

    fn division(total: u32, sharing: Sharing) -> Division<'static> {
        let (call, datanet) = (Digest::of(b"call"), Cid::of(b"datanet"));
        Division { total: Weight(total), mix: &MIX, sharing, contributors: 6, call, datanet }
    }

    fn evidence() -> [Evidence; 2] {
        let retrieval = Evidence::Retrieval(retrieval::tests::sample());
        [retrieval, Evidence::VerbatimSpan(span::tests::sample())]
    }

    fn verified(claimed: &[MethodShares], total: u32) -> Result<(), VerifyError> {
        let bytes = evidence().map(|piece| piece.encode());
        let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        verify(claimed, &bytes, &division(total, Sharing::USUAL))
    }

    fn honest() -> Vec<MethodShares> {
        shares(&division(1_000_001, Sharing::USUAL), &evidence()).unwrap().shares
    }

    #[test]
    fn honest_shares_hold() {
        assert_eq!(verified(&honest(), 1_000_001), Ok(()));
    }

    #[test]
    fn every_lie_is_named() {
        let check = |change: &dyn Fn(&mut Vec<MethodShares>),
                     expect: &dyn Fn(&VerifyError) -> bool| {
            let mut claimed = honest();
            change(&mut claimed);
            let error = verified(&claimed, 1_000_001).unwrap_err();
            assert!(expect(&error), "{error}");
        };
        check(&|s| s[0].weights[0].1.0 += 1, &|e| {
            matches!(e, VerifyError::Weight { method: Method::Retrieval, contributor: 2, .. })
        });
        check(&|s| s[1].weights.push((77, Weight(1))), &|e| {
            matches!(e, VerifyError::Weight { contributor: 77, expected: Weight::ZERO, .. })
        });
        check(&|s| s[0].weights.push((2, Weight(9))), &|e| matches!(e, VerifyError::Order(_)));
        check(&|s| s[0].weights.reverse(), &|e| matches!(e, VerifyError::Order(_)));
        check(&|s| s[1].evidence_root = Digest::ZERO, &|e| matches!(e, VerifyError::Root { .. }));
        check(&|s| drop(s.pop()), &|e| {
            matches!(e, VerifyError::Methods { claimed: 1, expected: 2 })
        });
        check(&|s| s.reverse(), &|e| matches!(e, VerifyError::Methods { .. }));
    }

    #[test]
    fn changed_tallies_are_another_evidence() {
        let mix = [(Method::CorpusModel, Weight::ONE)];
        let division = Division { mix: &mix, ..division(1_000_001, Sharing::USUAL) };
        let mut drawn = crate::corpus_model::tests::sample();
        let honest = Evidence::CorpusModel(drawn.clone());
        let claimed = shares(&division, std::slice::from_ref(&honest)).unwrap().shares;
        let verified = |evidence: &Evidence| verify(&claimed, &[&evidence.encode()], &division);
        assert_eq!(verified(&honest), Ok(()));
        // Credit moved between contributors: the sum holds, the root does not.
        drawn.tallies[0].credit -= 9;
        drawn.tallies[1].credit += 9;
        let moved = Evidence::CorpusModel(drawn.clone());
        assert!(matches!(verified(&moved), Err(VerifyError::Root { .. })));
        drawn.tallies[1].credit += 1;
        let more = verified(&Evidence::CorpusModel(drawn));
        assert!(matches!(more, Err(VerifyError::Evidence(_))));
    }

    #[test]
    fn another_total_call_or_evidence_fails() {
        assert!(matches!(verified(&honest(), 1_000_002), Err(VerifyError::Weight { .. })));
        let one = division(1, Sharing::USUAL);
        let nothing = verify(&honest(), &[], &one);
        assert_eq!(nothing, Err(VerifyError::Methods { claimed: 2, expected: 0 }));
        assert!(matches!(verify(&[], &[b"x"], &one), Err(VerifyError::Evidence(_))));
    }

    /// Who was drawn is in the evidence, and follows from call, datanet and rules besides.
    #[test]
    fn a_draw_is_repeated() {
        let sharing =
            Sharing { floor: Weight(100_000_000), cap: Weight(200_000_000), ..Sharing::USUAL };
        let whole = division(1_000_000_000, sharing);
        let honest = shares(&whole, &evidence()).unwrap();
        let bytes: Vec<Vec<u8>> =
            evidence().iter().chain(&honest.drawn).map(Evidence::encode).collect();
        let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let verified = |claimed: &[MethodShares], division| verify(claimed, &bytes, &division);
        assert_eq!(honest.shares.len(), 3);
        assert_eq!(verified(&honest.shares, whole), Ok(()));
        let without = &honest.shares[..2];
        assert!(matches!(verified(without, whole), Err(VerifyError::Methods { .. })));
        let mut friend = honest.shares.clone();
        friend[2].weights[0].0 = 5 - friend[2].weights[0].0;
        assert!(matches!(verified(&friend, whole), Err(VerifyError::Weight { .. })));
        let more = Division { contributors: 7, ..whole };
        let floor = |error: &VerifyError| {
            matches!(error, VerifyError::Root { method: Method::CommonFloor, .. })
        };
        assert!(verified(&honest.shares, more).is_err_and(|error| floor(&error)));
        let other = Division { call: Digest::of(b"other"), ..whole };
        assert!(verified(&honest.shares, other).is_err());
        let fewer = Division { contributors: 2, ..whole };
        let stranger = VerifyError::Shares(SharesError::Contributor(2));
        assert_eq!(verified(&honest.shares, fewer), Err(stranger));
        let looser = Sharing { cap: Weight(300_000_000), ..sharing };
        let looser = Division { sharing: looser, ..whole };
        assert!(verified(&honest.shares, looser).is_err());
    }
}
