//! Where a node that begins fetches the state from.

use super::state::{StateDb, Storing};
use super::types::Sha;
use commonware_glue::stateful::db::{AttachableResolver, Shared};
use commonware_storage::merkle::mmr;
use commonware_storage::qmdb::sync::{Request, Source, source};
use std::convert::Infallible;
use std::marker::PhantomData;

/// Nobody to fetch state from: such a node catches up by blocks.
pub(crate) struct Nowhere<E>(PhantomData<fn() -> E>);

impl<E> Nowhere<E> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> Clone for Nowhere<E> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<E: Storing> Source for Nowhere<E>
where
    Shared<StateDb<E>>: Source<Family = mmr::Family, Digest = Sha>,
{
    type Family = mmr::Family;
    type Digest = Sha;
    type Op = <Shared<StateDb<E>> as Source>::Op;
    type Error = Infallible;

    async fn serve(&self, _: Request<mmr::Family>) -> source::Result<Self> {
        std::future::pending().await
    }
}

impl<E: Storing> AttachableResolver<StateDb<E>> for Nowhere<E> {
    async fn attach_database(&self, _: Shared<StateDb<E>>) {}
}
