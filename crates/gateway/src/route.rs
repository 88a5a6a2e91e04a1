//! The route of a call: the called capsule, its components, under which grants they are
//! called and what they ask, as of one final block.

use crate::call::CallError;
use crate::leases::Counted;
use crate::peers::Peer;
use crate::serving::{Offer, Serving};
use crate::view::LedgerView;
use ambar_base::{Cid, ErrorCode, Height, Moment, Price, PublicKey};
use ambar_capsule::{Kind, Manifest, SignedManifest};
use ambar_consensus::Head;
use ambar_ledger::Key;
use ambar_ledger::object::{
    Channel, Endpoint, Grant, Lease, Node, Parameters, QuotaCount, Serve, Servers, Version, Volume,
};
use ambar_ledger::query::State;
use ambar_ledger::quota::RATE_PERIOD;
use ambar_licence::{PriceRule, Quota, Terms};
use ambar_receipt::Tariff;
use ambar_receipt::leaf::LINES_MAX;

/// A capsule on the route: a line of the bill.
pub struct Part {
    /// The version's number on the ledger.
    pub number: u64,
    /// The version.
    pub version: Version,
    /// Its id as text: every call says it.
    pub id: String,
    /// What the capsule says.
    pub manifest: Manifest,
    /// The grant's number: the caller's for the first part, the author's for components.
    pub grant_number: u64,
    /// The grant.
    pub grant: Grant,
    /// The terms of the grant.
    pub terms: Terms,
    /// What a call costs under it, in the tier that its settled calls have reached.
    pub price: PriceRule,
    /// What is counted in the current period of its quota, if that counts calls or spend.
    pub quota: Option<Counted>,
    /// What is leased of its rate, if the quota has one.
    pub rate: Option<Counted>,
    /// What it is for, in the capsule that uses it.
    pub role: Option<String>,
    /// The part that uses it, by index.
    pub parent: Option<usize>,
    /// Who can serve it: this node first, if it does, then others by number.
    pub servers: Vec<Server>,
    /// Who could, and asks more than the channel's payer accepts.
    pub too_dear: Vec<(u64, Price)>,
}

/// A node that can serve a part.
#[derive(Clone)]
pub struct Server {
    /// Its number.
    pub node: u64,
    /// What it asks per MU.
    pub ask: Price,
    /// Where it does the work.
    pub place: Place,
}

/// Where work is done.
#[derive(Clone)]
pub enum Place {
    /// In this process, with this.
    Here(Offer),
    /// At another node.
    There(Peer),
}

/// A call's way through capsules.
pub struct Route {
    /// The block it is as of.
    pub head: Head,
    /// The channel that pays.
    pub channel_number: u64,
    /// The channel's state.
    pub channel: Channel,
    /// The called capsule first, then its components, depth first.
    pub parts: Vec<Part>,
    /// The network's rules.
    pub parameters: Parameters,
    /// The tariff in force.
    pub tariff: Tariff,
}

impl Part {
    /// What this node serves it with, if it does.
    #[must_use]
    pub fn here(&self) -> Option<&Offer> {
        self.servers.iter().find_map(|server| match &server.place {
            Place::Here(offer) => Some(offer),
            Place::There(_) => None,
        })
    }

    /// Most that is asked per MU by those who can serve it.
    #[must_use]
    pub fn ask_max(&self) -> Price {
        self.servers.iter().map(|server| server.ask).max().unwrap_or_default()
    }

    /// Most nano-credit per MU: royalty and node fee together.
    #[must_use]
    pub fn unit_price(&self) -> Price {
        self.unit_price_at(self.ask_max())
    }

    fn unit_price_at(&self, ask: Price) -> Price {
        Price(self.price.per_mu.0.saturating_add(ask.0))
    }

    /// Leaves out who asks more than the channel's payer accepts, unless nobody would be left:
    /// then the decision says so.
    fn spare(&mut self, unit_price_max: Price) {
        let fits = |server: &Server| self.unit_price_at(server.ask) <= unit_price_max;
        let (fitting, dear): (Vec<_>, Vec<_>) = self.servers.iter().cloned().partition(fits);
        if !fitting.is_empty() {
            self.too_dear = dear.iter().map(|server| (server.node, server.ask)).collect();
            self.servers = fitting;
        }
    }
}

impl Route {
    /// The component that the part at `parent` uses in a role.
    #[must_use]
    pub fn component(&self, parent: usize, role: &str) -> Option<usize> {
        self.parts
            .iter()
            .position(|part| part.parent == Some(parent) && part.role.as_deref() == Some(role))
    }

    /// Until when every call on the same block finds this route; nothing if what it counts
    /// changes from call to call.
    #[must_use]
    pub fn holds_until(&self) -> Option<Moment> {
        if self.parts.iter().any(|part| part.terms.quota.is_some()) {
            return None;
        }
        let ends = self.parts.iter().filter_map(|part| part.terms.expires(part.grant.accepted));
        Some(ends.min().unwrap_or(Moment(u64::MAX)))
    }

    /// The versions that lead from the called capsule to a part; none to the called one.
    #[must_use]
    pub fn through(&self, part: usize) -> Vec<u64> {
        let mut path = Vec::new();
        let mut at = Some(part).filter(|part| *part != 0);
        while let Some(part) = at {
            path.push(self.parts[part].number);
            at = self.parts[part].parent;
        }
        path.reverse();
        path
    }
}

/// Finds routes over one state of the ledger.
pub struct Router<'a> {
    /// The state.
    pub view: &'a LedgerView,
    /// What this node serves.
    pub serving: &'a Serving,
    /// This node's number.
    pub node: u64,
    /// The consensus time of the call.
    pub now: Moment,
    /// Whether other nodes may serve parts.
    pub elsewhere: bool,
}

pub(crate) fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::new(code, message))
}

pub(crate) fn ledger(error: ambar_ledger::Refusal) -> CallError {
    CallError::new(error.code, error.message)
}

impl Router<'_> {
    /// The route from a channel to a capsule.
    pub fn route(&self, channel_number: u64, capsule: &str) -> Result<Route, CallError> {
        let view = self.view;
        let unknown = |error: ambar_ledger::Refusal| match error.code {
            ErrorCode::CapsuleUnknown => ledger(error).at("model"),
            _ => ledger(error),
        };
        let channel: Channel =
            view.must("channel", channel_number, &Key::Channel(channel_number)).map_err(ledger)?;
        let (number, version) = view.version_named(capsule).map_err(unknown)?;
        let governance = view.governance().map_err(ledger)?;
        let parameters = self.parameters(&governance)?;
        let tariff = self.tariff_of(&parameters)?;
        let grant = self.grant_for(&channel, &version)?;
        let mut parts = Vec::new();
        self.add(&mut parts, number, version, grant, None, None)?;
        parts.iter_mut().for_each(|part| part.spare(channel.unit_price_max));
        let head = view.head();
        Ok(Route { head, channel_number, channel, parts, parameters, tariff })
    }

    /// The part of a route that this node serves for another gateway.
    pub fn served(&self, number: u64, version: Version, grant: u64) -> Result<Part, CallError> {
        self.part(number, version, grant, None, None)
    }

    /// The tariff in force.
    pub fn tariff(&self) -> Result<Tariff, CallError> {
        let governance = self.view.governance().map_err(ledger)?;
        self.tariff_of(&self.parameters(&governance)?)
    }

    fn tariff_of(&self, parameters: &Parameters) -> Result<Tariff, CallError> {
        let key = Key::Tariff(parameters.tariff);
        let tariff: Vec<u8> = self.view.must("tariff", parameters.tariff, &key).map_err(ledger)?;
        Tariff::decode(&tariff)
            .map_err(|error| CallError::new(ErrorCode::LedgerCorrupt, error.to_string()))
    }

    /// The height that leaves of these routes refer to.
    fn admitted(&self) -> Height {
        self.view.head().height
    }

    fn parameters(
        &self,
        governance: &ambar_ledger::object::Governance,
    ) -> Result<Parameters, CallError> {
        let missing = || CallError::new(ErrorCode::LedgerCorrupt, "no parameters at this height");
        let at = governance.parameters.at(self.admitted());
        at.map(|(parameters, _)| parameters.clone()).ok_or_else(missing)
    }

    /// The channel's grant that covers a version. Of several the newest that holds now: one
    /// that was offered for a while does not keep a lasting one from being used.
    fn grant_for(&self, channel: &Channel, version: &Version) -> Result<u64, CallError> {
        let mut other_terms = false;
        let mut ended = None;
        for number in channel.grants.iter().rev() {
            let grant: Grant =
                self.view.must("grant", number, &Key::Grant(*number)).map_err(ledger)?;
            if grant.covers(version) {
                let end = self.view.terms(&grant.terms).map_err(ledger)?.expires(grant.accepted);
                if grant.revoked.is_none() && end.is_none_or(|end| self.now < end) {
                    return Ok(*number);
                }
                ended.get_or_insert(*number);
            }
            other_terms |= grant.line == version.line;
        }
        if let Some(number) = ended {
            // The decision says that it was revoked or is over.
            return Ok(number);
        }
        let message = if other_terms {
            "this version has new terms: accept them and open a channel with the new grant"
        } else {
            "the channel holds no grant for this capsule"
        };
        refuse(ErrorCode::CapsuleNotAllowed, message)
    }

    fn add(
        &self,
        parts: &mut Vec<Part>,
        number: u64,
        version: Version,
        grant_number: u64,
        role: Option<String>,
        parent: Option<usize>,
    ) -> Result<(), CallError> {
        if parts.len() >= LINES_MAX {
            return refuse(ErrorCode::LimitExceeded, format!("more than {LINES_MAX} components"));
        }
        let part = self.part(number, version, grant_number, role, parent)?;
        let index = parts.len();
        let uses: Vec<_> =
            part.version.uses.iter().copied().zip(part.manifest.uses.clone()).collect();
        parts.push(part);
        for ((number, grant), component) in uses {
            let version: Version = self
                .view
                .must("capsule", component.version, &Key::Version(number))
                .map_err(ledger)?;
            self.add(parts, number, version, grant, Some(component.role), Some(index))?;
        }
        Ok(())
    }

    fn part(
        &self,
        number: u64,
        version: Version,
        grant_number: u64,
        role: Option<String>,
        parent: Option<usize>,
    ) -> Result<Part, CallError> {
        let grant: Grant =
            self.view.must("grant", grant_number, &Key::Grant(grant_number)).map_err(ledger)?;
        let terms = self.view.terms(&grant.terms).map_err(ledger)?;
        let price = self.price(&terms, grant_number, &grant)?;
        let manifest = self.manifest(number, &version.id)?;
        let servers = self.servers(&version, &manifest)?;
        let counted = |quota: &Quota, period| self.counted(quota, grant_number, period);
        let (mut quota, mut rate) = (None, None);
        if let Some(terms) = &terms.quota {
            if terms.counts() {
                quota = Some(counted(terms, terms.period_of(self.now, grant.accepted))?);
            }
            if terms.rate.is_some() {
                rate = Some(counted(terms, RATE_PERIOD)?);
            }
        }
        Ok(Part {
            number,
            id: version.id.to_string(),
            version,
            manifest,
            grant_number,
            grant,
            terms,
            price,
            quota,
            rate,
            role,
            parent,
            servers,
            too_dear: Vec::new(),
        })
    }

    /// The price that leaves of these routes are billed at under a grant.
    fn price(&self, terms: &Terms, number: u64, grant: &Grant) -> Result<PriceRule, CallError> {
        if terms.tiers.is_empty() {
            return Ok(terms.price);
        }
        let volume = self.view.object::<Volume>(&Key::Volume(number)).map_err(ledger)?;
        let volume = volume.unwrap_or_else(|| Volume::of(grant));
        let price = volume.tier_at(self.admitted()).and_then(|(tier, _)| terms.price_of(tier));
        let missing = || CallError::new(ErrorCode::LedgerCorrupt, "a grant has no tier now");
        price.copied().ok_or_else(missing)
    }

    /// What the ledger counts in one period, and this node's lease.
    fn counted(&self, quota: &Quota, grant: u64, period: u64) -> Result<Counted, CallError> {
        let count = self.view.object::<QuotaCount>(&Key::Quota((grant, period)));
        let count = count.map_err(ledger)?.unwrap_or_default();
        let lease = self.view.object::<Lease>(&Key::Lease((grant, (period, self.node))));
        let lease = lease.map_err(ledger)?.unwrap_or_default();
        Ok(Counted { period, count, left: count.left(quota, period), lease })
    }

    fn manifest(&self, number: u64, id: &Cid) -> Result<Manifest, CallError> {
        let signed: SignedManifest =
            self.view.must("capsule", id, &Key::Manifest(number)).map_err(ledger)?;
        Manifest::decode(&signed.bytes)
            .map_err(|error| CallError::new(ErrorCode::LedgerCorrupt, error.to_string()))
    }

    /// Who can serve a version.
    fn servers(&self, version: &Version, manifest: &Manifest) -> Result<Vec<Server>, CallError> {
        let own = self.own(version, manifest.kind())?;
        // A prompt is put together where the call is taken.
        let others = match manifest.kind() {
            Kind::Model | Kind::Dataset if self.elsewhere => self.others(version)?,
            _ => Vec::new(),
        };
        let servers: Vec<Server> = own.iter().cloned().chain(others).collect();
        if !servers.is_empty() {
            return Ok(servers);
        }
        let (kind, id) = (manifest.kind(), version.id);
        let message = if self.may_serve(version.line, self.node)? {
            format!("this node has no engine for the {kind} {id}, and no other node is known")
        } else {
            format!("this node is not authorised to serve {id}, and no other node is known")
        };
        refuse(ErrorCode::Unavailable, message)
    }

    /// This node, if the owner lets it serve a version and it has something to serve it with.
    fn own(&self, version: &Version, kind: Kind) -> Result<Option<Server>, CallError> {
        let offer = match (self.serving.get(&version.id), kind) {
            (Some(offer), _) => offer,
            (None, Kind::Prompt) => Offer::Template,
            (None, _) => return Ok(None),
        };
        if !self.may_serve(version.line, self.node)? {
            return Ok(None);
        }
        let ask = self.ask(self.node)?.map_or(Price::ZERO, |(ask, _)| ask);
        Ok(Some(Server { node: self.node, ask, place: Place::Here(offer) }))
    }

    /// Other nodes that may serve a version and say where they are.
    fn others(&self, version: &Version) -> Result<Vec<Server>, CallError> {
        let servers: Option<Servers> =
            self.view.object(&Key::Servers(version.line)).map_err(ledger)?;
        let mut others = Vec::new();
        for node in servers.unwrap_or_default().nodes {
            if node == self.node || !self.may_serve(version.line, node)? {
                continue;
            }
            let endpoint: Option<Endpoint> =
                self.view.object(&Key::Endpoint(node)).map_err(ledger)?;
            if let (Some(endpoint), Some((ask, key))) = (endpoint, self.ask(node)?) {
                let place = Place::There(Peer { address: endpoint.address, key });
                others.push(Server { node, ask, place });
            }
        }
        Ok(others)
    }

    fn may_serve(&self, line: u64, node: u64) -> Result<bool, CallError> {
        let serve: Option<Serve> = self.view.object(&Key::Serve((line, node))).map_err(ledger)?;
        let allowed = serve.as_ref().and_then(|serve| serve.allowed.at(self.admitted()));
        Ok(allowed.is_some_and(|(allowed, _)| *allowed))
    }

    /// What a node asks now, and its key.
    fn ask(&self, number: u64) -> Result<Option<(Price, PublicKey)>, CallError> {
        let node: Node = self.view.must("node", number, &Key::Node(number)).map_err(ledger)?;
        Ok(node.ask.at(self.admitted()).map(|(ask, _)| (*ask, node.key)))
    }
}
