//! The links between members: how messages travel, and who hears whom.

use super::plan::Link;
use ambar_chain::types::Key;
use commonware_p2p::simulated::{self, Error, Oracle};
use commonware_runtime::deterministic::Context;
use commonware_utils::Probability;
use std::time::Duration;

/// All links.
pub(super) struct Links {
    oracle: Oracle<Key, Context>,
    keys: Vec<Key>,
    link: Link,
    /// For each member whether it is in the group that is cut off.
    apart: Vec<bool>,
}

fn simulated(link: &Link) -> simulated::Link {
    let arrives = 100_u64.saturating_sub(link.loss_percent);
    simulated::Link {
        latency: Duration::from_millis(link.delay_ms),
        jitter: Duration::from_millis(link.jitter_ms),
        success_rate: Probability::new(arrives, 100).expect("at most a hundred of a hundred"),
    }
}

impl Links {
    /// Links everybody with everybody.
    pub(super) async fn new(oracle: Oracle<Key, Context>, keys: Vec<Key>, link: Link) -> Self {
        let apart = vec![false; keys.len()];
        let links = Self { oracle, keys, link, apart };
        links.apply().await;
        links
    }

    /// Makes all links like this.
    pub(super) async fn set(&mut self, link: Link) {
        self.link = link;
        self.apply().await;
    }

    /// Cuts the group off from the others; an empty one joins everybody.
    pub(super) async fn split(&mut self, group: &[usize]) {
        self.apart = (0..self.keys.len()).map(|member| group.contains(&member)).collect();
        self.apply().await;
    }

    async fn apply(&self) {
        for (from, sender) in self.keys.iter().enumerate() {
            for (to, receiver) in self.keys.iter().enumerate().filter(|(to, _)| *to != from) {
                let heard = self.apart[from] == self.apart[to];
                self.renew(sender, receiver, heard).await;
            }
        }
    }

    async fn renew(&self, sender: &Key, receiver: &Key, heard: bool) {
        match self.oracle.remove_link(sender.clone(), receiver.clone()).await {
            Ok(()) | Err(Error::LinkMissing) => {}
            Err(error) => panic!("a link is not removed: {error}"),
        }
        if heard {
            let link = simulated(&self.link);
            let added = self.oracle.add_link(sender.clone(), receiver.clone(), link).await;
            added.unwrap_or_else(|error| panic!("a link is not added: {error}"));
        }
    }
}
