//! Certificates: minted, narrowed and opened, at first sight and remembered; and whether a good
//! one is ever refused while every core is busy.

use crate::plan::Plan;
use crate::table::{Table, Target};
use ambar_base::{Cid, Digest, Moment, NetworkId, Price, PublicKey, SecretKey};
use ambar_gateway::certificate::{CertificateError, Certificates, mint, narrow, open};
use ambar_licence::decision::{
    ChannelView, Decision, GrantView, Request, Situation, Spent, decide,
};
use ambar_licence::{Narrowing, Right, Terms};
use anyhow::Result;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
/// The channel of the certificates.
const CHANNEL: u64 = 7;
/// The most blocks of a certificate that is opened.
const BLOCKS_MAX: usize = 3;
/// 2027-01-31.
const EXPIRES: Moment = Moment(1_801_353_600_000);
/// When the calls are made.
const NOW: Moment = Moment(1_795_000_000_000);
/// What the design asks for: a first sight, and each further block of it, µs.
const FIRST_SIGHT_US: f64 = 150.0;
const BLOCK_US: f64 = 50.0;
const SEEN_BEFORE_US: f64 = 2.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let rounds = plan.pick(2_000, 200);
    let (session, gateway) =
        (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]).public());
    let narrowing = Narrowing {
        budget: Some(Price::CREDIT),
        expires: Some(EXPIRES),
        purposes: "research".parse().ok().map(|purpose| [purpose].into()),
        capsules: Some([Cid::of(b"a")].into()),
        ..Narrowing::default()
    };
    let mint = || mint(&session, NETWORK, CHANNEL, &gateway, &Narrowing::default());
    let lookup = |_| Some(session.public());
    let mut table = Table::default();
    table.row("mint", "us", times(rounds, mint)?);
    let mut certificate = mint()?;
    table.row("narrow", "us", times(rounds, || narrow(&certificate, &narrowing))?);
    for blocks in 1..=BLOCKS_MAX {
        let open = || open(&certificate, lookup, NETWORK, &gateway);
        let what = format!("first sight, {blocks} blocks, {} bytes", certificate.len());
        let target = Target::AtMost(FIRST_SIGHT_US + BLOCK_US * blocks as f64);
        table.aimed(what, "us", times(rounds, open)?, target);
        let certificates = Certificates::new(NETWORK, gateway);
        certificates.open(&certificate, lookup)?;
        let seen = times(rounds, || certificates.open(&certificate, lookup))?;
        let target = Target::AtMost(SEEN_BEFORE_US);
        table.aimed(format!("seen before, {blocks} blocks"), "us", seen, target);
        certificate = narrow(&certificate, &narrowing)?;
    }
    let (asked, denied) = under_load(plan.pick(1_000_000, 20_000), &certificate, lookup, gateway);
    let what = format!("wrong denials of {asked}, every core busy");
    table.aimed(what, "calls", vec![denied as f64], Target::AtMost(0.0));
    Ok(table)
}

/// How many authorisations of a good call were asked for, and how many were denied: twice as
/// many threads as cores ask.
fn under_load(
    rounds: usize,
    certificate: &str,
    lookup: impl Fn(u64) -> Option<PublicKey> + Copy + Sync,
    gateway: PublicKey,
) -> (usize, usize) {
    let threads = 2 * thread::available_parallelism().map_or(1, Into::into);
    let certificates = Certificates::new(NETWORK, gateway);
    let each = rounds.div_ceil(threads);
    let denied = thread::scope(|scope| {
        let ask = || {
            let denied = |_: &usize| !authorised(&certificates, certificate, lookup);
            (0..each).filter(denied).count()
        };
        let asking: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap_or(each)).sum()
    });
    (threads * each, denied)
}

/// A certificate opened, and the decision about a call that it allows.
fn authorised(
    certificates: &Certificates,
    certificate: &str,
    lookup: impl Fn(u64) -> Option<PublicKey>,
) -> bool {
    let Ok(opened) = certificates.open(certificate, lookup) else { return false };
    let mut terms = Terms::granting([Right::Call]);
    terms.delegation.depth = BLOCKS_MAX as u16;
    let narrowings: Vec<_> =
        opened.blocks.iter().map(|block| (&block.narrowing, Spent::default())).collect();
    let request = Request {
        capsule: Cid::of(b"a"),
        purpose: None,
        right: Right::Call,
        agent: None,
        price_max: Price(1_000),
        line_max: Price(1_000),
        unit_price: Price(1),
    };
    let situation = Situation {
        terms: &terms,
        grant: GrantView {
            accepted: NOW,
            revoked: false,
            calls_used: 0,
            spent: Price::ZERO,
            rate_wait_ms: 0,
            territory: None,
            licensee_ok: true,
        },
        channel: ChannelView {
            remaining: Price::CREDIT,
            expires: EXPIRES,
            closing: false,
            unit_price_max: Price::CREDIT,
            capsule_ok: true,
        },
        narrowings: &narrowings,
        request: &request,
        now: NOW,
        ledger_age_ms: 0,
    };
    matches!(decide(&situation), Decision::Allow(_))
}

/// The time of each of `rounds`, µs.
fn times<T>(
    rounds: usize,
    mut act: impl FnMut() -> Result<T, CertificateError>,
) -> Result<Vec<f64>, CertificateError> {
    let mut time = || {
        let started = Instant::now();
        black_box(act()?);
        Ok(started.elapsed().as_secs_f64() * 1e6)
    };
    (0..rounds).map(|_| time()).collect()
}
