//! Whoever reports validators that vote against themselves, as every node does.

use crate::told::Told;
use ambar_base::{Encode, NetworkId, PublicKey};
use ambar_consensus::simulation::Net;
use ambar_ledger::SignedTransaction;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reports what any member has seen until everything is healed. What a member sees later
/// stays in the evidence that the judge is shown.
pub async fn watch(net: Net, told: Told, network: NetworkId) {
    let mut reported: BTreeSet<PublicKey> = BTreeSet::new();
    while !net.healed() {
        net.sleep(LOOK_EVERY).await;
        for member in 0..net.members() {
            for evidence in net.evidence(member) {
                let key = evidence.key();
                told.caught(key, member);
                if reported.contains(&key) {
                    continue;
                }
                let report = SignedTransaction::report(network, evidence).to_bytes();
                let answer = net.submit(member, report, PATIENCE).await;
                // Another may have reported it in the meantime.
                if answer.is_some_and(|answer| answer.is_ok()) {
                    reported.insert(key);
                }
            }
        }
    }
}
