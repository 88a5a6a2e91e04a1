//! Attribution of one call: which contributors of which datanets its answer used.
//!
//! It runs after the last token, off the token path. A datanet that this node does not
//! hold gets no shares: its treasury is paid.

use crate::compose::Retrieved;
use crate::route::{Part, Route};
use crate::serving::{Offer, Serving};
use crate::view::LedgerView;
use ambar_attribution::span::{OUTPUT_BYTES_MAX, SpanParameters};
use ambar_attribution::{Evidence, Method, shares};
use ambar_base::{Cid, Digest, Weight};
use ambar_capsule::{Manifest, Party, SignedManifest};
use ambar_corpus::Corpus;
use ambar_ledger::Key;
use ambar_ledger::object::Version;
use ambar_ledger::query::State;
use ambar_receipt::{Line, Shares};
use std::sync::Arc;

/// What a call's attribution is made from.
pub struct Attribution<'a> {
    /// The state that the route was found in.
    pub view: &'a LedgerView,
    /// What this node serves.
    pub serving: &'a Serving,
    /// The route.
    pub route: &'a Route,
    /// The identity of the call.
    pub call: Digest,
    /// What was retrieved.
    pub retrieved: Option<&'a Retrieved>,
    /// What the model answered.
    pub output: &'a str,
    /// What stands for the answer in the evidence.
    pub output_digest: Digest,
}

struct Datanet {
    id: Cid,
    corpus: Arc<Corpus>,
    methods: Vec<(Method, Weight)>,
}

impl Attribution<'_> {
    /// Puts the shares into the lines; the documents behind them.
    pub fn attribute(&self, lines: &mut [Line]) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for (part, line) in self.route.parts.iter().zip(lines) {
            for (party, weight) in part.version.plan.entries() {
                let Party::Datanet(number) = party else { continue };
                let Some(datanet) = self.datanet(number) else { continue };
                let evidence = self.evidence(part, number, &datanet);
                let divided = shares(weight, &datanet.methods, &evidence, self.call, datanet.id);
                let Ok(divided) = divided else { continue };
                for piece in evidence {
                    if divided.iter().any(|shares| shares.evidence_root == piece.root()) {
                        documents.push(piece.encode());
                    }
                }
                line.shares.extend(divided.into_iter().map(|shares| Shares {
                    datanet: number,
                    method: u16::from(shares.method.number()),
                    weights: shares.weights,
                    evidence: shares.evidence_root,
                }));
            }
        }
        documents.sort_unstable();
        documents.dedup();
        documents
    }

    /// A datanet of a plan, if this node holds its records.
    fn datanet(&self, number: u64) -> Option<Datanet> {
        let on_route = self.route.parts.iter().find(|part| part.number == number);
        let (id, manifest, offer) = match on_route {
            Some(part) => (part.version.id, part.manifest.clone(), part.offer.clone()),
            None => self.elsewhere(number)?,
        };
        let Offer::Datanet(corpus) = offer else { return None };
        let method = |number: u16| {
            Method::ALL.iter().copied().find(|method| u16::from(method.number()) == number)
        };
        let methods = manifest.datanet?.methods;
        let methods =
            methods.iter().filter_map(|(number, weight)| Some((method(*number)?, *weight)));
        Some(Datanet { id, corpus, methods: methods.collect() })
    }

    fn elsewhere(&self, number: u64) -> Option<(Cid, Manifest, Offer)> {
        let version: Version = self.view.object(&Key::Version(number)).ok()??;
        let signed: SignedManifest = self.view.object(&Key::Manifest(number)).ok()??;
        let manifest = Manifest::decode(&signed.bytes).ok()?;
        Some((version.id, manifest, self.serving.get(&version.id)?))
    }

    /// The evidence of every method that the datanet uses. What was retrieved speaks on
    /// the datanet's own line; what was quoted speaks on every line it has a part in.
    fn evidence(&self, part: &Part, number: u64, datanet: &Datanet) -> Vec<Evidence> {
        let uses = |method| datanet.methods.iter().any(|(used, _)| *used == method);
        let mut evidence = Vec::new();
        if let Some(retrieved) = self.retrieved.filter(|_| part.number == number)
            && self.route.parts[retrieved.part].number == number
            && uses(Method::Retrieval)
        {
            evidence.push(Evidence::Retrieval(retrieved.evidence.clone()));
        }
        if uses(Method::VerbatimSpan) {
            let output = cut(self.output, OUTPUT_BYTES_MAX as usize).as_bytes();
            let traced =
                datanet.corpus.trace(output, self.output_digest, &SpanParameters::default());
            evidence.extend(traced.ok().map(Evidence::VerbatimSpan));
        }
        evidence
    }
}

/// The longest start of a text that is not longer than `bytes_max`.
fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}
