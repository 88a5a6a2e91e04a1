//! Certificates: minted, narrowed and opened, at first sight and remembered.

use crate::plan::Plan;
use crate::table::Table;
use ambar_base::{Cid, Digest, Moment, NetworkId, Price, SecretKey};
use ambar_gateway::certificate::{CertificateError, Certificates, mint, narrow, open};
use ambar_licence::Narrowing;
use anyhow::Result;
use std::hint::black_box;
use std::time::Instant;

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
/// The channel of the certificates.
const CHANNEL: u64 = 7;
/// The most blocks of a certificate that is opened.
const BLOCKS_MAX: usize = 3;
/// 2027-01-31.
const EXPIRES: Moment = Moment(1_801_353_600_000);

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
        table.row(what, "us", times(rounds, open)?);
        let certificates = Certificates::new(NETWORK, gateway);
        certificates.open(&certificate, lookup)?;
        let seen = times(rounds, || certificates.open(&certificate, lookup))?;
        table.row(format!("seen before, {blocks} blocks"), "us", seen);
        certificate = narrow(&certificate, &narrowing)?;
    }
    Ok(table)
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
