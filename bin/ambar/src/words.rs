//! What operations do, in plain words, for those who sign them. Ids are whole: whoever signs
//! compares them.

mod pools;

use ambar_base::{KeySet, PublicKey};
use ambar_capsule::Manifest;
use ambar_ledger::Operation;
use ambar_ledger::object::{Budget, Member};
use ambar_ledger::transaction::{
    Accept, AllowServing, BeginRecovery, BuyRoyalty, CreateDepartment, FundChannel, OfferRoyalty,
    OfferTerms, OpenChannel, OpenDispute, Publish, Recall, RegisterName, ResolveDispute,
    RevokeGrantFor, RotateKeys, Ruling, SetBudget, SetMembers, TransferLine,
};
use ambar_licence::{Revocation, calendar};

/// One sentence.
pub fn operation(operation: &Operation) -> String {
    match operation {
        Operation::CreateAccount(record) => format!(
            "opens the account of {}: {}",
            record.inception.first.did(),
            keys(&record.inception.keys)
        ),
        Operation::RotateKeys(RotateKeys { keys: set, recovery }) => {
            let recovery = recovery.map_or("nobody".to_owned(), |digest| format!("set {digest}"));
            format!("replaces the account's keys: {}; {recovery} may recover it", keys(set))
        }
        Operation::Transfer(record) => format!("sends {} credits to {}", record.amount, record.to),
        Operation::BeginRecovery(BeginRecovery { account, keys: set, .. }) => {
            format!("begins to give account {account} new keys: {}", keys(set))
        }
        Operation::CancelRecovery => "ends the recovery of the account".into(),
        Operation::FinishRecovery(account) => {
            format!("gives account {account} the keys of its recovery")
        }
        Operation::OfferRoyalty(OfferRoyalty { royalty, price, to, expires }) => {
            let to = to.map_or("anybody".to_owned(), |to| to.to_string());
            let expires = calendar::print(*expires);
            format!("offers royalty line {royalty} to {to} for {price} credits until {expires}")
        }
        Operation::WithdrawOffer(number) => format!("ends the offer of royalty line {number}"),
        Operation::BuyRoyalty(BuyRoyalty { royalty, price }) => {
            format!("buys royalty line {royalty} for {price} credits")
        }
        Operation::TransferRoyalty(record) => {
            format!("gives royalty line {} to {}", record.royalty, record.to)
        }
        Operation::CreateDepartment(_)
        | Operation::SetBudget(_)
        | Operation::SetMembers(_)
        | Operation::Recall(_)
        | Operation::CloseDepartment(_) => department(operation),
        Operation::PublishTariff(bytes) => format!("publishes a tariff of {} bytes", bytes.len()),
        Operation::SetParameters(rules) => format!("changes the network's rules to {rules:?}"),
        other => capsules_and_calls(other),
    }
}

fn capsules_and_calls(operation: &Operation) -> String {
    match operation {
        Operation::Publish(record) => publish(record),
        Operation::RegisterName(RegisterName { name, version }) => {
            format!("names capsule {version} `{name}`")
        }
        Operation::TransferLine(TransferLine { version, to, .. }) => {
            format!("gives capsule {version} with all its versions to {to}")
        }
        Operation::Accept(Accept { version, terms, territory, offer }) => {
            let place = territory.as_ref().map(|code| format!(" for use in {code}"));
            let offer = offer.map(|number| format!(" by offer {number}")).unwrap_or_default();
            let place = place.unwrap_or_default();
            format!("accepts terms {terms} of capsule {version}{offer}{place}")
        }
        Operation::RevokeGrant(number) => format!("ends grant {number}"),
        Operation::OpenChannel(record) => channel(record),
        Operation::FundChannel(FundChannel { channel, amount }) => {
            format!("adds {amount} credits to channel {channel}")
        }
        Operation::CloseChannel(number) => format!("closes channel {number}"),
        Operation::RevokeCertificate(record) => {
            format!("ends a certificate of channel {}", record.channel)
        }
        Operation::AllowServing(AllowServing { version, node, allowed }) => {
            let lets = if *allowed { "lets" } else { "no longer lets" };
            format!("{lets} node {} serve capsule {version}", node.did())
        }
        other => claims_and_offers(other),
    }
}

fn channel(record: &OpenChannel) -> String {
    let OpenChannel { gateway, grants, amount, expires, vouchers, .. } = record;
    let vouchers = if *vouchers { ", by vouchers" } else { "" };
    format!(
        "opens a channel with {amount} credits to gateway {} for grants {grants:?}, until {}{vouchers}",
        gateway.did(),
        calendar::print(*expires)
    )
}

fn claims_and_offers(operation: &Operation) -> String {
    match operation {
        Operation::OfferTerms(OfferTerms { version, terms, to, expires, limit, once, .. }) => {
            let to = to.map_or("anybody".to_owned(), |to| to.to_string());
            let limit = limit.map(|limit| format!(", {limit} times at most")).unwrap_or_default();
            let once = if *once { ", once to each account" } else { "" };
            let expires = calendar::print(*expires);
            format!(
                "offers terms {terms} of capsule {version} to {to} until {expires}{limit}{once}"
            )
        }
        Operation::WithdrawTerms(number) => format!("ends offer {number} of terms"),
        Operation::RevokeGrantFor(RevokeGrantFor { grant, reason }) => {
            format!("ends grant {grant} for `{}`", Revocation::from(*reason).text())
        }
        Operation::OpenDispute(OpenDispute { leaf, claim, evidence, statement, .. }) => format!(
            "claims {claim:?} of the call with receipt {}-{}, by evidence {evidence}: {statement}",
            leaf.channel, leaf.n
        ),
        Operation::ResolveDispute(ResolveDispute { dispute, ruling, reason }) => match ruling {
            Ruling::Upheld(refund) => {
                format!("upholds dispute {dispute} and gives {refund} credits back: {reason}")
            }
            Ruling::Dismissed => format!("dismisses dispute {dispute}: {reason}"),
        },
        Operation::WithdrawDispute(number) => format!("takes back the claim of dispute {number}"),
        Operation::LapseDispute(number) => format!("closes dispute {number}, which lapsed"),
        other => nodes(other),
    }
}

fn nodes(operation: &Operation) -> String {
    match operation {
        Operation::RegisterNode(record) => {
            format!("registers node {} at {} credits per MU", record.key.did(), record.ask)
        }
        Operation::SetAsk(record) => {
            format!("lets node {} ask {} credits per MU", record.node, record.ask)
        }
        Operation::SetEndpoint(record) => match &record.address {
            Some(address) => format!("says that node {} is reached at {address}", record.node),
            None => format!("says that node {} is reached no longer", record.node),
        },
        Operation::RegisterValidator(record) => {
            format!("registers validator {} and locks its bond", record.key.did())
        }
        Operation::RetireValidator => "retires the account's validator".into(),
        Operation::WithdrawBond => "takes back the bond of the account's validator".into(),
        Operation::RankValidators(keys) => format!("prefers as validators: {}", dids(keys)),
        Operation::ReportConflict(evidence) => {
            format!("reports validator {}", evidence.key().did())
        }
        // Whatever has no sentence of its own is shown whole rather than not at all.
        other => pools::sentence(other).unwrap_or_else(|| format!("{other:?}")),
    }
}

fn publish(record: &Publish) -> String {
    let id = record.manifest.id();
    match Manifest::decode(&record.manifest.bytes) {
        Ok(manifest) => format!("publishes {} `{}` as {id}", manifest.kind().text(), manifest.name),
        Err(error) => format!("publishes {id}, which does not read: {error}"),
    }
}

fn department(operation: &Operation) -> String {
    match operation {
        Operation::CreateDepartment(CreateDepartment { name, members, threshold, budget }) => {
            format!(
                "creates department `{name}` with {}; {}",
                budget_of(budget),
                members_of(members, *threshold)
            )
        }
        Operation::SetBudget(SetBudget { department, budget }) => {
            format!("gives department {department} {}", budget_of(budget))
        }
        Operation::SetMembers(SetMembers { department, members, threshold }) => {
            let members = members_of(members, *threshold);
            format!("replaces the members of department {department}: {members}")
        }
        Operation::Recall(Recall { department, amount: Some(amount) }) => {
            format!("takes {amount} credits back from department {department}")
        }
        Operation::Recall(Recall { department, amount: None }) => {
            format!("takes back all that department {department} can spend")
        }
        Operation::CloseDepartment(department) => format!("closes department {department}"),
        other => format!("{other:?}"),
    }
}

fn budget_of(budget: &Budget) -> String {
    format!("a budget of {} credits {}", budget.amount, budget.per.phrase())
}

fn members_of(members: &[Member], threshold: u16) -> String {
    let one = |member: &Member| {
        let roles: Vec<_> = member.roles.iter().map(|role| role.text()).collect();
        format!("{} ({})", member.key.did(), roles.join(", "))
    };
    let members: Vec<_> = members.iter().map(one).collect();
    format!("{threshold} must sign of {}", members.join(", "))
}

fn keys(set: &KeySet) -> String {
    format!("{} must sign of {}", set.threshold, dids(&set.keys))
}

fn dids(keys: &[PublicKey]) -> String {
    keys.iter().map(PublicKey::did).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{AccountId, Digest, Price, SecretKey};
    use ambar_ledger::object::Role;
    use ambar_ledger::transaction::Transfer;
    use ambar_licence::Period;

    #[test]
    fn words_hold_amounts_and_whole_ids() {
        let check = |one: Operation, expect: &str| assert_eq!(operation(&one), expect);
        let to = AccountId(Digest([7; 32]));
        let id = "07".repeat(32);
        let transfer = Operation::Transfer(Transfer { to, amount: Price(2_500_000_000) });
        check(transfer, &format!("sends 2.500000000 credits to {id}"));
        let key = SecretKey::from_seed(&[1; 32]).public();
        let did = key.did();
        let members = vec![Member { key, roles: vec![Role::Spend, Role::Read] }];
        let budget = Budget { amount: Price(5), per: Period::Day };
        let create = CreateDepartment { name: "lab".into(), members, threshold: 1, budget };
        let expect = format!(
            "creates department `lab` with a budget of 0.000000005 credits per UTC day; \
             1 must sign of {did} (spend, read)"
        );
        check(Operation::CreateDepartment(create), &expect);
        let recall = Recall { department: to, amount: None };
        check(Operation::Recall(recall), &format!("takes back all that department {id} can spend"));
        check(Operation::CloseChannel(3), "closes channel 3");
    }
}
