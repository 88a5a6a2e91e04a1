//! From where the words of an answer could have been drawn, if a model that is records had written
//! it: the evidence of the corpus model, whichever engine it was.
//!
//! The model draws from all datanets that a capsule is built on and that are here, together, so
//! that for an answer of such a model the evidence says exactly what it did. Records that another
//! node has searched for the call are asked there, alone.

use crate::attribute::{Attribution, Datanet, Records, cut};
use crate::errand::wire::Replay;
use crate::routing::Dispatch;
use ambar_attribution::span::OUTPUT_BYTES_MAX;
use ambar_attribution::{CorpusModelEvidence, Method};
use ambar_corpus::{Corpus, Together};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Evidence by the number of its datanet.
type Drawn = BTreeMap<u64, CorpusModelEvidence>;

impl Attribution<'_> {
    /// The evidence of those datanets of one plan that pay for it.
    pub(crate) async fn drawn(
        &self,
        dispatch: &Dispatch<'_>,
        datanets: &[(u64, &Datanet)],
    ) -> Drawn {
        let pays = |datanet: &Datanet| datanet.uses(Method::CorpusModel);
        if !datanets.iter().any(|(_, datanet)| pays(datanet)) {
            return Drawn::new();
        }
        let (mut here, mut drawn) = (Vec::new(), Drawn::new());
        for (number, datanet) in datanets {
            match &datanet.records {
                Records::Here(corpus) => here.push((*number, Arc::clone(corpus))),
                Records::OnRoute(part) => match dispatch.corpus(*part) {
                    Some(corpus) => here.push((*number, corpus)),
                    None if pays(datanet) => {
                        let found = dispatch.replay(*part, self.asked()).await;
                        drawn.extend(found.map(|found| (*number, found)));
                    }
                    None => {}
                },
            }
        }
        drawn.extend(self.together(here).await);
        drawn.retain(|number, _| datanets.iter().any(|(n, net)| n == number && pays(net)));
        drawn
    }

    fn asked(&self) -> Replay {
        Replay {
            prompt: self.prompt.to_owned(),
            output: cut(self.output, OUTPUT_BYTES_MAX as usize).as_bytes().to_vec(),
            prompt_digest: self.prompt_digest,
            output_digest: self.output_digest,
            context_words_max: self.model.context_words_max,
            count_min: self.model.count_min,
        }
    }

    /// The evidence of corpora here. A common word stands in many places: off the runtime.
    async fn together(&self, here: Vec<(u64, Arc<Corpus>)>) -> Drawn {
        let asked = self.asked();
        let read = tokio::task::spawn_blocking(move || {
            let together = Together::of(here.iter().map(|(_, corpus)| &**corpus).collect())?;
            let digests = (asked.prompt_digest, asked.output_digest);
            let texts = (asked.prompt.as_str(), &asked.output[..]);
            let found = together.replay(texts, digests, &asked.parameters())?;
            Ok::<_, ambar_corpus::CorpusError>(
                here.iter().map(|(number, _)| *number).zip(found).collect::<Drawn>(),
            )
        });
        match read.await {
            Ok(Ok(drawn)) => drawn,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an answer was not read as the corpus model's");
                Drawn::new()
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}
