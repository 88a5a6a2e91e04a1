//! Objects of the ledger's state, as they lie on the disk.

use crate::sample::ledger::stage;
use crate::sample::{dispute, pool};
use crate::{Reach, Target, promise};
use ambar_base::{Amount, Cid, Digest, Encode, Height, Moment};
use ambar_ledger::history::CHANGES_MAX;
use ambar_ledger::object::{
    Account, Agenda, Ancestry, Backing, Balance, Batch, Channel, Datanet, Department, Dispute,
    DisputeBook, Endpoint, Governance, Grant, Lease, Line, Name, Node, Numbers, Offer, Pool,
    PoolMember, PoolRules, Proposal, QuotaCount, Recovery, Revocations, Royalty, RoyaltyOffer,
    Serve, Servers, Submission, Version, Volume,
};
use ambar_ledger::quota::RATE_PERIOD;
use ambar_ledger::roster::{Roster, Validator};
use ambar_ledger::sequence::{SEQUENCE_SPAN, Sequence};
use ambar_ledger::{Genesis, Key};
use ambar_licence::{Period, Quota};
use ambar_receipt::Fact;

pub(super) const TARGET: Target = Target { name: "state", seeds, attempt };

/// A key and the bytes under it.
type Entry = (Vec<u8>, Vec<u8>);

fn seeds() -> Vec<Vec<u8>> {
    let mut settled = stage().ledger.clone();
    for transaction in stage().transactions() {
        // Those after the first of a nonce are refused: one of each kind is enough.
        let _ = settled.apply(&transaction);
    }
    let entries = settled.entries().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let entries = entries.chain(dispute::entries()).chain(pool::entries());
    entries.map(|entry: Entry| entry.to_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some((key, value)) = promise::compact::<Entry>(input) else { return Reach::Refused };
    let _ = promise::compact::<Genesis>(&value);
    let Some(key) = promise::compact::<Key>(&key) else { return Reach::Decoded };
    if object(&key, &value) { Reach::Used } else { Reach::Decoded }
}

fn read<T: Encode + ambar_base::Decode>(value: &[u8]) -> bool {
    promise::compact::<T>(value).is_some()
}

fn object(key: &Key, value: &[u8]) -> bool {
    match key {
        Key::Parameters => promise::compact(value).is_some_and(|object| governance(&object)),
        Key::Numbers => read::<Numbers>(value),
        Key::Issued => read::<Amount>(value),
        Key::Account(_) => read::<Account>(value),
        Key::Balance(_) => promise::compact(value).is_some_and(|object| balance(&object)),
        Key::AccountNumber(_)
        | Key::FirstKey(_)
        | Key::VersionNumber(_)
        | Key::NodeNumber(_)
        | Key::ValidatorNumber(_)
        | Key::ValidatorOf(_)
        | Key::OfferTaken(_)
        | Key::Claim(_) => read::<u64>(value),
        Key::Name(_) => read::<Name>(value),
        Key::Version(_) => promise::compact(value).is_some_and(|object| version(&object)),
        Key::Manifest(_) | Key::Terms(_) | Key::Tariff(_) => true,
        Key::Line(_) => read::<Line>(value),
        Key::Royalty(_) => read::<Royalty>(value),
        Key::RoyaltyOffer(_) => read::<RoyaltyOffer>(value),
        Key::Recovery(_) => read::<Recovery>(value),
        Key::Department(_) => promise::compact(value).is_some_and(|object| department(&object)),
        Key::Departments(_) => read::<Vec<u64>>(value),
        Key::Offer(_) => read::<Offer>(value),
        Key::Volume(_) => promise::compact(value).is_some_and(|object| volume(&object)),
        Key::Datanet(_) => read::<Datanet>(value),
        Key::Grant(_) => read::<Grant>(value),
        Key::Quota(_) => promise::compact(value).is_some_and(|object| count(&object)),
        Key::Lease(_) => read::<Lease>(value),
        Key::Channel(_) => promise::compact(value).is_some_and(|object| channel(&object)),
        Key::Revocations(_) => {
            let revoked = promise::compact::<Revocations>(value);
            revoked.is_some_and(|revoked| !revoked.names(&Digest::ZERO))
        }
        Key::Node(_) => read::<Node>(value),
        Key::Roster => read::<Roster>(value),
        Key::Validator(_) => read::<Validator>(value),
        Key::Serve(_) => read::<Serve>(value),
        Key::Endpoint(_) => {
            promise::compact::<Endpoint>(value).is_some_and(|endpoint| endpoint.is_sound())
        }
        Key::Servers(_) => read::<Servers>(value),
        Key::Agenda(_) => read::<Agenda>(value),
        Key::Time(_) => read::<Moment>(value),
        Key::Batch(_) => read::<Batch>(value),
        Key::Facts(_) => read::<Vec<Fact>>(value) || read::<Vec<Vec<u8>>>(value),
        Key::Calls(_) => read::<Vec<Digest>>(value),
        Key::Ancestry(_) => read::<Ancestry>(value),
        Key::Backing(_) => read::<Backing>(value),
        Key::Dispute(_) => promise::compact(value).is_some_and(|object| dispute_of(&object)),
        Key::DisputeBook => read::<DisputeBook>(value),
        Key::PoolBook => read::<u64>(value),
        Key::Pool(_) => promise::compact::<Pool>(value).is_some_and(|pool| sound(&pool.rules)),
        Key::PoolName(_) => read::<u64>(value),
        Key::PoolMember(_) => read::<PoolMember>(value),
        Key::Submission(_) => promise::compact(value).is_some_and(|object| submission(&object)),
        Key::Content(_) => read::<(u64, u64)>(value),
        Key::Proposal(_) => {
            promise::compact::<Proposal>(value).is_some_and(|proposal| sound(&proposal.rules))
        }
    }
}

fn governance(governance: &Governance) -> bool {
    let changes = &governance.parameters;
    let _ = (changes.latest().is_sound(), changes.at(Height(0)), changes.at(Height(u64::MAX)));
    // Setting forgets or refuses, whatever was read.
    let mut set = changes.clone();
    let refused = set.set(Height(u64::MAX), Height(0), changes.latest().clone()).is_err();
    let mut at_once = changes.clone();
    let forgotten = at_once.set(Height(u64::MAX), Height(u64::MAX), changes.latest().clone());
    assert!(forgotten.is_ok(), "what ended is forgotten");
    let _ = (refused, CHANGES_MAX);
    true
}

fn balance(balance: &Balance) -> bool {
    let heights = [0, 1, u64::MAX].map(Height);
    for height in heights {
        let _ = (balance.pending_at(height), balance.available_at(height));
    }
    balance.sum().is_some()
}

/// Whatever was counted, no more is given than a quota has.
fn count(count: &QuotaCount) -> bool {
    let quota = Quota::of_calls(9, Period::Day);
    for period in [0, RATE_PERIOD] {
        let left = count.left(&quota, period);
        let mut leased = *count;
        assert!(left.calls <= 9 && (left.is_empty() || leased.lease(left).is_some()));
    }
    true
}

/// Whatever was drawn and whenever, no more is left than the budget.
fn department(department: &Department) -> bool {
    for at in [0, department.since.0, u64::MAX].map(Moment) {
        assert!(department.left_at(at) <= Amount::from(department.budget.amount));
    }
    !department.closed
}

/// Whether anybody may say what a pool's rules are, sound or not.
fn sound(rules: &PoolRules) -> bool {
    let _ = rules.is_sound();
    true
}

fn submission(submission: &Submission) -> bool {
    let _ = (submission.opens(), submission.state.text());
    let _ = submission.record().map(|record| (record.is_sound(), record.source.to_string()));
    submission.is_open() || submission.state.text() != "committed"
}

fn dispute_of(dispute: &Dispute) -> bool {
    let _ = (dispute.lapses(), dispute.claim.digest(dispute.receipt, dispute.claimant));
    dispute.is_open() == (dispute.state.text() == "open")
}

/// A tier that holds at a height holds within its span.
fn volume(volume: &Volume) -> bool {
    for height in [0, 1, u64::MAX].map(Height) {
        let at = volume.tier_at(height);
        assert!(at.is_none_or(|(_, span)| span.holds(height)), "a span holds where it was found");
    }
    true
}

fn version(version: &Version) -> bool {
    let _: Vec<_> = version.uses_at(version.height).collect();
    version.id != Cid(Digest::ZERO)
}

fn channel(channel: &Channel) -> bool {
    let _ = channel.remaining();
    settles(channel.settled.clone());
    true
}

/// A sequence that was read settles numbers in its span once.
fn settles(mut sequence: Sequence) {
    let (base, end) = (sequence.base, sequence.end());
    assert!(!sequence.contains(base) && !sequence.contains(end), "an unsettled number");
    assert!(end - base <= SEQUENCE_SPAN, "the span of a sequence");
    for n in [base, end, base.saturating_add(SEQUENCE_SPAN)] {
        let fresh = !sequence.contains(n);
        let settled = sequence.settle(n).is_ok();
        assert!(!settled || (fresh && sequence.contains(n)), "a number settles once");
    }
}
