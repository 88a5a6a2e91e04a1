//! What is asked of pools, in plain words.

use crate::sharing;
use ambar_ledger::Operation;
use ambar_ledger::object::PoolRules;
use ambar_ledger::transaction::{
    CreatePool, JoinPool, ProposeRules, RevealRecord, ReviewRecord, SubmitRecord, Verdict,
    VoteRules, WithdrawRecord,
};

/// One sentence; nothing for what is not about pools.
pub(super) fn sentence(operation: &Operation) -> Option<String> {
    Some(match operation {
        Operation::CreatePool(CreatePool { name, theme, rules, .. }) => {
            format!("opens pool `{name}`, about {theme}: {}", rules_of(rules))
        }
        Operation::JoinPool(JoinPool { pool, member: Some(member) }) => {
            format!("makes {member} a member of pool {pool}")
        }
        Operation::JoinPool(JoinPool { pool, member: None }) => format!("joins pool {pool}"),
        Operation::LeavePool(pool) => format!("leaves pool {pool}"),
        Operation::SubmitRecord(SubmitRecord { pool, commitment }) => {
            format!("commits to a record for pool {pool}, hidden in {commitment}")
        }
        Operation::RevealRecord(RevealRecord { pool, submission, record, .. }) => format!(
            "reveals submission {submission} to pool {pool}: `{}`, {} bytes, {}",
            record.title, record.bytes, record.licence
        ),
        Operation::ReviewRecord(ReviewRecord { pool, submission, verdict }) => match verdict {
            Verdict::Accept => format!("would take submission {submission} into pool {pool}"),
            Verdict::Reject(reason) => {
                format!("would not take submission {submission} into pool {pool}: {reason}")
            }
        },
        Operation::WithdrawRecord(WithdrawRecord { pool, submission }) => {
            format!("takes submission {submission} back from pool {pool}")
        }
        Operation::ProposeRules(ProposeRules { pool, rules, reviewers }) => format!(
            "proposes {} reviewers and these rules for pool {pool}: {}",
            reviewers.len(),
            rules_of(rules)
        ),
        Operation::VoteRules(VoteRules { pool, proposal, aye }) => {
            let how = if *aye { "for" } else { "against" };
            format!("votes {how} proposal {proposal} of pool {pool}")
        }
        _ => return None,
    })
}

fn rules_of(rules: &PoolRules) -> String {
    let who = if rules.open { "anybody may join" } else { "the steward brings members in" };
    format!(
        "{who}, {} reviews agree, {} credits are set aside for a record, {}",
        rules.agreeing,
        rules.deposit,
        sharing::words(&rules.sharing)
    )
}
