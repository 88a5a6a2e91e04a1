//! Who signs for calls, and finds out what became of them.
//!
//! **Invariant**: a call's highest price is counted, durably, before its voucher exists, and
//! stays counted until a verified receipt, the gateway's word that nothing was charged, or the
//! owner says otherwise.

use super::keep::Keep;
use super::verify::{Expected, Proven};
use crate::clock::now;
use crate::failure::{Failure, OrFail, Outcome};
use crate::progress::Progress;
use crate::sessions::Session;
use ambar_base::{Amount, Checkpoint, Digest, ErrorCode, Price};
use ambar_gateway::authorisation::{Authorisation, fingerprint};
use ambar_gateway::certificate::inspect;
use ambar_node::api::dto::Channel;
use ambar_node::client::{Client, ClientError, Credential, ReceiptQuery};
use ambar_receipt::purse::PurseError;
use ambar_receipt::{ReceiptId, Voucher, call_id};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a call waits until another one's receipt has come.
const ROOM_PATIENCE: Duration = Duration::from_secs(60);
/// How long a gateway that answers may owe the receipt of an answer.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(300);
/// How long a gateway that answers must know of no receipt until a call that broke off counts as
/// not charged: a call that was left ends well within it.
const ABSENCE_PATIENCE: Duration = Duration::from_secs(5);
/// The first pause before a node is asked again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));

/// A gateway's channel and everything that is needed to sign for calls on it.
pub struct Teller {
    session: Session,
    /// The certificate, and who holds it.
    certificate: String,
    holder: Digest,
    /// Asks the channel's node as the holder of the certificate.
    client: Client,
    trusted: Checkpoint,
    price_max: Price,
    parallel: usize,
    keep: Mutex<Keep>,
    /// Everything ever put into the channel, nano-credit.
    funded: AtomicU64,
    /// Whoever waits for a call to end.
    freed: Notify,
    /// Why nothing is signed until the next start.
    halted: Mutex<Option<Failure>>,
    /// Calls that this process has acknowledged.
    answered: AtomicU64,
    progress: Progress,
}

/// What a teller is made of.
pub struct Settings {
    pub session: Session,
    pub certificate: String,
    pub holder: Digest,
    pub client: Client,
    pub trusted: Checkpoint,
    pub price_max: Price,
    pub parallel: usize,
    pub keep: Keep,
    pub funded: Price,
    pub progress: Progress,
}

/// A call to sign for.
pub struct Asked<'a> {
    pub path: &'a str,
    pub body: &'a [u8],
    pub input: Option<String>,
    pub key: String,
    pub purpose: Option<String>,
    /// The client's own limit.
    pub price_max: Option<Price>,
}

/// A call whose highest price is counted. Dropping it has it found out what became of it.
pub struct Call {
    teller: Arc<Teller>,
    expected: Option<Expected>,
}

/// A channel's amount in nano-credit; calls cost whole ones.
pub fn nano(amount: &str) -> Outcome<Price> {
    let amount: Amount = amount.parse().or_fail(ErrorCode::BadGateway)?;
    let nano = u64::try_from(amount.0 / u128::from(Price::CREDIT.0));
    nano.map(Price).or_fail(ErrorCode::BadGateway)
}

impl Teller {
    pub fn new(settings: Settings) -> Arc<Self> {
        let Settings { session, certificate, holder, client, trusted, .. } = settings;
        Arc::new(Self {
            session,
            certificate,
            holder,
            client,
            trusted,
            price_max: settings.price_max,
            parallel: settings.parallel,
            keep: Mutex::new(settings.keep),
            funded: AtomicU64::new(settings.funded.0),
            freed: Notify::new(),
            halted: Mutex::new(None),
            answered: AtomicU64::new(0),
            progress: settings.progress,
        })
    }

    /// The certificate that calls are made with.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    fn keep(&self) -> MutexGuard<'_, Keep> {
        self.keep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn funded(&self) -> Price {
        Price(self.funded.load(Ordering::Acquire))
    }

    /// What is left for further calls.
    pub fn left(&self) -> Price {
        self.keep().purse().left(self.funded())
    }

    /// What is acknowledged, and how many calls this process acknowledged.
    pub fn acknowledged(&self) -> (Price, u64) {
        (self.keep().purse().acknowledged, self.answered.load(Ordering::Acquire))
    }

    /// Calls whose receipts have not come.
    pub fn waiting(&self) -> usize {
        self.keep().purse().running()
    }

    /// Finds out what became of the calls that an earlier process left, which made them with
    /// this certificate.
    pub fn take_up(self: &Arc<Self>, certificate: String) -> Outcome {
        let holder = inspect(&certificate)?.holder;
        let client = self.client.clone().with(Credential::Certificate(certificate));
        let keep = self.keep();
        let left = keep.purse().counted.iter().filter(|ticket| ticket.disputed.is_none());
        for ticket in left {
            let expected = Expected {
                channel: self.session.channel,
                holder,
                key: ticket.key.clone(),
                price_max: ticket.price_max,
                salt: keep.salt(&ticket.call),
                input: None,
                output: None,
            };
            // One that was made with a certificate before the last stays counted.
            if expected.call() == ticket.call {
                tokio::spawn(Arc::clone(self).find(client.clone(), expected));
            }
        }
        Ok(())
    }

    /// Counts a call's highest price and signs for it: the call, and the headers to send.
    pub async fn sign(
        self: &Arc<Self>,
        asked: Asked<'_>,
    ) -> Outcome<(Call, Vec<(&'static str, String)>)> {
        let limit = asked.price_max.map_or(self.price_max, |own| own.min(self.price_max));
        let call = call_id(self.session.channel, &self.holder, &asked.key);
        let total = self.reserve((asked.key.clone(), call), limit).await?;
        let (network, session) = (self.session.network, &self.session.key);
        let expected = Expected {
            channel: self.session.channel,
            holder: self.holder,
            key: asked.key.clone(),
            price_max: limit,
            salt: self.keep().salt(&call),
            input: asked.input,
            output: None,
        };
        let authorisation = Authorisation {
            network,
            channel: self.session.channel,
            holder: self.holder,
            request: fingerprint(asked.path, asked.body),
            key: asked.key,
            purpose: asked.purpose,
            price_max: Some(limit),
            time: now(),
            salt: Some(expected.salt),
        };
        let voucher = Voucher::sign(network, self.session.channel, total, session);
        let mut headers = vec![
            ("idempotency-key", authorisation.key.clone()),
            ("ambar-price-max", limit.to_string()),
            ("ambar-salt", expected.salt.to_string()),
            ("ambar-agent", session.public().did()),
            ("ambar-agent-time", authorisation.time.0.to_string()),
            ("ambar-agent-signature", hex::encode(authorisation.sign(session).0)),
            ("ambar-voucher", voucher.total.to_string()),
            ("ambar-voucher-signature", hex::encode(voucher.signature.0)),
        ];
        headers.extend(authorisation.purpose.map(|purpose| ("ambar-purpose", purpose)));
        Ok((Call { teller: Arc::clone(self), expected: Some(expected) }, headers))
    }

    /// Counts a highest price once there is room for it.
    async fn reserve(&self, call: (String, Digest), price_max: Price) -> Outcome<Price> {
        let deadline = Instant::now() + ROOM_PATIENCE;
        let mut looked = false;
        loop {
            let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            halted.map_or(Ok(()), Err)?;
            // Before the look, so that nobody frees room unheard between the two.
            let freed = self.freed.notified();
            let refused = match self.try_reserve(call.clone(), price_max)? {
                Ok(total) => return Ok(total),
                Err(refused) => refused,
            };
            match refused {
                PurseError::Empty { .. } if !looked => {
                    looked = true;
                    self.look().await?;
                }
                PurseError::Busy(_) if timeout_at(deadline, freed).await.is_ok() => {}
                PurseError::Disputed { .. } => {
                    let help = "look at the call, then start `ambar connect` with --continue";
                    return Err(Failure::from(refused).helping(help));
                }
                refused => return Err(refused.into()),
            }
        }
    }

    /// The total to sign, durably counted, or why there is none.
    fn try_reserve(
        &self,
        call: (String, Digest),
        price_max: Price,
    ) -> Outcome<Result<Price, PurseError>> {
        block_in_place(|| {
            let mut keep = self.keep();
            let (funded, parallel) = (self.funded(), self.parallel);
            let probe = keep.purse().clone().reserve(call.clone(), price_max, funded, parallel);
            if let Err(refused) = probe {
                return Ok(Err(refused));
            }
            keep.change(|purse| purse.reserve(call, price_max, funded, parallel)).map(Ok)
        })
    }

    /// Looks at the channel again: it may have been funded, and nothing may have settled on it
    /// that was not made here.
    pub async fn look(&self) -> Outcome {
        let channel: Channel = self.client.channel(&self.session.channel.to_string()).await?;
        self.funded.store(nano(&channel.funded)?.0, Ordering::Release);
        let spent = nano(&channel.spent)?;
        let compared = self.keep().purse().compare(spent);
        if let Err(overdrawn) = compared {
            let help = "the gateway settled calls that nobody made here; --continue gives them up";
            let failure = Failure::from(overdrawn).helping(help);
            self.progress.say(&failure.to_string());
            *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
        Ok(())
    }

    /// Takes what became of a call into the purse; a purse that cannot be written stays as it
    /// is, which is the safe side.
    fn close(&self, change: impl FnOnce(&mut Keep) -> Outcome, line: &str) {
        match block_in_place(|| change(&mut self.keep())) {
            Ok(()) => self.progress.say(line),
            Err(failure) => self.progress.say(&format!("{line}, but {}", failure.message)),
        }
        self.freed.notify_waiters();
    }

    fn acknowledge(&self, expected: &Expected, Proven { n, price }: Proven) {
        let line = format!("{}-{n}: {price} credits, receipt verified", expected.channel);
        self.answered.fetch_add(1, Ordering::AcqRel);
        let call = expected.call();
        self.close(|keep| keep.change(|purse| purse.acknowledge(&call, n, price)), &line);
    }

    fn release(&self, expected: &Expected) {
        let line = format!("{}: nothing was charged", expected.key);
        let call = expected.call();
        self.close(|keep| keep.change(|purse| purse.release(&call)), &line);
    }

    fn dispute(&self, expected: &Expected, why: &str) {
        let line = format!(
            "{}: {why}; its {} credits stay counted, and nothing is signed until `ambar connect` \
             is started with --continue",
            expected.key, expected.price_max
        );
        let call = expected.call();
        self.close(|keep| keep.change(|purse| purse.dispute(&call, why)), &line);
    }

    /// Waits for a receipt and takes it if it proves what it says.
    async fn prove(self: Arc<Self>, client: Client, expected: Expected, id: ReceiptId) {
        let proven = match self.file_of(&client, id).await {
            Ok(file) => expected.check(&file, &self.trusted),
            Err(why) => Err(why),
        };
        match proven {
            Ok(proven) => self.acknowledge(&expected, proven),
            Err(why) => self.dispute(&expected, &why),
        }
    }

    /// A receipt's file, once the call has settled.
    async fn file_of(&self, client: &Client, id: ReceiptId) -> Result<Vec<u8>, String> {
        if id.channel != self.session.channel {
            return Err(format!("the answer names the receipt {id}, of another channel"));
        }
        let mut pauses = Pauses::default();
        loop {
            let why = match client.receipt_proof(&id.to_string()).await {
                Ok(file) => return Ok(file),
                Err(ClientError::Unreachable { .. }) => None,
                Err(error) => Some(error.to_string()),
            };
            let waited = pauses.wait(why.is_some()).await;
            if let Some(why) = why.filter(|_| waited > RECEIPT_PATIENCE) {
                return Err(format!("no receipt came: {why}"));
            }
        }
    }

    /// Finds out what became of a call whose answer did not arrive whole.
    async fn find(self: Arc<Self>, client: Client, expected: Expected) {
        let mut pauses = Pauses::default();
        let query =
            ReceiptQuery { idempotency_key: Some(&expected.key), ..ReceiptQuery::default() };
        loop {
            let found = client.receipts(query).await;
            let id = found.as_ref().ok().and_then(|rows| rows.first()).map(|row| row.id.parse());
            match id {
                Some(Ok(id)) => return self.prove(client, expected, id).await,
                Some(Err(_)) => return self.dispute(&expected, "its receipt has no id"),
                None => {}
            }
            if pauses.wait(found.is_ok()).await > ABSENCE_PATIENCE && found.is_ok() {
                return self.release(&expected);
            }
        }
    }
}

/// Growing pauses, and how long a node that answered has been waited for.
struct Pauses {
    next: Duration,
    waited: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: PAUSES.0, waited: Duration::ZERO }
    }
}

impl Pauses {
    async fn wait(&mut self, answered: bool) -> Duration {
        sleep(self.next).await;
        if answered {
            self.waited += self.next;
        }
        self.next = (self.next * 2).min(PAUSES.1);
        self.waited
    }
}

impl Call {
    /// An answer came, with a receipt. What arrived of it is all that did.
    pub fn answered(mut self, receipt: &str, output: Option<Vec<u8>>) {
        let Some(expected) = self.expected.take() else { return };
        let teller = Arc::clone(&self.teller);
        match receipt.parse() {
            Ok(id) => {
                let (client, expected) = (teller.client.clone(), Expected { output, ..expected });
                tokio::spawn(teller.prove(client, expected, id));
            }
            Err(_) => teller.dispute(&expected, "its answer names no receipt"),
        }
    }

    /// The gateway says that nothing was charged.
    pub fn uncharged(mut self) {
        if let Some(expected) = self.expected.take() {
            self.teller.release(&expected);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the next one finds out.
        if let (Some(expected), Ok(runtime)) = (self.expected.take(), Handle::try_current()) {
            let client = self.teller.client.clone();
            runtime.spawn(Arc::clone(&self.teller).find(client, expected));
        }
    }
}
