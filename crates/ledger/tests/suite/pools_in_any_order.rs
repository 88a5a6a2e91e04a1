//! Whatever anybody does with a pool, in whatever order, its books are kept.

use crate::pools::{case, record};
use ambar_base::Digest;
use ambar_ledger::Operation;
use ambar_ledger::object::{PoolRecord, REVEAL_MS, SubmissionState};
use ambar_ledger::transaction::Verdict;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Leave(usize),
    Commit(usize, u8),
    Reveal(u8),
    Review(usize, u8, bool),
    Withdraw(u8),
    Block(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0_usize..4;
    let step = prop_oneof![
        1 => who().prop_map(Step::Join),
        1 => who().prop_map(Step::Leave),
        4 => (who(), 0_u8..3).prop_map(|(who, content)| Step::Commit(who, content)),
        4 => (0_u8..12).prop_map(Step::Reveal),
        4 => (0_usize..2, 0_u8..12, any::<bool>()).prop_map(|(r, n, yes)| Step::Review(r, n, yes)),
        1 => (0_u8..12).prop_map(Step::Withdraw),
        3 => any::<bool>().prop_map(Step::Block),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever anybody does in whatever order: credits are conserved, deposits are held for what
    /// is open, pools count what they have, and a content stands once.
    #[test]
    fn pools_keep_their_books(steps in steps()) {
        const WHO: [&str; 4] = ["ben", "cleo", "rita", "ana"];
        let mut case = case(1);
        let mut made: Vec<(&str, PoolRecord)> = Vec::new();
        for step in steps {
            // What is refused changes nothing, as every step checks.
            let _ = match step {
                Step::Join(who) => case.join(WHO[who]).map(|_| ()),
                Step::Leave(who) => case.act(WHO[who], Operation::LeavePool(0)).map(|_| ()),
                Step::Commit(who, content) => {
                    let record = record(&format!("content {content}"));
                    let committed = case.commit(WHO[who], &record);
                    committed.map(|_| made.push((WHO[who], record)))
                }
                Step::Reveal(n) => match made.get(usize::from(n)).cloned() {
                    Some((who, record)) => {
                        case.reveal(who, (0, u64::from(n)), &record).map(|_| ())
                    }
                    None => Ok(()),
                },
                Step::Review(reviewer, n, yes) => {
                    let verdict = if yes { Verdict::Accept } else { Verdict::Reject("no".into()) };
                    case.review(["rita", "rolf"][reviewer], n.into(), verdict).map(|_| ())
                }
                Step::Withdraw(n) => match made.get(usize::from(n)).map(|(who, _)| *who) {
                    Some(who) => case.withdraw(who, n.into()).map(|_| ()),
                    None => Ok(()),
                },
                Step::Block(long) => {
                    case.world.block(if long { REVEAL_MS } else { 1 });
                    Ok(())
                }
            };
            let standing = (0..made.len() as u64).map(|n| case.submission(n));
            let standing = standing.filter(|one| matches!(one.state, SubmissionState::Accepted(_)));
            let mut contents: Vec<Digest> =
                standing.map(|one| one.record().unwrap().content).collect();
            let all = contents.len();
            contents.sort_unstable();
            contents.dedup();
            prop_assert_eq!(contents.len(), all, "a content stands twice");
        }
    }
}
