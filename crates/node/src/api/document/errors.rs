//! What each operation can fail with: the one table from which the document's failures are made.
//!
//! What the port itself refuses before any operation is asked (heads that are too large, too many
//! connections, methods that a path does not take) stands in the document's own description.
//!
//! **Invariant**: a code that is not in an operation's row is not in its answers either; a test
//! provokes every row (`bin/ambar/tests/api/provoked.rs`).

use ambar_base::ErrorCode::{self as Code};

/// A row: the operation's id, and its codes in groups.
type Row = (&'static str, &'static [&'static [Code]]);

/// While the node starts, everything but `/healthz` is refused.
const START: &[Code] = &[Code::LedgerStale];
/// Reading the ledger's state.
const STATE: &[Code] =
    &[Code::Internal, Code::LedgerCorrupt, Code::LedgerStale, Code::ShuttingDown];
/// Reading the index.
const INDEX: &[Code] = &[Code::DiskFailed];
/// Reading receipts from the gateway's archive.
const ARCHIVE: &[Code] = &[Code::DiskFailed, Code::JournalCorrupt];
/// Parameters that are wrong.
const PARAMETERS: &[Code] = &[Code::RequestInvalid];
/// A body that is wrong or too long.
const BODY: &[Code] = &[Code::RequestInvalid, Code::RequestTooLarge];
/// Opening a certificate.
const CERTIFICATE: &[Code] = &[
    Code::AudienceMismatch,
    Code::CertificateInvalid,
    Code::CertificateTooLarge,
    Code::CertificateVocabulary,
    Code::ChannelUnknown,
    Code::WrongNetwork,
];
/// A certificate that must be there and not be revoked.
const BEARER: &[Code] = &[Code::CertificateRevoked, Code::Unauthenticated];
/// A request that is signed by somebody who may ask.
const SIGNED: &[Code] = &[Code::NotAuthorised, Code::SignatureInvalid];
/// An account that is named.
const ACCOUNT: &[Code] = &[Code::AccountUnknown];
/// A capsule that is named.
const CAPSULE: &[Code] = &[Code::CapsuleUnknown];
/// A thing that is named by its number or digest.
const THING: &[Code] = &[Code::NotFound];

/// What ends a call on the way to its engine and in it.
const WORK: &[Code] = &[
    Code::BadGateway,
    Code::DeadlineExceeded,
    Code::DiskFailed,
    Code::DiskFull,
    Code::EngineBusy,
    Code::EngineFailed,
    Code::JournalCorrupt,
    Code::LimitExceeded,
    Code::Overloaded,
    Code::Unavailable,
];
/// What the licence, the certificate and the channel say of a call.
const ADMISSION: &[Code] = &[
    Code::AgentSignatureRequired,
    Code::AnswerErased,
    Code::BudgetExceeded,
    Code::CallLimitExceeded,
    Code::CapsuleNotAllowed,
    Code::CertificateExpired,
    Code::ChannelClosed,
    Code::ChannelEmpty,
    Code::ChannelExpired,
    Code::ClockSkew,
    Code::DelegationTooDeep,
    Code::GrantRevoked,
    Code::GrantTermOver,
    Code::IdempotencyConflict,
    Code::PriceAboveLimit,
    Code::PurposeNotAllowed,
    Code::PurposeRequired,
    Code::QuotaExceeded,
    Code::RateExceeded,
    Code::RightNotGranted,
    Code::SignatureInvalid,
    Code::SpendExceeded,
    Code::VoucherExceeded,
    Code::VoucherRequired,
];
/// A model that writes.
const TEXT: &[Code] = &[Code::ContextTooLong];

/// What the ledger refuses of a transaction that people sign.
const TRANSACTION: &[Code] = &[
    Code::BalanceTooLow,
    Code::BondLocked,
    Code::ChannelClosed,
    Code::ChannelUnknown,
    Code::ContentKnown,
    Code::DepartmentOverBudget,
    Code::DocumentInvalid,
    Code::FeeTooLow,
    Code::GrantMissing,
    Code::GrantRevoked,
    Code::GrantTermOver,
    Code::KeyNameTaken,
    Code::LimitExceeded,
    Code::ManifestInvalid,
    Code::ManifestTooLarge,
    Code::NameTaken,
    Code::NonceStale,
    Code::Overloaded,
    Code::ReceiptInvalid,
    Code::RightNotGranted,
    Code::SeatTaken,
    Code::ShareExceeded,
    Code::TermsInvalid,
    Code::TerritoryNotAllowed,
    Code::TerritoryRequired,
    Code::TooEarly,
    Code::TransactionExpired,
    Code::TransactionInvalid,
    Code::ValidatorEjected,
    Code::WrongNetwork,
];
/// What it refuses besides of one that a node signs: settlements and leases.
const SETTLEMENT: &[Code] = &[
    Code::AudienceMismatch,
    Code::CapsuleNotAllowed,
    Code::ChannelEmpty,
    Code::ChannelExpired,
    Code::ClockSkew,
    Code::IdempotencyConflict,
    Code::PriceAboveLimit,
    Code::PurposeNotAllowed,
    Code::PurposeRequired,
    Code::QuotaExceeded,
    Code::SpendExceeded,
    Code::VoucherExceeded,
];
/// What preparing a capsule for serving can meet.
const KITCHEN: &[Code] = &[
    Code::BlobCorrupt,
    Code::ContentKeyMissing,
    Code::CorpusCorrupt,
    Code::DatasetEmpty,
    Code::DiskFailed,
    Code::DiskFull,
    Code::DocumentInvalid,
    Code::EngineFailed,
    Code::FileUnreadable,
    Code::ModelUnsupported,
    Code::NotFound,
];
/// What a manifest can be, that comes with a key.
const MANIFEST: &[Code] =
    &[Code::DocumentInvalid, Code::ManifestInvalid, Code::ManifestTooLarge, Code::ShareExceeded];
/// What a grant can be, that is to let somebody fetch.
const GRANT: &[Code] =
    &[Code::GrantMissing, Code::GrantRevoked, Code::GrantTermOver, Code::RightNotGranted];

/// Every operation, alphabetical.
pub(super) const FAILURES: &[Row] = &[
    ("account", &[STATE, INDEX, PARAMETERS, ACCOUNT]),
    ("audit", &[STATE, INDEX, ARCHIVE, PARAMETERS, &[Code::HistoryMissing]]),
    ("audit_progress", &[START]),
    (
        "blob",
        &[
            STATE,
            INDEX,
            PARAMETERS,
            CERTIFICATE,
            BEARER,
            SIGNED,
            ACCOUNT,
            CAPSULE,
            THING,
            &[Code::BlobCorrupt, Code::RightNotGranted],
        ],
    ),
    ("block", &[STATE, PARAMETERS, THING, &[Code::HistoryMissing]]),
    ("build_progress", &[STATE, PARAMETERS, CAPSULE]),
    ("capsule", &[STATE, INDEX, PARAMETERS, CAPSULE]),
    ("catalogue_changes", &[STATE, INDEX, PARAMETERS]),
    ("chain", &[STATE, PARAMETERS, &[Code::HistoryMissing]]),
    ("channel", &[STATE, PARAMETERS, CERTIFICATE, BEARER, SIGNED]),
    ("chat_completion", &[STATE, BODY, CERTIFICATE, BEARER, CAPSULE, ADMISSION, WORK, TEXT]),
    ("checkpoint", &[STATE]),
    ("completion", &[STATE, BODY, CERTIFICATE, BEARER, CAPSULE, ADMISSION, WORK, TEXT]),
    ("datanet", &[STATE, INDEX, PARAMETERS, CAPSULE, THING]),
    ("dispute", &[STATE, INDEX, PARAMETERS, THING]),
    ("embedding", &[STATE, BODY, CERTIFICATE, BEARER, CAPSULE, ADMISSION, WORK]),
    (
        "faucet",
        &[
            STATE,
            INDEX,
            BODY,
            SIGNED,
            &[Code::BalanceTooLow, Code::LimitExceeded, Code::NonceStale, Code::Overloaded],
        ],
    ),
    ("genesis", &[START]),
    ("healthy", &[]),
    (
        "keep_key",
        &[
            STATE,
            BODY,
            CERTIFICATE,
            BEARER,
            SIGNED,
            ACCOUNT,
            MANIFEST,
            &[Code::ContentKeyWrong, Code::DiskFailed, Code::DiskFull],
        ],
    ),
    ("key_request", &[START, PARAMETERS]),
    ("lineage", &[STATE, PARAMETERS, CAPSULE, &[Code::LimitExceeded]]),
    ("list_blocks", &[STATE, PARAMETERS, &[Code::HistoryMissing]]),
    ("list_capsules", &[STATE, INDEX, PARAMETERS]),
    ("list_channels", &[STATE, INDEX, PARAMETERS, CERTIFICATE, BEARER, SIGNED, ACCOUNT]),
    ("list_datanets", &[STATE, INDEX]),
    ("list_disputes", &[STATE, INDEX, PARAMETERS]),
    ("list_grants", &[STATE, INDEX, PARAMETERS, CERTIFICATE, BEARER, SIGNED, ACCOUNT]),
    ("list_models", &[STATE, CERTIFICATE, BEARER]),
    ("list_offers", &[STATE, INDEX, PARAMETERS, ACCOUNT, CAPSULE]),
    ("list_pools", &[STATE, PARAMETERS]),
    ("list_proposals", &[STATE, PARAMETERS, THING]),
    ("list_receipts", &[STATE, ARCHIVE, PARAMETERS, CERTIFICATE, BEARER, SIGNED, ACCOUNT]),
    ("list_royalties", &[STATE, INDEX, PARAMETERS, ACCOUNT]),
    ("list_submissions", &[STATE, PARAMETERS, THING]),
    ("list_validators", &[STATE, PARAMETERS]),
    ("manifest", &[STATE, PARAMETERS, CAPSULE]),
    ("metrics", &[START]),
    ("model", &[STATE, PARAMETERS, CERTIFICATE, BEARER, CAPSULE]),
    ("openapi", &[START]),
    ("pool", &[STATE, PARAMETERS, THING]),
    ("put_blob", &[STATE, BODY, CERTIFICATE, BEARER, SIGNED, ACCOUNT, &[Code::DiskFull]]),
    ("ready", &[START]),
    ("receipt", &[STATE, ARCHIVE, PARAMETERS, CERTIFICATE, BEARER, SIGNED, THING]),
    (
        "receipt_proof",
        &[
            STATE,
            ARCHIVE,
            PARAMETERS,
            CERTIFICATE,
            BEARER,
            SIGNED,
            THING,
            &[Code::HistoryMissing, Code::LimitExceeded],
        ],
    ),
    (
        "release_key",
        &[
            STATE,
            BODY,
            SIGNED,
            ACCOUNT,
            CAPSULE,
            THING,
            GRANT,
            &[
                Code::ContentKeyMissing,
                Code::ContentKeyWrong,
                Code::DiskFailed,
                Code::LimitExceeded,
            ],
        ],
    ),
    ("response", &[STATE, BODY, CERTIFICATE, BEARER, CAPSULE, ADMISSION, WORK, TEXT]),
    ("revoke_certificate", &[STATE, BODY, CERTIFICATE, &[Code::LimitExceeded, Code::Overloaded]]),
    ("royalty", &[STATE, INDEX, PARAMETERS, THING]),
    ("search", &[STATE, INDEX, PARAMETERS]),
    ("serve", &[STATE, BODY, CERTIFICATE, BEARER, SIGNED, CAPSULE, KITCHEN]),
    ("statement", &[STATE, INDEX, PARAMETERS, CERTIFICATE, BEARER, SIGNED, ACCOUNT]),
    ("status", &[STATE]),
    (
        "submission_content",
        &[
            STATE,
            PARAMETERS,
            CERTIFICATE,
            BEARER,
            SIGNED,
            ACCOUNT,
            THING,
            &[Code::BlobCorrupt, Code::DiskFailed],
        ],
    ),
    (
        "submit_transaction",
        &[STATE, BODY, SIGNED, ACCOUNT, CAPSULE, THING, TRANSACTION, SETTLEMENT, &[Code::DiskFull]],
    ),
    ("terms", &[STATE, PARAMETERS, THING]),
    (
        "trace",
        &[
            STATE,
            INDEX,
            BODY,
            CERTIFICATE,
            BEARER,
            SIGNED,
            ACCOUNT,
            CAPSULE,
            THING,
            &[Code::CorpusCorrupt, Code::LimitExceeded, Code::Unavailable],
        ],
    ),
];

/// The codes that an operation can fail with, each once and ascending; nothing if there is no
/// such operation.
pub(super) fn of(operation: &str) -> Option<Vec<Code>> {
    let at = FAILURES.binary_search_by_key(&operation, |(id, _)| id).ok()?;
    let mut codes = FAILURES[at].1.concat();
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}
