//! What a certificate can call at this node.

use crate::call::{CallError, Callable};
use crate::certificate::Opened;
use crate::route::Router;
use crate::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::{Balance, Line};
use ambar_ledger::query::State;

/// The served versions that a certificate covers.
pub fn callable(router: &Router<'_>, opened: &Opened) -> Result<Vec<Callable>, CallError> {
    let allowed = |version: &ambar_base::Cid| {
        opened.blocks.iter().all(|block| {
            let capsules = block.narrowing.capsules.as_ref();
            capsules.is_none_or(|allowed| allowed.contains(version))
        })
    };
    let mut callable = Vec::new();
    for version in router.serving.versions().into_iter().filter(allowed) {
        let Ok(route) = router.route(opened.channel, &version.to_string()) else { continue };
        let part = &route.parts[0];
        callable.push(Callable {
            id: version.to_string(),
            name: part.manifest.name.clone(),
            owner: owner_of(router.view, part.version.line),
            height: part.version.height.0,
        });
    }
    Ok(callable)
}

fn owner_of(view: &LedgerView, line: u64) -> String {
    let line: Option<Line> = view.object(&Key::Line(line)).ok().flatten();
    let balance: Option<Balance> =
        line.and_then(|line| view.object(&Key::Balance(line.owner)).ok().flatten());
    balance.map(|balance| balance.account.to_string()).unwrap_or_default()
}
