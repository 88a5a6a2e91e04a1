//! What must hold after a storm: what clients were told, what the gateway keeps, what the ledger
//! holds and what the upstream did are one story.

use crate::client::{Attempt, Ending, How, attempt};
use crate::common::text;
use crate::mock::Mock;
use crate::script::{Fault, Manner, Script};
use crate::storm::{Again, Call, is_over};
use crate::support::http::Request;
use crate::support::market::{Market, nano, until};
use ambar_base::{Checkpoint, Committee, Digest, NetworkId, PublicKey};
use ambar_gateway::ReceiptId;
use ambar_gateway::archive::Archive;
use ambar_gateway::record::Metered;
use ambar_gateway::view::Salts;
use ambar_node::keys::KeyFile;
use ambar_receipt::{CallOutcome, Counter, call_id, opening};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Receipts that are read from the archive at once.
const PAGE: usize = 1_000;
/// Threads that ask the gateway.
const ASKERS: usize = 4;
/// Violations that are listed, and those that are printed with their call's history.
const LISTED_MAX: usize = 50;
const SHOWN_MAX: usize = 5;
/// Attempts of a call that are printed, the last ones.
const ATTEMPTS_SHOWN_MAX: usize = 12;
/// Within which a gateway has made durable what a client that left has to pay.
const LINGER: Duration = Duration::from_secs(5);
/// Receipts that are verified as files, of all that clients were told.
const VERIFIED_MAX: usize = 2_000;

/// A storm that is over.
pub struct Books<'a> {
    pub seed: u64,
    pub market: Market,
    pub mock: &'a Mock,
    pub model: &'a str,
    /// Certificate, budget in nano-credit and channel of each client.
    pub certificates: Vec<(String, u64, String)>,
    /// Channels, and what they hold, nano-credit.
    pub channels: [(String, u64); 2],
    /// When the gateway was killed: before and after.
    pub kills: Vec<(Instant, Instant)>,
    pub made: Vec<Call>,
}

/// What is wrong.
struct Wrong<'a> {
    seed: u64,
    found: Mutex<Vec<(String, Option<&'a Call>)>>,
}

impl<'a> Wrong<'a> {
    fn unless(&self, right: bool, what: impl FnOnce() -> String, call: Option<&'a Call>) {
        if !right {
            self.found.lock().unwrap().push((what(), call));
        }
    }

    fn none(self) {
        let found = self.found.into_inner().unwrap();
        for (what, call) in found.iter().take(LISTED_MAX) {
            println!("{what}: {:?}", call.map(|call| &call.plan.script));
        }
        for (what, call) in found.iter().take(SHOWN_MAX) {
            println!("{what}");
            if let Some(call) = call {
                println!("  {:?}", call.plan);
                let last = call.attempts.len().saturating_sub(ATTEMPTS_SHOWN_MAX);
                println!("  {last} attempts, and");
                for Attempt { begun, ended, fault, ending, heard } in &call.attempts[last..] {
                    println!("  {fault:?} {:?}: {ending:?} {heard:?}", *ended - *begun);
                }
            }
        }
        assert!(found.is_empty(), "{} things are wrong with seed {}", found.len(), self.seed);
    }
}

/// What is kept of all calls: receipts by number, and which of them are a call's.
struct Kept {
    receipts: BTreeMap<String, Metered>,
    salts: Salts,
}

impl Books<'_> {
    /// Looks at everything, and fails the test if anything is wrong.
    pub fn agree(mut self) {
        let begun = Instant::now();
        let audit = self.settled();
        println!("audited within {:?}", begun.elapsed());
        let wrong = Wrong { seed: self.seed, found: Mutex::default() };
        let made = std::mem::take(&mut self.made);
        self.asked_again(&made, &wrong);
        println!("asked again within {:?}", begun.elapsed());
        self.verified(&made, &wrong);
        println!("verified within {:?}", begun.elapsed());
        let spent = self
            .channels
            .each_ref()
            .map(|(channel, funded)| funded - self.market.remaining(channel));
        let again = self.settled();
        wrong.unless(again["debits"] == audit["debits"], || "asking cost money".into(), None);
        let kept = self.kept();
        println!("read within {:?}", begun.elapsed());
        self.whole_channels(&kept, spent, &wrong);
        let holders = self.holders(&kept, &made);
        self.within_budgets(&kept, &holders, &wrong);
        let charges = charges(&kept, &made, &holders, &wrong);
        for call in &made {
            self.check(call, &kept, charges.get(&call.plan.script.id), &wrong);
        }
        let charged: Vec<_> = kept.receipts.values().filter(|one| is_charged(one)).collect();
        let sum: u64 = charged.iter().map(|one| one.price().0).sum();
        wrong.unless(audit["calls"] == charged.len(), || format!("{audit}"), None);
        wrong.unless(nano(&text(&audit, "debits")) == sum, || format!("{audit}, not {sum}"), None);
        self.tell(&made, &kept, charged.len());
        println!("compared within {:?}", begun.elapsed());
        wrong.none();
    }

    /// Waits until nothing is under way; the audit, whose books agree.
    fn settled(&self) -> serde_json::Value {
        until("the upstream is idle", || self.mock.is_idle().then_some(()));
        until("every receipt is final", || {
            let figures = Request::get("/metrics").send(self.market.url()).ok()?.text;
            let unsettled =
                figures.lines().find(|line| line.starts_with("ambar_receipts_unsettled"))?;
            unsettled.ends_with(" 0").then_some(())
        });
        let audit = self.market.person().json(&["audit"]);
        assert_eq!(audit["ok"], true, "seed {}: {audit}", self.seed);
        for counted in ["receipts", "settled", "decisions"] {
            assert_eq!(audit[counted], audit["calls"], "seed {}: {audit}", self.seed);
        }
        assert_eq!(audit["debits"], audit["credits"], "seed {}: {audit}", self.seed);
        audit
    }

    /// A keyed call says the same each time that it is asked.
    fn asked_again<'a>(&self, made: &'a [Call], wrong: &Wrong<'a>) {
        let keyed = |call: &&&Call| call.plan.again == Again::Key && told(call).is_some();
        let calls: Vec<&Call> = made.iter().filter(|call| keyed(&call)).collect();
        thread::scope(|scope| {
            for part in calls.chunks(calls.len().div_ceil(ASKERS).max(1)) {
                scope.spawn(|| part.iter().for_each(|call| self.ask_again(call, wrong)));
            }
        });
        println!("{} keyed calls were asked again", calls.len());
    }

    fn ask_again<'a>(&self, call: &'a Call, wrong: &Wrong<'a>) {
        let (certificate, ..) = &self.certificates[call.client];
        let request = call.plan.request(self.model, certificate, 1);
        let how = How { stream: call.plan.stream, leave: None, fault: None };
        let again = attempt(&request, self.market.url(), how);
        let Some((first, receipt)) = told(call) else { return };
        let heard = &again.heard;
        let same = heard.replayed && heard.receipt.as_deref() == Some(receipt);
        let whole = again.ending == Ending::Whole && same;
        let said = first.heard.text == heard.text || matches!(first.ending, Ending::Refused(..));
        wrong.unless(whole && said, || format!("asked again: {again:?}"), Some(call));
    }

    /// Receipts that clients were told verify with nothing but the network's key.
    fn verified<'a>(&self, made: &'a [Call], wrong: &Wrong<'a>) {
        let trusted = self.trusted();
        let mut told: Vec<(&Call, &str)> =
            made.iter().filter_map(|call| Some((call, told(call)?.1))).collect();
        // As many from each part of the storm; the audit recomputes all of them.
        let step = told.len().div_ceil(VERIFIED_MAX).max(1);
        told = told.into_iter().step_by(step).collect();
        thread::scope(|scope| {
            for part in told.chunks(told.len().div_ceil(ASKERS).max(1)) {
                let trusted = &trusted;
                scope.spawn(move || {
                    for (call, receipt) in part {
                        let path = format!("/api/v1/receipts/{receipt}/proof");
                        let request = Request::get(path).bearer(&self.certificates[call.client].0);
                        let opened = request.open(self.market.url());
                        let file = opened.and_then(|mut opened| opened.bytes()).unwrap();
                        let report = ambar_receipt::verify(&file, Some(trusted));
                        let what = || format!("{receipt} does not verify: {report:?}");
                        wrong.unless(report.ok, what, Some(call));
                    }
                });
            }
        });
        println!("{} receipts verify", told.len());
    }

    fn trusted(&self) -> Checkpoint {
        let status = self.market.person().json(&["status"]);
        let key = PublicKey::from_did(&text(&status, "network_key")).unwrap();
        let network = NetworkId(text(&status, "network").parse().unwrap());
        Checkpoint { network, committee: Committee::new(0, vec![key]).unwrap() }
    }

    /// What lies in the gateway's archive, whose process is gone.
    fn kept(&mut self) -> Kept {
        let network = self.trusted().network;
        self.market.kill();
        let home = self.market.home();
        let path = home.join("node/key");
        let key = KeyFile::read(&path).unwrap().open(&path, None).unwrap();
        let archive = Archive::open(&home.join("journal/receipts.redb"), 64 << 20).unwrap();
        let (mut receipts, mut after) = (BTreeMap::new(), None);
        loop {
            let page = archive.receipts(after, PAGE).unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.metered.receipt());
            let taken = page.into_iter().map(|one| Metered::clone(&one.metered));
            receipts.extend(taken.map(|metered| (metered.receipt().to_string(), metered)));
        }
        Kept { receipts, salts: Salts::new(network, &key) }
    }

    /// Every number of a channel is a charge or a void, none is missing, and all of it is what the
    /// ledger has taken, never more than there was.
    fn whole_channels(&self, kept: &Kept, spent: [u64; 2], wrong: &Wrong<'_>) {
        for ((channel, funded), spent) in self.channels.iter().zip(spent) {
            let own = |one: &&Metered| one.leaf.channel.to_string() == *channel;
            let numbers: BTreeSet<u64> =
                kept.receipts.values().filter(own).map(|m| m.leaf.n).collect();
            let last = numbers.last().map_or(0, |last| last + 1);
            let missing = || format!("{} of {last} numbers of {channel}", numbers.len());
            wrong.unless(numbers.len() as u64 == last, missing, None);
            let sum: u64 = kept.receipts.values().filter(own).map(|one| one.price().0).sum();
            wrong.unless(sum == spent, || format!("{channel}: {sum} charged, {spent} spent"), None);
            wrong.unless(spent <= *funded, || format!("{channel}: {spent} of {funded}"), None);
        }
    }

    /// What each certificate has spent is within its budget.
    fn within_budgets(&self, kept: &Kept, holders: &[Option<Digest>], wrong: &Wrong<'_>) {
        for (holder, (_, budget, _)) in holders.iter().zip(&self.certificates) {
            let own = |one: &&Metered| holder.is_some() && holder_of(one) == *holder;
            let sum: u64 = kept.receipts.values().filter(own).map(|one| one.price().0).sum();
            wrong.unless(sum <= *budget, || format!("{sum} of a budget of {budget}"), None);
        }
    }

    /// The holder of each client's certificate, as the receipts say that clients were told.
    fn holders(&self, kept: &Kept, made: &[Call]) -> Vec<Option<Digest>> {
        let mut holders = vec![None; self.certificates.len()];
        for call in made {
            if let Some((_, receipt)) = told(call) {
                holders[call.client] = kept.receipts.get(receipt).and_then(holder_of);
            }
        }
        holders
    }

    fn check<'a>(
        &self,
        call: &'a Call,
        kept: &Kept,
        charged: Option<&Vec<String>>,
        wrong: &Wrong<'a>,
    ) {
        let (script, none) = (&call.plan.script, Vec::new());
        let charged = charged.unwrap_or(&none);
        let unless = |right: bool, what: &str| {
            let what = || format!("call {}: {what}; charged {charged:?}", script.id);
            wrong.unless(right, what, Some(call));
        };
        unless(charged.len() <= 1, "it is charged more than once");
        let last = call.attempts.last();
        unless(last.is_some_and(|last| is_over(&call.plan, last)), "it got no answer in time");
        let wrote = self.mock.seen(script.id);
        unless(charged.is_empty() || wrote.pieces > 0, "it is charged and delivered nothing");
        for attempt in &call.attempts {
            let heard = &attempt.heard;
            let receipt = heard.charged.as_deref().or(heard.receipt.as_deref());
            let own = receipt.is_some_and(|receipt| charged.iter().any(|one| one == receipt));
            let metered = receipt.and_then(|receipt| kept.receipts.get(receipt));
            match &attempt.ending {
                Ending::Whole if heard.text.is_empty() => {
                    unless(!own, "an empty answer is charged");
                }
                Ending::Whole => {
                    unless(own, "an answer without a charge");
                    metered.into_iter().for_each(|one| says_the_same(attempt, one, kept, &unless));
                }
                Ending::Failed(_) | Ending::Refused(..) if heard.charged.is_some() => {
                    unless(own, "an error names a receipt that is not its charge");
                    if matches!(attempt.ending, Ending::Failed(_)) {
                        metered.into_iter().for_each(|one| opens(attempt, one, kept, &unless));
                    }
                }
                Ending::Refused(..) => unless(
                    charged.is_empty() || call.attempts.len() > 1,
                    "it was refused and charged",
                ),
                Ending::Failed(_) | Ending::Broken(_) | Ending::Left => {}
            }
            let free = heard.pieces > 0 && !own;
            unless(!free || self.killed_within(attempt), "output was free and nothing was killed");
            if let (true, Some(one)) = (own && heard.pieces > 0 && !lies(script), metered) {
                unless(
                    one.answer.tokens_out >= u64::from(heard.pieces),
                    "fewer tokens are charged than came",
                );
            }
        }
        if let Some(last) = last.filter(|last| matches!(last.ending, Ending::Refused(..))) {
            let named = last.heard.charged.is_some() || charged.is_empty();
            unless(named, "the last word was a refusal without a receipt");
        }
    }

    /// Whether the gateway was killed while it worked on an attempt: for longer than its client
    /// waited, if that left or was cut off.
    fn killed_within(&self, attempt: &Attempt) -> bool {
        let linger = match attempt.ending {
            Ending::Left | Ending::Broken(_) => LINGER,
            _ => Duration::ZERO,
        };
        let ended = attempt.ended + linger;
        self.kills.iter().any(|(before, after)| attempt.begun <= *after && ended >= *before)
    }

    /// What was delivered and not charged, against what was under way when the gateway was killed.
    fn tell(&self, made: &[Call], kept: &Kept, charged: usize) {
        let (mut free, mut under_way) = (0, 0);
        for attempt in made.iter().flat_map(|call| &call.attempts) {
            let killed = self.killed_within(attempt);
            under_way += u64::from(killed);
            let paid =
                attempt.heard.receipt.as_ref().and_then(|receipt| kept.receipts.get(receipt));
            let paid = paid.is_some_and(is_charged);
            free += u64::from(killed && attempt.heard.pieces > 0 && !paid);
        }
        let attempts: usize = made.iter().map(|call| call.attempts.len()).sum();
        let void = kept.receipts.len() - charged;
        println!("{} calls, {attempts} attempts, {charged} charged, {void} void", made.len());
        println!("{free} answers begun for free, of {under_way} attempts under way at a kill");
        assert!(free <= under_way, "seed {}", self.seed);
    }
}

/// The first attempt of a call that was told of a charge, and its receipt.
fn told(call: &Call) -> Option<(&Attempt, &str)> {
    call.attempts.iter().find_map(|attempt| {
        let receipt = match attempt.ending {
            // What says nothing costs nothing.
            Ending::Whole if attempt.heard.text.is_empty() => None,
            Ending::Whole => attempt.heard.receipt.as_deref(),
            Ending::Failed(_) | Ending::Refused(..) => attempt.heard.charged.as_deref(),
            _ => None,
        };
        receipt.map(|receipt| (attempt, receipt))
    })
}

fn is_charged(one: &Metered) -> bool {
    one.leaf.outcome != CallOutcome::Void
}

fn holder_of(one: &Metered) -> Option<Digest> {
    one.details.as_ref().map(|details| details.holder)
}

/// Whether an upstream says something else of its tokens than it wrote.
fn lies(script: &Script) -> bool {
    script.manner == Manner::ZeroUsage || script.fault.is_some_and(Fault::corrupts)
}

fn opens(attempt: &Attempt, one: &Metered, kept: &Kept, unless: &impl Fn(bool, &str)) {
    let ReceiptId { channel, n } = one.receipt();
    let output = opening(&kept.salts.of(channel, n), attempt.heard.text.as_bytes());
    let same = one.details.as_ref().is_some_and(|details| details.output == output);
    unless(same, "the receipt is not for the answer that came");
}

/// A whole answer's receipt says what its client was told.
fn says_the_same(attempt: &Attempt, one: &Metered, kept: &Kept, unless: &impl Fn(bool, &str)) {
    opens(attempt, one, kept, unless);
    let price = attempt.heard.price.as_deref().map(nano);
    unless(price == Some(one.price().0), "the price is not what the client was told");
    let counted = |counter| one.leaf.lines.iter().map(|line| line.counters.get(counter)).sum();
    let tokens = (counted(Counter::TokensIn), counted(Counter::TokensOut));
    let told = attempt.heard.tokens.is_none_or(|told| told == tokens);
    unless(told, "the counts are not what the client was told");
}

/// The charges of each call, found by what the receipts hash: numbers of a certificate come in the
/// order of its client's calls.
fn charges<'a>(
    kept: &Kept,
    made: &'a [Call],
    holders: &[Option<Digest>],
    wrong: &Wrong<'a>,
) -> BTreeMap<u64, Vec<String>> {
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (client, holder) in holders.iter().enumerate() {
        let Some(holder) = holder else { continue };
        let calls: Vec<&Call> = made.iter().filter(|call| call.client == client).collect();
        let mut next = 0;
        let mut own: Vec<&Metered> =
            kept.receipts.values().filter(|one| holder_of(one) == Some(*holder)).collect();
        own.sort_by_key(|one| (one.leaf.channel, one.leaf.n));
        for one in own {
            let (channel, n) = (one.leaf.channel, one.leaf.n);
            let salt = kept.salts.of(channel, n);
            let input = one.details.as_ref().map(|details| details.input);
            let is = |call: &&Call| {
                Some(opening(&salt, call.plan.script.question().as_bytes())) == input
            };
            let at = (next..calls.len()).chain(0..next).find(|at| is(&calls[*at]));
            let receipt = one.receipt().to_string();
            let Some(at) = at else {
                wrong.unless(false, || format!("{receipt} is of a call that nobody made"), None);
                continue;
            };
            next = at;
            let call = calls[at];
            found.entry(call.plan.script.id).or_default().push(receipt);
            if let Some(key) = call.plan.key() {
                let same = call_id(channel, holder, &key) == one.leaf.call;
                wrong.unless(same, || format!("{n} has another identity"), Some(call));
            }
        }
    }
    let known: BTreeSet<Digest> = holders.iter().flatten().copied().collect();
    for one in kept.receipts.values().filter(|one| is_charged(one)) {
        let is_known = holder_of(one).is_some_and(|holder| known.contains(&holder));
        wrong.unless(is_known, || format!("{} has a stranger's certificate", one.receipt()), None);
    }
    found
}
