//! What cannot be provoked over HTTP on a sound machine, why, and where it is provoked instead.
//!
//! **Invariant**: each entry excludes something that the document names and that was not seen.

use std::collections::BTreeSet;
use std::path::Path;

/// An entry: operations (none: all that name the code), code, why, and the file of the test that
/// provokes it.
type Entry = (&'static [&'static str], &'static str, &'static str, &'static str);

const SUBMIT: &[&str] = &["submit_transaction"];
const FAUCET: &[&str] = &["faucet"];
const SERVE: &[&str] = &["serve"];

const EXCLUDED: &[Entry] = &[
    // Damaged machines.
    (&[], "blob_corrupt", "a blob is damaged on the disk", "bin/ambar/tests/bad_input.rs"),
    (&[], "corpus_corrupt", "a corpus is damaged on the disk", "crates/corpus/src/update_tests.rs"),
    (&[], "disk_failed", "the disk fails", "crates/gateway/src/journal/tests/faults.rs"),
    (&[], "disk_full", "the disk is full", "bin/ambar/tests/disk_full.rs"),
    (&[], "internal_error", "a fault of the program", "crates/chain/tests/engine/order.rs"),
    (&[], "journal_corrupt", "the journal is damaged", "crates/gateway/src/answers.rs"),
    (&[], "ledger_corrupt", "the ledger is damaged", "crates/node/tests/circuit.rs"),
    (
        &["embedding"],
        "engine_failed",
        "a model's files are damaged once it is served",
        "crates/compute/src/embed.rs",
    ),
    (
        &["release_key"],
        "content_key_wrong",
        "a kept key is damaged",
        "bin/ambar/tests/network/sealed.rs",
    ),
    (SERVE, "dataset_empty", "a published record is lost", "crates/corpus/src/corpus_tests.rs"),
    (SERVE, "document_invalid", "a published file is damaged", "crates/node/src/contributors.rs"),
    (SERVE, "not_found", "a blob is lost from the disk", "bin/ambar/tests/bad_input.rs"),
    // Times that do not come within a test.
    (&[], "history_missing", "65,536 blocks are made", "bin/ambar/tests/retention.rs"),
    (&[], "overloaded", "thousands wait", "crates/gateway/src/lessee_tests.rs"),
    (&[], "shutting_down", "only while the node stops", "crates/gateway/src/lessee.rs"),
    (
        FAUCET,
        "balance_too_low",
        "a thousand grants empty it",
        "crates/ledger/tests/suite/transactions.rs",
    ),
    (
        FAUCET,
        "nonce_stale",
        "somebody else uses the faucet's key",
        "crates/ledger/tests/suite/transactions.rs",
    ),
    (&["lineage"], "limit_exceeded", "4,096 versions", "crates/capsule/src/lineage.rs"),
    (
        &["receipt_proof"],
        "limit_exceeded",
        "megabytes of terms",
        "crates/receipt/src/export_tests.rs",
    ),
    (
        &["revoke_certificate"],
        "limit_exceeded",
        "1,024 revocations",
        "crates/ledger/tests/suite/certificates.rs",
    ),
    // What accounts of several keys, councils and cheaters do.
    (SUBMIT, "department_over_budget", "departments", "bin/ambar/tests/organisation.rs"),
    (SUBMIT, "content_known", "a content twice", "crates/ledger/tests/suite/pools.rs"),
    (SUBMIT, "too_early", "a review in the first seconds", "crates/ledger/tests/suite/pools.rs"),
    (SUBMIT, "receipt_invalid", "disputes", "crates/ledger/tests/suite/disputes.rs"),
    (
        SUBMIT,
        "validator_ejected",
        "validators that cheat",
        "crates/ledger/tests/suite/validators.rs",
    ),
    // What nodes sign: settlements of calls that no gateway admits, and leases.
    (SUBMIT, "audience_mismatch", "a foreign channel", "crates/ledger/tests/suite/leases.rs"),
    (SUBMIT, "capsule_not_allowed", "a foreign grant", "crates/gateway/tests/decisions.rs"),
    (SUBMIT, "channel_empty", "more than there is", "crates/ledger/tests/suite/settlement.rs"),
    (SUBMIT, "channel_expired", "a channel that is over", "crates/gateway/tests/decisions.rs"),
    (SUBMIT, "clock_skew", "calls of the future", "crates/ledger/tests/suite/settlement.rs"),
    (SUBMIT, "idempotency_conflict", "a call twice", "crates/ledger/tests/suite/settlement.rs"),
    (SUBMIT, "price_above_limit", "a dear node", "crates/gateway/tests/decisions.rs"),
    (SUBMIT, "purpose_not_allowed", "a denied purpose", "crates/gateway/tests/decisions.rs"),
    (SUBMIT, "purpose_required", "no purpose", "crates/gateway/tests/decisions.rs"),
    (SUBMIT, "quota_exceeded", "no lease", "crates/ledger/tests/suite/settlement.rs"),
    (SUBMIT, "spend_exceeded", "no lease", "crates/ledger/tests/suite/leases.rs"),
    (SUBMIT, "voucher_exceeded", "more than is signed", "crates/ledger/tests/suite/vouchers.rs"),
];

/// Whether a row is excluded.
pub fn is(operation: &str, code: &str) -> bool {
    EXCLUDED.iter().any(|entry| excludes(entry, operation, code))
}

fn excludes((operations, own, ..): &Entry, operation: &str, code: &str) -> bool {
    *own == code && (operations.is_empty() || operations.contains(&operation))
}

/// That every entry is about something, and names a test that is there.
pub fn check(documented: &BTreeSet<(String, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for entry in EXCLUDED {
        let (_, code, why, test) = entry;
        assert!(documented.iter().any(|(id, code)| excludes(entry, id, code)), "{code}: {why}");
        assert!(root.join(test).is_file(), "{code}: {test}");
    }
}
