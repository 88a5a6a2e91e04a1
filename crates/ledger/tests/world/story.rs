//! One network in which a call crosses every kind of party.

use super::{World, contributors, dataset, model, prompt, shares, terms};
use ambar_base::{Cid, ErrorCode, Price};
use ambar_licence::Right;
use ambar_receipt::{Counter, Leaf};

/// The demo's shape: a prompt author's template over a model and a datanet.
pub struct Story {
    pub world: World,
    pub node: u64,
    pub channel: u64,
    /// (version, grant) of prompt, model and datanet.
    pub parts: [(u64, u64); 3],
    pub datanet: Cid,
}

pub fn story() -> Story {
    let mut world = World::new();
    for name in ["curator", "developer", "author", "operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let both = [Right::Call, Right::Compose];
    let table = contributors(&["Ada", "Ben"]);
    let curator = world.id("curator");
    let terms_of = |per_mu, per_call| terms(&both, per_mu, per_call);
    let (data, datanet) = world
        .publish("curator", dataset(curator, &table), &terms_of(9_000, 0), Some(&table), vec![])
        .unwrap();
    let developer = world.id("developer");
    let (llm, llm_id) = world
        .publish("developer", model(developer), &terms_of(2_000_000, 0), None, vec![])
        .unwrap();
    let grants = [world.accept("author", llm_id), world.accept("author", datanet)];
    let [llm_grant, data_grant] = grants.map(Result::unwrap);
    let author = world.id("author");
    let manifest = prompt(author, llm_id, datanet);
    let (ask, ask_id) = world
        .publish("author", manifest, &terms_of(0, 100_000), None, vec![llm_grant, data_grant])
        .unwrap();
    for (owner, id) in [("author", ask_id), ("developer", llm_id), ("curator", datanet)] {
        world.serve(owner, id, "operator");
    }
    let grant = world.accept("caller", ask_id).unwrap();
    let channel = world.channel("caller", "operator", vec![grant], Price::CREDIT);
    world.block(100);
    let parts = [(ask, grant), (llm, llm_grant), (data, data_grant)];
    Story { world, node, channel, parts, datanet }
}

impl Story {
    /// A call as an honest gateway writes it.
    pub fn leaf(&self, n: u64) -> Leaf {
        let counts: [&[(Counter, u64)]; 3] = [
            &[],
            &[(Counter::TokensIn, 256), (Counter::TokensOut, 64)],
            &[(Counter::RetrievedBytes, 700)],
        ];
        let mut lines: Vec<_> = self
            .parts
            .iter()
            .zip(counts)
            .map(|((version, grant), counts)| self.world.line(*version, *grant, self.node, counts))
            .collect();
        let data = self.parts[2].0;
        lines[2].shares = vec![
            shares(data, 1, &[(0, 450_000_000)]),
            shares(data, 2, &[(0, 50), (1, 449_999_950)]),
        ];
        self.world.leaf(self.channel, n, lines)
    }

    /// Settles leaves in one batch.
    pub fn settle(&mut self, leaves: Vec<Leaf>) -> Result<(), ambar_ledger::Refusal> {
        self.world.settle("operator", self.node, leaves)
    }

    /// The code with which a leaf alone is refused.
    pub fn refused(&mut self, leaf: Leaf) -> ErrorCode {
        self.settle(vec![leaf]).unwrap_err().code
    }
}
