//! One of two engines with one key: it speaks to some and hears all.

use super::{Actor, Hand, Outgoing};
use ambar_chain::types::Key;
use commonware_p2p::Recipients;

/// Speaks to these only.
pub(super) struct Half(pub(super) Vec<Key>);

impl Actor for Half {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        let to = match &outgoing.to {
            Recipients::All => self.0.clone(),
            Recipients::Some(keys) => {
                keys.iter().filter(|key| self.0.contains(key)).cloned().collect()
            }
            Recipients::One(key) => {
                std::iter::once(key).filter(|key| self.0.contains(key)).cloned().collect()
            }
        };
        hand.send(Outgoing { to: Recipients::Some(to), ..outgoing });
    }
}
