//! The fixed vocabulary: narrowings to lines of Datalog and back.
//!
//! Reading works on what Biscuit's printer writes. That is unambiguous because every
//! name and text in a block is first checked to hold letters that cannot end a text.

use super::CertificateError;
use ambar_base::{Cid, Digest, NetworkId, Price, PublicKey};
use ambar_licence::{Narrowing, NarrowingError, Purpose, calendar};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The version that the fact `ambar` names.
const VERSION: u64 = 1;

const TIME: &str = "check if time($t), $t <= ";
const BUDGET: &str = "check if budget($b), $b <= ";
const CALLS: &str = "check if calls($n), $n <= ";
const PURPOSE: [&str; 2] = ["check if purpose($p), {", "}.contains($p)"];
const CAPSULE: [&str; 2] = ["check if capsule($c), {", "}.contains($c)"];
const AGENT: [&str; 2] = ["check if agent(\"", "\")"];

/// The facts of a certificate's first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The network.
    pub network: NetworkId,
    /// The number of the channel that pays.
    pub channel: u64,
    /// The key of the gateway that it is for.
    pub gateway: PublicKey,
    /// The channel's session key, if the certificate says it.
    pub session: Option<PublicKey>,
}

impl Authority {
    /// The facts as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let hex = |bytes: &[u8; 32]| format!("hex:{}", hex::encode(bytes));
        let mut lines = vec![
            format!("ambar({VERSION})"),
            format!("network({})", hex(&self.network.0.0)),
            format!("channel({})", self.channel),
            format!("gateway({})", hex(&self.gateway.0)),
        ];
        lines.extend(self.session.map(|session| format!("session({})", hex(&session.0))));
        lines
    }

    /// Takes the facts off the front of a block's lines, in their order.
    pub(super) fn take(lines: &mut Vec<&str>) -> Result<Self, CertificateError> {
        let mut fact = |name: &str| {
            let found = lines.first().copied().unwrap_or("an empty first block");
            let inner = between(found, &format!("{name}("), ")");
            if inner.is_some() {
                lines.remove(0);
            }
            inner.ok_or_else(|| CertificateError::vocabulary(0, found))
        };
        let refused = |inner: &str| CertificateError::vocabulary(0, inner);
        let version = fact("ambar")?;
        if number(version) != Some(VERSION) {
            return Err(refused(version));
        }
        let network = fact("network")?;
        let channel = fact("channel")?;
        let gateway = fact("gateway")?;
        let session = fact("session").ok();
        let session = session.map(|text| bytes(text).map(PublicKey).ok_or_else(|| refused(text)));
        Ok(Self {
            network: NetworkId(Digest(bytes(network).ok_or_else(|| refused(network))?)),
            channel: number(channel).ok_or_else(|| refused(channel))?,
            gateway: PublicKey(bytes(gateway).ok_or_else(|| refused(gateway))?),
            session: session.transpose()?,
        })
    }
}

/// The checks that say a narrowing, as lines.
pub(super) fn checks(narrowing: &Narrowing) -> Vec<String> {
    let Narrowing { budget, calls, expires, purposes, capsules, agent } = narrowing;
    [
        expires.map(|at| format!("{TIME}{}", calendar::print(at))),
        budget.map(|budget| format!("{BUDGET}{}", budget.0)),
        calls.map(|calls| format!("{CALLS}{calls}")),
        purposes.as_ref().map(|set| print_set(PURPOSE, set)),
        capsules.as_ref().map(|set| print_set(CAPSULE, set)),
        agent.map(|agent| format!("{}{}{}", AGENT[0], agent.did(), AGENT[1])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn print_set<T: ToString>([before, after]: [&str; 2], set: &BTreeSet<T>) -> String {
    let items: Vec<_> = set.iter().map(|item| format!("\"{}\"", item.to_string())).collect();
    format!("{before}{}{after}", items.join(", "))
}

/// What the checks of a block say together.
pub(super) fn read_checks(block: usize, lines: &[&str]) -> Result<Narrowing, CertificateError> {
    lines.iter().try_fold(Narrowing::default(), |narrowing, line| {
        let check = read_check(line).ok_or_else(|| CertificateError::vocabulary(block, line))?;
        let refused =
            |error: NarrowingError| CertificateError::vocabulary(block, &error.to_string());
        narrowing.meet(check).map_err(refused)
    })
}

fn read_check(line: &str) -> Option<Narrowing> {
    let none = Narrowing::default();
    Some(if let Some(rest) = line.strip_prefix(TIME) {
        Narrowing { expires: Some(calendar::parse(rest)?), ..none }
    } else if let Some(rest) = line.strip_prefix(BUDGET) {
        Narrowing { budget: Some(Price(number(rest)?)), ..none }
    } else if let Some(rest) = line.strip_prefix(CALLS) {
        Narrowing { calls: Some(number(rest)?), ..none }
    } else if let Some(inner) = between(line, PURPOSE[0], PURPOSE[1]) {
        Narrowing { purposes: Some(read_set::<Purpose>(inner)?), ..none }
    } else if let Some(inner) = between(line, CAPSULE[0], CAPSULE[1]) {
        Narrowing { capsules: Some(read_set::<Cid>(inner)?), ..none }
    } else {
        let agent = PublicKey::from_did(between(line, AGENT[0], AGENT[1])?).ok()?;
        Narrowing { agent: Some(agent), ..none }
    })
}

fn read_set<T: FromStr + Ord>(inner: &str) -> Option<BTreeSet<T>> {
    inner.split(", ").map(|item| between(item, "\"", "\"")?.parse().ok()).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// A non-negative integer in its one spelling.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    Digest::from_str(text.strip_prefix("hex:")?).ok().map(|digest| digest.0)
}

/// Whether a name or text can stand in a printed block without being taken for anything
/// else: no quotes, brackets, blanks or line ends.
pub(super) fn is_plain(symbol: &str) -> bool {
    symbol.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte))
}

/// The lines of a block as Biscuit prints it.
pub(super) fn lines(source: &str) -> Vec<&str> {
    source.split_terminator(";\n").collect()
}
