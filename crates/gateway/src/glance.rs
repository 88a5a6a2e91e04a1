//! What was found on the last final block, kept until the next: the state itself, certificates
//! that are good on it, and routes over it. Between two blocks every call would find the same.
//!
//! **Invariant**: nothing is handed out that was found on another block, with other engines
//! served, or for longer than it holds; what counts calls is never kept.

use crate::certificate::Opened;
use crate::route::Route;
use crate::view::LedgerView;
use ambar_base::{Digest, Moment};
use ambar_consensus::Head;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Certificates, and routes, that are kept of one block.
const KEPT_MAX: usize = 16_384;

/// What a certificate's text is known by.
pub(crate) type TokenHash = [u8; blake3::OUT_LEN];

/// What routes are found on: a block, and what this node served then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ground {
    head: Digest,
    served: u64,
}

#[derive(Default)]
struct Kept {
    view: Option<LedgerView>,
    ground: Option<Ground>,
    opened: HashMap<TokenHash, Arc<Opened>>,
    routes: HashMap<(u64, String), (Arc<Route>, Moment)>,
}

/// What is kept.
#[derive(Default)]
pub(crate) struct Glance(Mutex<Kept>);

impl Kept {
    /// Forgets what was found elsewhere.
    fn at(&mut self, ground: Ground) {
        if self.ground != Some(ground) {
            self.ground = Some(ground);
            self.opened.clear();
            self.routes.clear();
        }
    }
}

impl Glance {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after a block, if it is the one that is kept.
    pub(crate) fn view(&self, head: &Head) -> Option<LedgerView> {
        self.lock().view.clone().filter(|view| view.head() == *head)
    }

    pub(crate) fn keep_view(&self, view: &LedgerView) {
        self.lock().view = Some(view.clone());
    }

    /// A certificate that is good on a block.
    pub(crate) fn opened(&self, view: &LedgerView, token: &TokenHash) -> Option<Arc<Opened>> {
        let mut kept = self.lock();
        let served = kept.ground.map_or(0, |ground| ground.served);
        kept.at(Ground { head: view.head().digest, served });
        kept.opened.get(token).cloned()
    }

    pub(crate) fn keep_opened(&self, view: &LedgerView, token: TokenHash, opened: &Arc<Opened>) {
        let mut kept = self.lock();
        let same = kept.ground.is_some_and(|ground| ground.head == view.head().digest);
        if same && kept.opened.len() < KEPT_MAX {
            kept.opened.insert(token, Arc::clone(opened));
        }
    }

    /// The route from a channel to a capsule.
    pub(crate) fn route(
        &self,
        (view, served): (&LedgerView, u64),
        (channel, capsule): (u64, &str),
        now: Moment,
    ) -> Option<Arc<Route>> {
        let mut kept = self.lock();
        kept.at(Ground { head: view.head().digest, served });
        let (route, until) = kept.routes.get(&(channel, capsule.to_owned()))?;
        (now < *until).then(|| Arc::clone(route))
    }

    /// Keeps a route, unless something on it counts calls.
    pub(crate) fn keep_route(
        &self,
        (view, served): (&LedgerView, u64),
        (channel, capsule): (u64, &str),
        route: &Arc<Route>,
    ) {
        let Some(until) = route.holds_until() else { return };
        let mut kept = self.lock();
        let ground = Ground { head: view.head().digest, served };
        if kept.ground == Some(ground) && kept.routes.len() < KEPT_MAX {
            kept.routes.insert((channel, capsule.to_owned()), (Arc::clone(route), until));
        }
    }
}
