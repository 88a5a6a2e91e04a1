//! Times minting, narrowing and opening certificates, at first sight and remembered:
//! `cargo run --release -p ambar-gateway --example certificate_timing`.

use ambar_base::{Cid, Digest, Moment, NetworkId, Price, SecretKey};
use ambar_gateway::certificate::{CertificateError, Certificates, mint, narrow, open};
use ambar_licence::Narrowing;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 2_000;
const NETWORK: NetworkId = NetworkId(Digest([3; 32]));

/// Prints the least and the median of the rounds, in microseconds.
fn time<T>(name: &str, mut act: impl FnMut() -> Result<T, CertificateError>) {
    let mut micros: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(act()).expect("the certificates of this program are valid");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    println!("{name:<32} {:>8.1} {:>8.1}", micros[0], micros[ROUNDS / 2]);
}

fn main() -> Result<(), CertificateError> {
    let (session, gateway) =
        (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]).public());
    let narrowing = Narrowing {
        budget: Some(Price::CREDIT),
        expires: Some(Moment(1_801_353_600_000)),
        purposes: "research".parse().ok().map(|purpose| [purpose].into()),
        capsules: Some([Cid::of(b"a")].into()),
        ..Narrowing::default()
    };
    let none = Narrowing::default();
    let mint = |narrowing: &Narrowing| mint(&session, NETWORK, 7, &gateway, narrowing);
    let lookup = |_| Some(session.public());
    println!("{:<32} {:>8} {:>8}", "microseconds", "least", "median");
    time("mint", || mint(&none));
    let mut certificate = mint(&none)?;
    time("narrow", || narrow(&certificate, &narrowing));
    for blocks in 1..=3 {
        let bytes = certificate.len();
        time(&format!("open, {blocks} blocks, {bytes} B"), || {
            open(&certificate, lookup, NETWORK, &gateway)
        });
        let certificates = Certificates::new(NETWORK, gateway);
        time(&format!("remembered, {blocks} blocks"), || certificates.open(&certificate, lookup));
        certificate = narrow(&certificate, &narrowing)?;
    }
    Ok(())
}
