//! The simulated runtime as one engine sees it. A panic in any of an engine's tasks ends all
//! of the engine, as in production, where its runtime ends; the simulated runtime is
//! everybody's and goes on.
//!
//! **Invariant**: no part of an engine outlives another that panicked.

use commonware_runtime::deterministic::Context;
use commonware_runtime::signal::Signal;
use commonware_runtime::telemetry::metrics::{Metric, Registered};
use commonware_runtime::{
    BlobVersion, Clock, Error, Handle, Metrics, Name, Spawner, Storage, Supervisor,
};
use futures::FutureExt as _;
use governor::clock::{Clock as Measured, ReasonablyRealtime};
use rand_core_10::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Rung when a task panics.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarm(Arc<Notify>);

impl Alarm {
    /// Waits until it is rung, if it was not before.
    pub(super) async fn heard(&self) {
        self.0.notified().await;
    }
}

/// A context whose tasks ring an alarm when they panic.
pub(super) struct Ward {
    inner: Context,
    alarm: Alarm,
}

impl Ward {
    pub(super) fn new(inner: Context, alarm: Alarm) -> Self {
        Self { inner, alarm }
    }

    fn with(&self, inner: Context) -> Self {
        Self { inner, alarm: self.alarm.clone() }
    }
}

impl Supervisor for Ward {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        self.with(self.inner.child(label))
    }

    fn with_attribute(self, key: &'static str, value: impl fmt::Display) -> Self {
        Self { inner: self.inner.with_attribute(key, value), alarm: self.alarm }
    }
}

impl Spawner for Ward {
    fn shared(self, blocking: bool) -> Self {
        Self { inner: self.inner.shared(blocking), alarm: self.alarm }
    }

    fn dedicated(self) -> Self {
        Self { inner: self.inner.dedicated(), alarm: self.alarm }
    }

    fn spawn<F, Fut, T>(self, task: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let Self { inner, alarm } = self;
        inner.spawn(move |inner| async move {
            let rung = Arc::clone(&alarm.0);
            // Nobody looks at what it leaves: the engine ends.
            let done = AssertUnwindSafe(task(Self { inner, alarm })).catch_unwind().await;
            done.unwrap_or_else(|panic| {
                rung.notify_one();
                resume_unwind(panic)
            })
        })
    }

    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.stop(value, timeout).await
    }

    fn stopped(&self) -> Signal {
        self.inner.stopped()
    }
}

impl Metrics for Ward {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(
        &self,
        name: N,
        help: H,
        metric: M,
    ) -> Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl Measured for Ward {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.inner.current()
    }
}

impl ReasonablyRealtime for Ward {}

impl Clock for Ward {
    fn current(&self) -> SystemTime {
        self.inner.current()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(duration)
    }

    fn sleep_until(
        &self,
        deadline: SystemTime,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep_until(deadline)
    }
}

impl Storage for Ward {
    type Blob = <Context as Storage>::Blob;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(Self::Blob, u64, BlobVersion), Error> {
        self.inner.open_versioned(partition, name, versions).await
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.inner.remove(partition, name).await
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.inner.scan(partition).await
    }
}

impl TryRng for Ward {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.inner.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.inner.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.inner.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Ward {}
