//! Pools and proposals as people read them.

use crate::context::Context;
use crate::failure::Outcome;
use crate::paint::line;
use crate::sharing;
use crate::table::{Side, Table, pairs};
use ambar_node::api::dto::{Pool, PoolRules, Proposal};

/// Longest text in a table, characters.
const CHARS_MAX: usize = 48;

pub(super) async fn list(context: &Context, after: Option<&str>) -> Outcome {
    let part = context.client()?.pools(after).await?;
    context.print(&part, || {
        let columns = [
            ("pool", Side::Right),
            ("name", Side::Left),
            ("records", Side::Right),
            ("members", Side::Right),
            ("sharing", Side::Left),
            ("theme", Side::Left),
        ];
        let mut table = Table::new(&columns);
        for pool in &part.pools {
            table.row([
                pool.number.clone(),
                line(&pool.name, CHARS_MAX),
                pool.records.to_string(),
                pool.members.to_string(),
                sharing::rows(&pool.rules.sharing).map(|(_, rule)| rule).join(" "),
                line(&pool.theme, CHARS_MAX),
            ]);
        }
        table.print("no pools") + &more(part.next.as_deref())
    })
}

/// How to see the rest of a list.
pub(super) fn more(next: Option<&str>) -> String {
    next.map(|last| format!("there are more: add --after {last}\n")).unwrap_or_default()
}

/// A pool with its rules.
pub fn pool(pool: &Pool) -> String {
    let from = pool.forked_from.as_ref().map(|from| format!("pool {from}"));
    let head = pairs(&[
        ("pool", pool.number.clone()),
        ("name", line(&pool.name, CHARS_MAX)),
        ("theme", line(&pool.theme, CHARS_MAX)),
        ("steward", pool.steward.clone()),
        ("forked from", from.unwrap_or_else(|| "-".into())),
        ("members", pool.members.to_string()),
        ("contributors", pool.contributors.to_string()),
        ("records", pool.records.to_string()),
        ("submissions", pool.submissions.to_string()),
        ("rules changed", format!("{} times", pool.revision)),
    ]);
    format!("{head}{}", rules(&pool.rules, &pool.reviewers))
}

fn rules(rules: &PoolRules, reviewers: &[String]) -> String {
    let any = || "any".to_owned();
    let licences =
        if rules.licences.is_empty() { any() } else { line(&rules.licences.join(", "), CHARS_MAX) };
    let reviewers = reviewers.iter().map(|who| ("reviewer", who.clone()));
    let fixed = [
        ("who may join", if rules.open { "anybody" } else { "who is brought in" }.to_owned()),
        ("reviews that agree", rules.agreeing.to_string()),
        ("deposit, credits", rules.deposit.clone()),
        ("largest record, bytes", rules.bytes_max.to_string()),
        ("licences", licences),
        ("rules of quality", rules.quality.clone().unwrap_or_else(|| "the program's".into())),
    ];
    let fixed = fixed.into_iter().chain(sharing::rows(&rules.sharing));
    pairs(&fixed.chain(reviewers).collect::<Vec<_>>())
}

pub(super) async fn proposals(context: &Context, pool: &str, after: Option<&str>) -> Outcome {
    let part = context.client()?.proposals(pool, after).await?;
    context.print(&part, || {
        let one = |proposal: &Proposal| {
            let head = pairs(&[
                ("proposal", proposal.number.clone()),
                ("state", proposal.state.clone()),
                ("by", proposal.by.clone()),
                ("for it", proposal.ayes.to_string()),
                ("against it", proposal.noes.to_string()),
            ]);
            format!("{head}{}\n", rules(&proposal.rules, &proposal.reviewers))
        };
        let all: String = part.proposals.iter().map(one).collect();
        let all = if all.is_empty() { "no proposals\n".to_owned() } else { all };
        all + &more(part.next.as_deref())
    })
}
