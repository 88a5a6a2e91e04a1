//! Where what a node brings forth goes: to the client, unless another node's answer does.
//!
//! **Invariant**: of two nodes that are asked for the same answer, only the one whose first
//! piece came first is heard; the other is cancelled with that piece, and what it brings forth
//! is not part of its product.

use crate::call::CallEvent;
use std::sync::OnceLock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Two nodes that were asked for one answer.
pub(crate) struct Race {
    first: OnceLock<usize>,
    cancels: [CancellationToken; 2],
}

impl Race {
    /// Whoever cancels the call cancels both.
    pub(crate) fn under(call: &CancellationToken) -> Self {
        Self { first: OnceLock::new(), cancels: [call.child_token(), call.child_token()] }
    }

    /// Whose answer it is, if a piece of one has come.
    pub(crate) fn winner(&self) -> Option<usize> {
        self.first.get().copied()
    }

    /// Whether `runner` is heard; the other is not any more.
    fn claim(&self, runner: usize) -> bool {
        let winner = *self.first.get_or_init(|| runner);
        self.cancels[1 - winner].cancel();
        winner == runner
    }

    /// Where one of the two brings its answer.
    pub(crate) fn outlet<'a>(
        &'a self,
        runner: usize,
        client: &'a mpsc::Sender<CallEvent>,
    ) -> Outlet<'a> {
        Outlet { client, cancel: &self.cancels[runner], race: Some((self, runner)) }
    }
}

/// One node's way to the client.
#[derive(Clone, Copy)]
pub(crate) struct Outlet<'a> {
    client: &'a mpsc::Sender<CallEvent>,
    /// Ends the work.
    pub(crate) cancel: &'a CancellationToken,
    race: Option<(&'a Race, usize)>,
}

impl<'a> Outlet<'a> {
    /// The way of a node that is asked alone.
    pub(crate) fn alone(
        client: &'a mpsc::Sender<CallEvent>,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self { client, cancel, race: None }
    }

    /// Whether the next piece is heard. Asked before anything of it is counted.
    pub(crate) fn is_heard(&self) -> bool {
        self.race.is_none_or(|(race, runner)| race.claim(runner))
    }

    /// Hands a piece on that [`Self::is_heard`]; whether somebody takes it.
    pub(crate) async fn send(&self, event: CallEvent) -> bool {
        self.client.send(event).await.is_ok()
    }

    /// Waits until nobody listens.
    pub(crate) async fn closed(&self) {
        self.client.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_decides_and_cancels_the_other() {
        let (client, _events) = mpsc::channel(1);
        let call = CancellationToken::new();
        let race = Race::under(&call);
        let (one, two) = (race.outlet(0, &client), race.outlet(1, &client));
        assert_eq!(race.winner(), None);
        assert!(two.is_heard() && !one.is_heard() && two.is_heard());
        assert_eq!(race.winner(), Some(1));
        assert!(one.cancel.is_cancelled() && !two.cancel.is_cancelled() && !call.is_cancelled());
        call.cancel();
        assert!(two.cancel.is_cancelled());
        assert!(Outlet::alone(&client, &call).is_heard());
    }
}
