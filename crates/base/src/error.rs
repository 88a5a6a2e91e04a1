//! The public error codes: one alphabetical list, with the HTTP status and the exit code
//! that each becomes at the edge.
//!
//! Rooms have error types of their own; [`Coded`] says which public code each shows.

use std::fmt;

/// An error that a person or a client meets has a public code.
pub trait Coded: std::error::Error {
    /// The public code.
    fn code(&self) -> ErrorCode;

    /// What to do about it, if the error knows better than its code.
    fn help(&self) -> Option<String> {
        None
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $status:literal $exit:literal $help:literal;)*) => {
        /// A public error code. Its text is for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the text beside each variant says what it means")]
        pub enum ErrorCode { $($variant),* }

        impl ErrorCode {
            /// Every code, alphabetical.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as clients see it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The HTTP status that it becomes.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// The exit code of a command that fails with it.
            #[must_use]
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$variant => $exit),* }
            }

            /// What to do, in general.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),* }
            }
        }
    };
}

// Exit codes: 2 wrong input, 3 refused by a rule or for lack of money, 4 not found,
// 5 damaged data, 6 resource or peer unavailable, 70 a fault of the program.
codes! {
    AccountUnknown "account_unknown" 404 4 "check the id, or create the account with `ambar account fund`";
    AddressInUse "address_in_use" 503 6 "stop the other program or choose another --listen address";
    AgentSignatureRequired "agent_signature_required" 401 3 "sign the call with the agent's key";
    AnswerErased "answer_erased" 410 4 "send the request with a new Idempotency-Key to make a new call";
    AudienceMismatch "audience_mismatch" 403 3 "use the certificate at the gateway its channel was opened to";
    BadGateway "bad_gateway" 502 6 "the upstream service failed; try again later";
    BalanceTooLow "balance_too_low" 402 3 "add credits to the account";
    BlobCorrupt "blob_corrupt" 500 5 "fetch or publish the content again";
    BondLocked "bond_locked" 409 3 "retire the validator, and wait until its window is over";
    BudgetExceeded "budget_exceeded" 402 3 "mint a certificate with a larger budget";
    CallLimitExceeded "call_limit_exceeded" 403 3 "mint a certificate with more calls";
    CapsuleNotAllowed "capsule_not_allowed" 403 3 "use a certificate that allows this capsule";
    CapsuleUnknown "model_not_found" 404 4 "list what this certificate can call with GET /v1/models";
    CertificateExpired "certificate_expired" 401 3 "mint a new certificate with `ambar cert mint`";
    CertificateInvalid "certificate_invalid" 401 3 "mint a new certificate with `ambar cert mint`";
    CertificateRevoked "certificate_revoked" 403 3 "ask whoever gave you the certificate for a new one";
    CertificateTooLarge "certificate_too_large" 431 2 "narrow less often, or mint anew";
    CertificateVocabulary "certificate_vocabulary" 401 3 "use only the checks that `ambar cert narrow` writes";
    ChainFileInvalid "chain_file_invalid" 400 5 "export the chain again with `ambar chain export`";
    ChannelClosed "channel_closed" 403 3 "open a new channel with `ambar license`";
    ChannelEmpty "channel_empty" 402 3 "add credits with `ambar channel fund`";
    ChannelExpired "channel_expired" 403 3 "open a new channel with `ambar license`";
    ChannelUnknown "channel_unknown" 404 4 "list channels with `ambar channel list`";
    ClockSkew "clock_skew" 400 2 "set the clock of the machine that signed the request";
    ContentKeyMissing "content_key_missing" 404 4 "ask the owner's node for the key: name it with --key-node";
    ContentKeyWrong "content_key_wrong" 502 5 "this is not the key of the content; ask the owner's node";
    ContentKnown "content_known" 409 3 "submit what nobody has registered before";
    ContextTooLong "context_length_exceeded" 400 2 "send a shorter prompt";
    CorpusCorrupt "corpus_corrupt" 500 5 "build the corpus again from its records";
    CycleInLineage "cycle_in_lineage" 400 2 "a capsule cannot be built on itself";
    DatasetEmpty "dataset_empty" 400 2 "publish a directory with at least one non-empty record";
    DeadlineExceeded "deadline_exceeded" 504 6 "ask for less, or wait longer";
    DelegationTooDeep "delegation_too_deep" 403 3 "use a certificate that was passed on less often";
    DepartmentOverBudget "department_over_budget" 402 3 "wait for the next period, or ask the organisation for a larger budget";
    DiskFailed "disk_failed" 503 6 "check the disk, then start the node again";
    DiskFull "disk_full" 507 6 "free some space; nothing was lost";
    DocumentInvalid "document_invalid" 400 2 "the bytes are not a document of this kind";
    EngineBusy "engine_busy" 429 6 "try again in a moment";
    EngineFailed "engine_failed" 502 6 "the engine failed; what was not delivered is not charged";
    FeeTooLow "fee_too_low" 402 3 "raise the fee cap";
    FileUnreadable "file_unreadable" 400 2 "check the path and its permissions";
    GrantMissing "grant_missing" 403 3 "accept the terms with `ambar license`";
    GrantRevoked "grant_revoked" 403 3 "ask the owner";
    GrantTermOver "grant_term_over" 403 3 "accept the terms again with `ambar license`";
    HistoryMissing "history_missing" 410 4 "ask an archive node, one with `archive = true` that has followed since genesis";
    HomeInUse "home_in_use" 409 6 "stop the other process or choose another --home";
    HomeMismatch "home_mismatch" 409 5 "this home belongs to another network or version";
    HomeTooNew "home_too_new" 409 5 "use the version of Ambar that wrote this home, or a newer one";
    IdempotencyConflict "idempotency_conflict" 422 2 "use a new Idempotency-Key for a different request";
    Internal "internal_error" 500 70 "this is a fault of Ambar; please report it";
    JournalCorrupt "journal_corrupt" 500 5 "restore the journal from a copy";
    KeyNameTaken "key_name_taken" 409 2 "choose another name";
    KeyUnknown "key_unknown" 404 4 "list keys with `ambar key list`";
    LedgerCorrupt "ledger_corrupt" 500 5 "restore the home from a copy";
    LedgerStale "ledger_stale" 503 6 "the last final block is too old; try again";
    LimitExceeded "limit_exceeded" 413 2 "send less";
    ManifestInvalid "manifest_invalid" 400 2 "correct the manifest";
    ManifestTooLarge "manifest_too_large" 413 2 "move long texts into extension documents";
    MethodNotAllowed "method_not_allowed" 405 2 "use a method that this path takes";
    ModelUnsupported "model_unsupported" 400 2 "use a GGUF file of a supported architecture";
    NameTaken "name_taken" 409 3 "choose another name";
    NodeUnreachable "node_unreachable" 503 6 "start a node with `ambar start`, or set --node";
    NonceStale "nonce_stale" 409 3 "read the account's nonce and sign again";
    NotAuthorised "not_authorised" 403 3 "sign with a key of the owning account";
    NotEnforced "not_enforced" 400 2 "this clause is not enforced by this version, so it is refused";
    NotFound "not_found" 404 4 "check the id";
    Overloaded "overloaded" 429 6 "try again in a moment";
    PriceAboveLimit "price_above_limit" 402 3 "open a channel with a higher unit price";
    PurposeNotAllowed "purpose_not_allowed" 403 3 "declare an allowed purpose with Ambar-Purpose";
    PurposeRequired "purpose_required" 403 3 "declare a purpose with Ambar-Purpose";
    QuotaExceeded "quota_exceeded" 429 3 "wait for the next period, or accept larger terms";
    RateExceeded "rate_exceeded" 429 3 "wait a moment; the terms limit how fast calls may come";
    ReceiptInvalid "receipt_invalid" 400 5 "the receipt does not verify";
    RequestInvalid "invalid_request" 400 2 "correct the request";
    RequestTooLarge "request_too_large" 413 2 "send a smaller body";
    RightNotGranted "right_not_granted" 403 3 "the terms do not grant this; ask the owner";
    SeatTaken "seat_taken" 409 3 "an account and a key have one validator each";
    ShareExceeded "share_exceeded" 400 2 "lower the shares until they sum to at most 100%";
    ShuttingDown "shutting_down" 503 6 "try again in a moment";
    SignatureInvalid "signature_invalid" 401 3 "sign with the right key for this network";
    SpendExceeded "spend_exceeded" 429 3 "wait for the next period, or accept larger terms";
    TermsInvalid "terms_invalid" 400 2 "correct the terms; `ambar terms check` lists every error";
    TerritoryNotAllowed "territory_not_allowed" 403 3 "accept the terms for a territory that they allow";
    TerritoryRequired "territory_required" 400 3 "declare a territory when you accept the terms";
    TooEarly "too_early" 409 3 "wait a moment";
    TransactionExpired "transaction_expired" 409 3 "sign again with a later expiry height";
    TransactionInvalid "transaction_invalid" 400 2 "correct the transaction";
    TransactionTooLarge "transaction_too_large" 413 2 "split the transaction";
    Unauthenticated "unauthenticated" 401 3 "send a certificate as the bearer token";
    Unavailable "unavailable" 503 6 "no node serves this capsule right now";
    ValidatorEjected "validator_ejected" 409 3 "nothing is left to do: its bond is burned";
    VoucherExceeded "voucher_exceeded" 402 3 "sign a higher voucher: start `ambar connect` again, which looks at what settled";
    VoucherRequired "voucher_required" 402 3 "call through `ambar connect`, which signs each call and a voucher for it";
    WrongNetwork "wrong_network" 400 3 "sign for this network's id";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_alphabetical_and_unique() {
        let names: Vec<_> = ErrorCode::ALL.iter().map(|code| format!("{code:?}")).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        let texts: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn every_code_fails_and_helps() {
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.http_status()), "{code}");
            assert!(code.exit_code() != 0 && !code.help().is_empty(), "{code}");
        }
    }
}
