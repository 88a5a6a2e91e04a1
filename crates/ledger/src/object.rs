//! The objects of the ledger. Objects name one another by number; ids are looked up once,
//! when something is created.

mod department;
mod dispute;
mod licensing;
mod lineage;
mod offer;
mod pool;
mod trade;
mod volume;

pub use department::{Budget, Department, Member, Role};
pub use dispute::{
    Claim, DISPUTE_DAYS, DISPUTE_DEPOSITS, DISPUTE_TEXT_BYTES_MAX, Dispute, DisputeBook,
    DisputeState, Misattributed, Ruled, dispute_deposit,
};
pub use licensing::{Backing, Channel, Grant, Lease, QuotaCount, Revocation, Revocations};
pub use lineage::{ANCESTORS_MAX, Ancestor, Ancestry};
pub use offer::Offer;
pub(crate) use pool::is_text as is_pool_text;
pub use pool::{
    Decided, LICENCES_MAX, POOL_NAME_BYTES_MAX, POOL_TEXT_BYTES_MAX, Pool, PoolMember, PoolRecord,
    PoolRules, Proposal, RECORD_BYTES_MAX, REVEAL_MS, REVIEWERS_MAX, Revealed, Source, Submission,
    SubmissionState, TakenBack, commitment,
};
pub use trade::{RECOVERY_DELAY_BLOCKS, RECOVERY_DELAY_MS, Recovery, RoyaltyOffer};
pub use volume::Volume;

use crate::history::History;
use ambar_base::finality::SEATS_MAX;
use ambar_base::{
    AccountId, Amount, Cid, Digest, Height, KeySet, Price, PublicKey, Weight, record,
};
use ambar_capsule::Plan;

/// Longest settlement or challenge window, heights: four months of a block each second.
pub const WINDOW_HEIGHTS_MAX: u64 = 10_000_000;

/// Numbers of the reserved accounts, which genesis creates.
pub mod reserved {
    /// Credits sent here are destroyed.
    pub const BURN: u64 = 0;
    /// The network's own income.
    pub const NETWORK: u64 = 1;
    /// Deposits for objects that can be removed again.
    pub const DEPOSITS: u64 = 2;
    /// The names of the reserved accounts, by number.
    pub const NAMES: [&str; 3] = ["burn", "network", "deposits"];
}

record! {
    /// The rules that the council may change. What a call refers to is as of its
    /// admission height.
    pub struct Parameters {
        /// What the network takes of a call's lines.
        pub network_fee: Weight,
        /// The part of it, and of transaction fees, that is burned.
        pub burn: Weight,
        /// What any transaction pays.
        pub fee_base: Price,
        /// What a transaction pays per byte that is not settlement.
        pub fee_per_byte: Price,
        /// What an object that can be removed again is deposited with.
        pub deposit: Price,
        /// Heights within which a call may settle after its admission.
        pub settlement_window: u64,
        /// Heights that income stays pending for challenges.
        pub challenge_window: u64,
        /// The tariff of new calls, by number.
        pub tariff: u64,
        /// The bond of a node.
        pub node_bond: Price,
        /// The bond of a validator.
        pub validator_bond: Price,
        /// The fewest seats that an election leaves.
        pub committee_min: u16,
        /// The most seats of a committee.
        pub committee_max: u16,
        /// The most seats that change at the end of an epoch. Fewer change if these are more
        /// than a third of the seats.
        pub churn: u16,
    }
}

record! {
    /// The parameters, their history, and who may change them.
    pub struct Governance {
        /// What holds and held.
        pub parameters: History<Parameters>,
        /// The account whose keys are the council.
        pub council: u64,
        /// Whether credits can be had from the faucet account.
        pub development: bool,
    }
}

record! {
    /// The next free number of each kind of object.
    #[derive(Default)]
    pub struct Numbers {
        /// Accounts.
        pub accounts: u64,
        /// Capsule versions.
        pub versions: u64,
        /// Version lines.
        pub lines: u64,
        /// Royalty lines.
        pub royalties: u64,
        /// Grants.
        pub grants: u64,
        /// Channels.
        pub channels: u64,
        /// Nodes.
        pub nodes: u64,
        /// Tariffs.
        pub tariffs: u64,
        /// Validators.
        pub validators: u64,
        /// Offers of terms.
        pub offers: u64,
    }
}

record! {
    /// Who may sign for an account. An escrow or reserved account has no keys.
    pub struct Account {
        /// Its id.
        pub id: AccountId,
        /// Its keys now, unless it is an escrow or reserved account.
        pub keys: Option<KeySet>,
        /// The digest of the key set that may recover it.
        pub recovery: Option<Digest>,
        /// The nonce of its next transaction.
        pub nonce: u64,
        /// What an escrow or reserved account, or a department, is called.
        pub name: Option<String>,
    }
}

record! {
    /// An account's money.
    pub struct Balance {
        /// The account's id, so that settlement need not read its keys.
        pub account: AccountId,
        /// What can be spent.
        pub available: Amount,
        /// What becomes available at a height, ascending, each height once.
        pub pending: Vec<(Height, Amount)>,
    }
}

record! {
    /// A capsule version.
    pub struct Version {
        /// Its id.
        pub id: Cid,
        /// The account that made it.
        pub creator: u64,
        /// The version line it belongs to.
        pub line: u64,
        /// Its published terms. Grants are of these, or were offered beside them.
        pub terms: Cid,
        /// Who its royalty goes to.
        pub plan: Plan,
        /// Its components: version, and the grant under which the owner calls it.
        pub uses: Vec<(u64, u64)>,
        /// Its components under the grants of the owner before, if the line changed hands.
        pub former_uses: Option<FormerUses>,
        /// Components below it at most, counted in levels.
        pub depth: u16,
        /// Whether it is a datanet.
        pub datanet: bool,
        /// When it was published.
        pub height: Height,
        /// Least that a call earns, nano-credit, so that its parents get what their terms ask of
        /// the smallest call.
        pub least: Price,
    }
}

record! {
    /// Components under grants that calls admitted earlier still settle by.
    pub struct FormerUses {
        /// The last height of admission.
        pub last: Height,
        /// Version, and the grant under which the owner called it.
        pub uses: Vec<(u64, u64)>,
    }
}

record! {
    /// A version line.
    pub struct Line {
        /// The id of its first version.
        pub first: Cid,
        /// Who may publish versions and license it.
        pub owner: u64,
        /// The latest version.
        pub head: u64,
        /// Its royalty lines and their parts of what the line keeps.
        pub royalty: Vec<(u64, Weight)>,
    }
}

record! {
    /// A royalty line.
    pub struct Royalty {
        /// The version line it belongs to.
        pub line: u64,
        /// Who holds and held it.
        pub holder: History<u64>,
    }
}

record! {
    /// A datanet version's contributors.
    pub struct Datanet {
        /// The contributor table, by id.
        pub table: Cid,
        /// The accounts by index in the table.
        pub contributors: Vec<u64>,
        /// Who is paid when a call used none of the records.
        pub treasury: u64,
    }
}

record! {
    /// A serving node or gateway.
    pub struct Node {
        /// The key it signs with.
        pub key: PublicKey,
        /// The account that its fees go to.
        pub owner: u64,
        /// What it asks per MU, now and before.
        pub ask: History<Price>,
        /// What it can lose.
        pub bond: Amount,
        /// The number of its next batch.
        pub next_batch: u64,
        /// The nonce of its next transaction.
        pub nonce: u64,
    }
}

record! {
    /// Whether a node may serve a version line.
    pub struct Serve {
        /// It may or not, now and before.
        pub allowed: History<bool>,
    }
}

record! {
    /// Where other nodes reach a node.
    pub struct Endpoint {
        /// A host name or IP address and a port: `node.example:7700`, `[2001:db8::1]:7700`.
        pub address: String,
    }
}

record! {
    /// The nodes that may serve a version line, or once might.
    #[derive(Default)]
    pub struct Servers {
        /// Their numbers, ascending.
        pub nodes: Vec<u64>,
    }
}

record! {
    /// A settled batch.
    pub struct Batch {
        /// The digest of its signed header.
        pub header: Digest,
        /// How many leaves.
        pub leaves: u64,
        /// Their price.
        pub price: Price,
        /// When it settled.
        pub height: Height,
    }
}

record! {
    /// A registered name.
    pub struct Name {
        /// Who registered it.
        pub owner: u64,
        /// The version line it stands for.
        pub line: u64,
    }
}

record! {
    /// What the beginning of a block does.
    #[derive(Default)]
    pub struct Agenda {
        /// Batches whose calls and facts are forgotten.
        pub batches: Vec<ForgetBatch>,
        /// Channels that are paid out and removed.
        pub channels: Vec<u64>,
        /// Leases that go back to their quota, unless they were extended: (grant, (period,
        /// gateway)).
        pub leases: Vec<(u64, (u64, u64))>,
    }
}

record! {
    /// A batch whose calls and facts are forgotten.
    #[derive(Copy)]
    pub struct ForgetBatch {
        /// The gateway.
        pub gateway: u64,
        /// The batch's number.
        pub number: u64,
        /// How many calls it settled.
        pub calls: u64,
    }
}

/// Longest address of a node, bytes.
pub const ENDPOINT_BYTES_MAX: usize = 255;
/// Most nodes that may serve one version line, those that no longer may included.
pub const SERVERS_MAX: usize = 256;

impl Endpoint {
    /// Whether the address is a host and a port, in letters that no log or header
    /// misunderstands.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Some((host, port)) = self.address.rsplit_once(':') else { return false };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let host_ok = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(address)) => address.parse::<core::net::Ipv6Addr>().is_ok(),
            Some(None) => false,
            None => !host.is_empty() && host.bytes().all(plain),
        };
        let port_ok = port.parse::<u16>().is_ok_and(|n| n > 0 && n.to_string() == port);
        self.address.len() <= ENDPOINT_BYTES_MAX && host_ok && port_ok
    }
}

impl Balance {
    /// The empty balance of an account.
    #[must_use]
    pub fn empty(account: AccountId) -> Self {
        Self { account, available: Amount::ZERO, pending: Vec::new() }
    }

    /// What is still pending after `height`.
    #[must_use]
    pub fn pending_at(&self, height: Height) -> Amount {
        let later = self.pending.iter().filter(|(release, _)| *release > height);
        ambar_base::amount::total(later.map(|(_, amount)| *amount)).unwrap_or(Amount::ZERO)
    }

    /// What can be spent at `height`.
    #[must_use]
    pub fn available_at(&self, height: Height) -> Amount {
        let due = self.pending.iter().filter(|(release, _)| *release <= height);
        let due = ambar_base::amount::total(due.map(|(_, amount)| *amount));
        due.and_then(|due| due.checked_add(self.available)).unwrap_or(self.available)
    }

    /// Everything.
    #[must_use]
    pub fn sum(&self) -> Option<Amount> {
        let pending = self.pending.iter().map(|(_, amount)| *amount);
        ambar_base::amount::total(pending.chain([self.available]))
    }
}

impl Parameters {
    /// Whether every part is at most the whole, every window within its limit, and a
    /// committee can be elected that changes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let parts = [self.network_fee, self.burn].into_iter().all(|part| part <= Weight::ONE);
        let windows = [self.settlement_window, self.challenge_window];
        let seats = 1 <= self.committee_min
            && self.committee_min <= self.committee_max
            && usize::from(self.committee_max) <= SEATS_MAX
            && self.churn >= 1;
        parts && seats && windows.into_iter().all(|window| window <= WINDOW_HEIGHTS_MAX)
    }
}

impl Version {
    /// The components that a call admitted at `height` may have, with their grants. At the
    /// height at which the line changed hands both owners' grants hold.
    pub fn uses_at(&self, height: Height) -> impl Iterator<Item = (u64, u64)> + '_ {
        let former = self.former_uses.as_ref();
        let before = former.filter(|former| height <= former.last);
        let now = former.is_none_or(|former| former.last <= height);
        let now = if now { self.uses.as_slice() } else { &[] };
        before.map_or(&[][..], |former| &former.uses).iter().chain(now).copied()
    }
}
