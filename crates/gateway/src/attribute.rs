//! Attribution of one call: which contributors of which datanets its answer used.
//!
//! It runs after the last token, off the token path. A datanet that this node does not
//! hold, and nobody on the route serves, gets no shares: its treasury is paid.

use crate::compose::Retrieved;
use crate::route::Part;
use crate::routing::Dispatch;
use crate::serving::{Offer, Serving};
use crate::view::LedgerView;
use ambar_attribution::span::{OUTPUT_BYTES_MAX, SpanParameters};
use ambar_attribution::{
    CorpusModelParameters, Divided, Division, Evidence, Method, Sharing, SpanEvidence, shares,
};
use ambar_base::{Cid, Digest, Weight};
use ambar_capsule::{Manifest, Party, SignedManifest};
use ambar_corpus::Corpus;
use ambar_ledger::Key;
use ambar_ledger::object::Version;
use ambar_ledger::query::State;
use ambar_receipt::{Line, Shares};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a call's attribution is made from.
pub struct Attribution<'a> {
    /// The state that the route was found in.
    pub view: &'a LedgerView,
    /// What this node serves.
    pub serving: &'a Serving,
    /// The parts of the route.
    pub parts: &'a [Part],
    /// The identity of the call.
    pub call: Digest,
    /// What was retrieved.
    pub retrieved: Option<&'a Retrieved>,
    /// What the model answered.
    pub output: &'a str,
    /// What stands for the answer in the evidence.
    pub output_digest: Digest,
    /// The last words that the model was given.
    pub prompt: &'a str,
    /// What stands for the question in the evidence.
    pub prompt_digest: Digest,
    /// How far a model that is records looks back: as the one that answered, if it is one.
    pub model: CorpusModelParameters,
}

pub(crate) struct Datanet {
    pub(crate) id: Cid,
    pub(crate) records: Records,
    methods: Vec<(Method, Weight)>,
    sharing: Sharing,
    /// Among how many somebody is drawn.
    contributors: u32,
}

impl Datanet {
    fn division(&self, total: Weight, call: Digest) -> Division<'_> {
        let Self { id, methods, sharing, contributors, .. } = self;
        let (sharing, contributors) = (*sharing, *contributors);
        Division { total, mix: methods, sharing, contributors, call, datanet: *id }
    }
}

/// Where the records are.
pub(crate) enum Records {
    /// With whoever serves a part of the route.
    OnRoute(usize),
    /// Here.
    Here(Arc<Corpus>),
}

/// What was quoted of each datanet, looked up once.
type Quoted = BTreeMap<u64, Option<SpanEvidence>>;

impl Datanet {
    /// Whether it pays by a method.
    pub(crate) fn uses(&self, method: Method) -> bool {
        self.methods.iter().any(|(used, _)| *used == method)
    }
}

impl Attribution<'_> {
    /// Puts the shares into the lines; the documents behind them.
    pub(crate) async fn attribute(
        &self,
        dispatch: &Dispatch<'_>,
        lines: &mut [Line],
    ) -> Vec<Vec<u8>> {
        let (mut documents, mut quoted) = (Vec::new(), Quoted::new());
        for (part, line) in self.parts.iter().zip(lines) {
            let datanet = |(party, weight)| match party {
                Party::Datanet(number) => Some((number, weight, self.datanet(number)?)),
                _ => None,
            };
            let datanets: Vec<_> = part.version.plan.entries().filter_map(datanet).collect();
            let pool: Vec<_> = datanets.iter().map(|(number, _, net)| (*number, net)).collect();
            let mut words = self.drawn(dispatch, &pool).await;
            for (number, weight, datanet) in &datanets {
                let (number, weight) = (*number, *weight);
                self.quote(dispatch, number, datanet, &mut quoted).await;
                let mut evidence = self.evidence(part, number, datanet, &quoted);
                evidence.extend(words.remove(&number).map(Evidence::CorpusModel));
                let division = datanet.division(weight, self.call);
                let Ok(divided) = shares(&division, &evidence) else { continue };
                let Divided { shares: divided, drawn } = divided;
                for piece in evidence.into_iter().chain(drawn) {
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

    /// A datanet of a plan, if its records can be searched.
    fn datanet(&self, number: u64) -> Option<Datanet> {
        let on_route = self.parts.iter().position(|part| part.number == number);
        let (id, manifest, records) = match on_route {
            Some(index) => {
                let part = &self.parts[index];
                (part.version.id, part.manifest.clone(), Records::OnRoute(index))
            }
            None => self.elsewhere(number)?,
        };
        let method = |number: u16| {
            Method::ALL.iter().copied().find(|method| u16::from(method.number()) == number)
        };
        let declared = manifest.datanet?;
        let (sharing, contributors) = ambar_receipt::sharing(&declared).ok()?;
        let methods = declared.methods.iter();
        let methods = methods.filter_map(|(number, weight)| Some((method(*number)?, *weight)));
        Some(Datanet { id, records, methods: methods.collect(), sharing, contributors })
    }

    fn elsewhere(&self, number: u64) -> Option<(Cid, Manifest, Records)> {
        let version: Version = self.view.object(&Key::Version(number)).ok()??;
        let signed: SignedManifest = self.view.object(&Key::Manifest(number)).ok()??;
        let manifest = Manifest::decode(&signed.bytes).ok()?;
        match self.serving.get(&version.id)? {
            Offer::Datanet(corpus) => Some((version.id, manifest, Records::Here(corpus))),
            Offer::Engine(_) | Offer::Template => None,
        }
    }

    /// Looks up what was quoted, if the datanet pays for that.
    async fn quote(
        &self,
        dispatch: &Dispatch<'_>,
        number: u64,
        datanet: &Datanet,
        quoted: &mut Quoted,
    ) {
        if !datanet.uses(Method::VerbatimSpan) || quoted.contains_key(&number) {
            return;
        }
        let (output, digest) = (cut(self.output, OUTPUT_BYTES_MAX as usize), self.output_digest);
        let traced = match &datanet.records {
            Records::OnRoute(part) => dispatch.trace(*part, output, digest).await,
            Records::Here(corpus) => {
                corpus.trace(output.as_bytes(), digest, &SpanParameters::default()).ok()
            }
        };
        quoted.insert(number, traced);
    }

    /// The evidence of every method that the datanet uses. What was retrieved speaks on
    /// the datanet's own line; what was quoted speaks on every line it has a part in.
    fn evidence(
        &self,
        part: &Part,
        number: u64,
        datanet: &Datanet,
        quoted: &Quoted,
    ) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        if let Some(retrieved) = self.retrieved.filter(|_| part.number == number)
            && self.parts[retrieved.part].number == number
            && datanet.uses(Method::Retrieval)
        {
            evidence.push(Evidence::Retrieval(retrieved.evidence.clone()));
        }
        let spans = quoted.get(&number).cloned().flatten();
        evidence.extend(spans.map(Evidence::VerbatimSpan));
        evidence
    }
}

/// The longest start of a text that is not longer than `bytes_max`.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}
