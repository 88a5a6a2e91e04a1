//! A node whose disk is full says so, goes on answering what needs no space, and works again
//! when there is space, without a restart and without a wrong book.
//!
//! The home lies on a small file system in memory of its own. Mounting one needs privileges;
//! without them the test says that it is skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;
use support::http::{Answer, Request};
use support::market::{Market, chat, question, until};
use tempfile::TempDir;

/// Size of the file system: a home and some calls fit.
const DISK_BYTES: u64 = 48 << 20;
/// Tokens of each answer.
const TOKENS: u32 = 8;

/// A mounted file system; dropping it unmounts, and removes the folder after that.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={DISK_BYTES},mode=700");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all the space there is.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.filler()).unwrap();
        for size in [1 << 20, 4096, 1] {
            let bytes = vec![1; size];
            let error = loop {
                if let Err(error) = file.write_all(&bytes) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the node's process may still be on its way out.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn keyed(market: &Market, certificate: &str, model: &str, key: &str) -> Answer {
    let request = chat(&question(model, TOKENS)).bearer(certificate);
    request.header("Idempotency-Key", key).send(market.url()).unwrap()
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: mounting a file system is not permitted here");
        return;
    };
    let market = Market::open_at(&disk.0.path().join("home"));
    let model = market.model("model", &format!("null:tokens={TOKENS}"));
    let certificate = market.mint(&market.license(&model, "5"), &[]);
    let first = keyed(&market, &certificate, &model, "first");
    first.ok();
    market.audit(1);

    disk.fill();
    let mut keys = Vec::new();
    until("a call is refused because the disk is full", || {
        keys.push(format!("full-{}", keys.len()));
        let answer = keyed(&market, &certificate, &model, keys.last()?);
        if answer.status == 200 {
            // The node still had some room, and may have freed more.
            disk.fill();
            return None;
        }
        answer.refused(507, "disk_full");
        Some(())
    });
    reads_go_on(&market, &certificate, &first);
    until("the ledger's disk is full too", || {
        let ran = market.person().run(&["account", "fund", "1", "--as", "app"]);
        if ran.code == 0 {
            disk.fill();
            return None;
        }
        ran.failed(6, "disk_full");
        Some(())
    });
    reads_go_on(&market, &certificate, &first);

    disk.free();
    for key in &keys {
        until("calls work again", || {
            let answer = keyed(&market, &certificate, &model, key);
            if answer.status == 200 {
                return Some(());
            }
            let later = matches!(answer.code().as_str(), "disk_full" | "ledger_stale");
            assert!(later, "{answer:?}");
            None
        });
        market.receipt_of(&certificate, key);
    }
    market.audit(1 + keys.len() as u64);
    index_follows(&market);
}

/// That the index gets as far as the ledger is now.
fn index_follows(market: &Market) {
    let status = || Request::get("/api/v1/status").send(market.url()).unwrap().ok();
    let height = status()["height"].as_u64().unwrap();
    until("the index follows", || (status()["indexed"].as_u64()? >= height).then_some(()));
}

fn reads_go_on(market: &Market, certificate: &str, first: &Answer) {
    let url = market.url();
    assert_eq!(market.ask(certificate, "/v1/models").status, 200);
    for path in ["/healthz", "/api/v1/status", "/api/v1/capsules"] {
        assert_eq!(Request::get(path).send(url).unwrap().status, 200, "{path}");
    }
    let receipt = first.header("ambar-receipt").unwrap();
    let receipt = market.ask(certificate, &format!("/api/v1/receipts/{receipt}")).ok();
    assert_eq!(receipt["outcome"], "full", "{receipt}");
}
