//! Sealing: as fast as the cipher alone? And the release of a key.
//!
//! The bare cipher seals chunks of the same length with a nonce of its own each, in place, and
//! nothing else: no cutting, no copy. Rounds of both alternate.

use crate::plan::Plan;
use crate::table::{Table, Target};
use ambar_base::{AccountId, Cid, Digest, NetworkId, SecretKey};
use ambar_capsule::sealing::{
    CustodyRequest, PLAIN_CHUNK_BYTES, RecipientSecret, ReleaseRequest, SealedContent, Sealer,
    StreamOpener, VersionKey,
};
use anyhow::{Result, anyhow, ensure};
use chacha20poly1305_11::aead::inout::InOutBuf;
use chacha20poly1305_11::{AeadInOut, ChaCha20Poly1305, KeyInit};
use std::hint::black_box;
use std::time::Instant;

const NETWORK: NetworkId = NetworkId(Digest([3; 32]));
/// How much is handed to the sealer at once, as whoever publishes does.
const PIECE_BYTES: usize = 256 * 1024;
/// What a chunk is bound to, bytes.
const BOUND: [u8; 64] = [5; 64];

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let mut table = Table::default();
    rates(plan, &mut table)?;
    release(plan, &mut table)?;
    Ok(table)
}

fn rates(plan: &Plan, table: &mut Table) -> Result<()> {
    let chunks = plan.pick(4_000, 400);
    let plaintext = vec![0x5a_u8; chunks * PLAIN_CHUNK_BYTES as usize];
    let (mut bare, mut sealed, mut opened, mut ratio) = (vec![], vec![], vec![], vec![]);
    for _ in 0..plan.pick(15, 5) {
        let started = Instant::now();
        bare_cipher(&plaintext)?;
        let alone = rate(&plaintext, started);
        let started = Instant::now();
        let bytes = seal(&plaintext, |piece| {
            black_box(piece);
        })?;
        let here = rate(&plaintext, started);
        let mut ciphertext = Vec::with_capacity(bytes);
        seal(&plaintext, |piece| ciphertext.extend_from_slice(piece))?;
        let started = Instant::now();
        ensure!(open(&ciphertext)? == plaintext.len(), "what opens is not what was sealed");
        opened.push(rate(&plaintext, started));
        bare.push(alone);
        sealed.push(here);
        ratio.push(here / alone);
    }
    table.row("bare cipher", "MB/s", bare);
    table.row("seal", "MB/s", sealed);
    table.aimed("seal / bare cipher", "ratio", ratio, Target::AtLeast(0.8));
    table.row("open", "MB/s", opened);
    Ok(())
}

/// Megabytes a second.
fn rate(bytes: &[u8], started: Instant) -> f64 {
    bytes.len() as f64 / 1e6 / started.elapsed().as_secs_f64()
}

fn bare_cipher(plaintext: &[u8]) -> Result<()> {
    let cipher = ChaCha20Poly1305::new(&[7; 32].into());
    let mut chunk = vec![0; PLAIN_CHUNK_BYTES as usize];
    for (index, bytes) in (0_u32..).zip(plaintext.chunks(PLAIN_CHUNK_BYTES as usize)) {
        let mut nonce = [0; 12];
        nonce[7..11].copy_from_slice(&index.to_be_bytes());
        chunk[..bytes.len()].copy_from_slice(bytes);
        let content = InOutBuf::from(&mut chunk[..bytes.len()]);
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &BOUND, content);
        black_box(tag.map_err(|error| anyhow!("{error}"))?);
    }
    Ok(())
}

/// Seals piece by piece into one buffer, as whoever publishes does; yields the sealed length.
fn seal(plaintext: &[u8], mut take: impl FnMut(&[u8])) -> Result<usize> {
    let mut sealer = Sealer::new(&key(), 0, plaintext.len() as u64)?;
    let (mut sealed, mut bytes) = (Vec::with_capacity(2 * PIECE_BYTES), 0);
    for piece in plaintext.chunks(PIECE_BYTES) {
        sealed.clear();
        sealer.update(piece, &mut sealed)?;
        take(&sealed);
        bytes += sealed.len();
    }
    sealed.clear();
    sealer.finish(&mut sealed)?;
    take(&sealed);
    Ok(bytes + sealed.len())
}

fn open(sealed: &[u8]) -> Result<usize> {
    let mut opener = StreamOpener::new(&key(), 0, sealed.len() as u64)?;
    let (mut plaintext, mut bytes) = (Vec::with_capacity(2 * PIECE_BYTES), 0);
    for piece in sealed.chunks(PIECE_BYTES) {
        plaintext.clear();
        opener.update(piece, &mut plaintext)?;
        bytes += plaintext.len();
    }
    plaintext.clear();
    opener.finish(&mut plaintext)?;
    Ok(bytes + plaintext.len())
}

fn key() -> VersionKey {
    VersionKey::from_bytes(&[9; 32])
}

/// What a node does with a request: its signature, the kept key, the key wrapped anew; and what
/// the licensee does with the answer.
fn release(plan: &Plan, table: &mut Table) -> Result<()> {
    let (node, licensee) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let (keeps, asks) = (RecipientSecret::of_node(&node), RecipientSecret::from_bytes(&[4; 32]));
    let sealed = SealedContent::new(&key(), 1_000);
    let version = Cid::of(b"version");
    let custody = CustodyRequest {
        network: NETWORK,
        version,
        node: node.public(),
        recipient: keeps.public(),
    };
    let kept = custody.wrap(&key(), &[6; 32])?;
    let request = ReleaseRequest {
        network: NETWORK,
        version,
        grant: 7,
        licensee: AccountId(Digest::of(b"licensee")),
        recipient: asks.public(),
        nonce: [8; 32],
    };
    let signature = request.sign(&licensee);
    let (mut releases, mut opens) = (Vec::new(), Vec::new());
    for round in 0..plan.pick(2_000, 200) {
        let started = Instant::now();
        request.signed(&licensee.public(), &signature).verify()?;
        let key = custody.open(&kept, &keeps)?;
        sealed.check_key(&key)?;
        let released = request.wrap(&key, &[round as u8; 32])?;
        releases.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        sealed.check_key(&released.open(&asks, &request)?)?;
        opens.push(started.elapsed().as_secs_f64() * 1e3);
    }
    table.aimed("key release, at the node", "ms", releases, Target::AtMost(5.0));
    table.row("key release, at the licensee", "ms", opens);
    Ok(())
}
