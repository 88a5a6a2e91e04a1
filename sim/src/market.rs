//! A capsule that is published, licensed and called, and the gateway that settles its calls.

use crate::calls::{Place, leaf, settlement};
use crate::cast::Cast;
use crate::forged;
use crate::person::{Person, Seen};
use crate::simulation::Net;
use crate::told::Told;
use ambar_base::{AccountId, Cid, Moment, Price, Weight};
use ambar_capsule::body::{Modality, ModelBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Content, RoyaltyDeclaration};
use ambar_capsule::{Body, Manifest, SignedManifest};
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{Accept, AllowServing, OpenChannel, Publish, RegisterNode};
use ambar_ledger::{Actor, Operation};
use ambar_licence::{PriceRule, Right, Terms};
use ambar_receipt::Leaf;
use std::sync::Mutex;
use std::time::Duration;

/// What the node asks per MU.
const ASK: Price = Price(500);
/// What the channel holds.
const CHANNEL: Price = Price(20 * Price::CREDIT.0);
/// Most calls of one batch.
const CALLS_MAX: u64 = 4;
/// Longest pause between two batches, ms.
const PAUSE_MS_MAX: u64 = 1_200;
/// How long a channel lives.
const CHANNEL_MS: u64 = 365 * Moment::DAY_MS;

fn terms() -> Terms {
    let price = PriceRule { per_mu: Price(2_000_000), per_call: Price(100), minimum: Price(0) };
    let mut terms = Terms::granting([Right::Call]);
    terms.price = price;
    terms
}

fn manifest(creator: AccountId) -> Manifest {
    let body = ModelBody {
        architecture: "llama".into(),
        context_tokens: 2_048,
        format: "gguf".into(),
        modality: Modality::Text,
    };
    Manifest {
        ambar: 1,
        body: Body::Model(body),
        content: Content { bytes: 1, files: 1, sealed: None, table: ContentRoot([1; 32]) },
        creator,
        datanet: None,
        derived_from: Vec::new(),
        description: String::new(),
        extensions: Vec::new(),
        fork: false,
        name: "model".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: creator, weight: Weight::ONE }],
        terms: terms().id(),
        uses: Vec::new(),
    }
}

/// Everybody of the market.
pub struct Market {
    cast: Cast,
    developer: Person,
    operator: Person,
    caller: Person,
}

impl Market {
    /// The market's people.
    #[must_use]
    pub fn new(net: &Net, told: &Told, cast: &Cast) -> Self {
        let person = |name: &str| {
            let key = cast.key(name);
            let actor = Actor::Account(cast.account(&key));
            let (net, told) = (net.clone(), told.clone());
            Person { net, told, network: cast.network, key, actor }
        };
        let [developer, operator, caller] = ["developer", "operator", "caller"].map(person);
        Self { cast: cast.clone(), developer, operator, caller }
    }

    /// Opens the market and settles calls until everything is healed, and then once more.
    pub async fn trade(self) {
        let Some(place) = self.open().await else {
            return self.operator.told.refuse("the market did not open".into());
        };
        let gateway = Person {
            key: self.cast.key("node"),
            actor: Actor::Node(place.node),
            ..self.operator.clone()
        };
        let (mut next, mut last) = (0, false);
        while !last {
            last = gateway.net.healed();
            let Some(settled) = self.settle(&gateway, &place, next).await else {
                return gateway.told.refuse(format!("the market closed at call {next}"));
            };
            next = settled.n + 1;
            let seen = gateway.seen().await;
            let stranger = self.cast.key("stranger");
            for forged in forged::all(&gateway, &seen, (&place, &settled), &stranger) {
                gateway.told.forge(forged.clone());
                gateway.net.forge(forged);
            }
            let pause = gateway.net.below(PAUSE_MS_MAX);
            gateway.net.sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn open(&self) -> Option<Place> {
        let (version, id) = self.publish().await?;
        let owner = self.cast.account(&self.operator.key);
        let node = RegisterNode::new(self.cast.network, &self.cast.key("node"), &owner, ASK);
        let done = self.operator.act(vec![Operation::RegisterNode(node)]).await?;
        let [OperationResult::Node(node)] = done[..] else { return None };
        let key = self.cast.key("node").public();
        let allow = AllowServing { version: id, node: key, allowed: true };
        self.developer.act(vec![Operation::AllowServing(allow)]).await?;
        let accept = Accept { version: id, terms: terms().id(), territory: None, offer: None };
        let done = self.caller.act(vec![Operation::Accept(accept)]).await?;
        let [OperationResult::Grant(grant)] = done[..] else { return None };
        let channel = self.channel(grant).await?;
        Some(Place { version, grant, node, channel })
    }

    async fn publish(&self) -> Option<(u64, Cid)> {
        let manifest = manifest(self.cast.account(&self.developer.key));
        let publish = Publish {
            manifest: SignedManifest::sign(&manifest, self.cast.network, &self.developer.key),
            terms: Some(terms().to_document()),
            contributors: None,
            grants: Vec::new(),
            derives: Vec::new(),
        };
        match &self.developer.act(vec![Operation::Publish(publish)]).await?[..] {
            [OperationResult::Version(version)] => Some((version.number, version.id)),
            _ => None,
        }
    }

    async fn channel(&self, grant: u64) -> Option<u64> {
        let open = OpenChannel {
            session_key: self.cast.key("session").public(),
            gateway: self.cast.key("node").public(),
            grants: vec![grant],
            amount: CHANNEL,
            unit_price_max: Price(1_000_000_000),
            expires: self.caller.net.now().after(CHANNEL_MS),
            vouchers: false,
        };
        match self.caller.act(vec![Operation::OpenChannel(open)]).await?[..] {
            [OperationResult::Channel(number)] => Some(number),
            _ => None,
        }
    }

    /// Settles a batch of calls, the first of them number `next`; the last of them.
    async fn settle(&self, gateway: &Person, place: &Place, next: u64) -> Option<Leaf> {
        let count = 1 + gateway.net.below(CALLS_MAX);
        let tokens = [gateway.net.below(300), 1 + gateway.net.below(100)];
        let last = Mutex::new(None);
        let batch = |seen: &Seen| {
            let leaf = |n| leaf(seen, place, n, (seen.0.head(), tokens));
            let leaves = (next..next + count).map(leaf).collect::<Result<Vec<_>, _>>().ok()?;
            leaves.iter().for_each(|leaf| gateway.told.call(leaf.call));
            *last.lock().ok()? = leaves.last().cloned();
            let by = (gateway.network, &gateway.key);
            Some(vec![settlement(seen, place.node, leaves, by).ok()?])
        };
        gateway.act_on(batch).await?;
        last.into_inner().ok()?
    }
}
