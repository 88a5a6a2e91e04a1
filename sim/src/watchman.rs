//! Whoever reports validators that vote against themselves, as every node does.

use crate::person::Seen;
use crate::simulation::Net;
use crate::told::Told;
use ambar_base::finality::Evidence;
use ambar_base::{Encode, NetworkId, PublicKey};
use ambar_ledger::query::State;
use ambar_ledger::roster::Roster;
use ambar_ledger::{Key, Refusal, SignedTransaction};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Somebody who was caught.
struct Caught {
    evidence: Evidence,
    /// Whether a report of it is final.
    reported: bool,
}

/// Reports what any member has seen, at one member after another, until every honest member
/// has got far enough and whoever was caught by then has lost the seat. What was seen is kept
/// here: whoever saw it may crash before the report is final.
pub async fn watch(net: Net, told: Told, network: NetworkId) {
    let mut caught: BTreeMap<PublicKey, Caught> = BTreeMap::new();
    for turn in 0.. {
        let last = net.reached();
        for member in 0..net.members() {
            for evidence in net.evidence(member) {
                let key = evidence.key();
                told.caught(key, member);
                caught.entry(key).or_insert(Caught { evidence, reported: false });
            }
        }
        for one in caught.values_mut().filter(|one| !one.reported) {
            let what = (network, one.evidence.clone());
            one.reported = report(&net, turn % net.members(), what).await;
        }
        if last && caught.keys().all(|key| has_no_seat(&net, key)) {
            return;
        }
        net.sleep(LOOK_EVERY).await;
    }
}

/// Whether the report is final. If not, it is made again.
async fn report(net: &Net, member: usize, (network, evidence): (NetworkId, Evidence)) -> bool {
    let report = SignedTransaction::report(network, evidence).to_bytes();
    net.submit(member, report, PATIENCE).await.is_some_and(|answer| answer.is_ok())
}

/// Whether the newest state that any member has seats somebody else.
fn has_no_seat(net: &Net, key: &PublicKey) -> bool {
    let views = (0..net.members()).filter_map(|member| net.read(member));
    let newest = views.max_by_key(|view| view.head().height).map(Seen);
    newest.is_some_and(|seen| seat(&seen, key).is_ok_and(|seated| !seated))
}

fn seat(seen: &Seen, key: &PublicKey) -> Result<bool, Refusal> {
    let number: u64 = seen.must("validator", key.did(), &Key::ValidatorNumber(*key))?;
    let roster: Roster = seen.roster()?;
    Ok(roster.seats.contains(&number))
}
