//! A node's long work, shown while it is waited for: by asking the node, or by a gauge of
//! the node in this process.

use super::{Phase, Progress, look};
use crate::paint::short;
use ambar_node::api::dto;
use ambar_node::client::ClientError;
use ambar_node::progress::Work;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

/// Between two looks at a node.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits for `work`, and meanwhile asks the node how far it is. `first` names the work
/// while the node says nothing of it.
pub async fn asking<T, E, L>(
    progress: &Progress,
    first: &str,
    work: impl Future<Output = Result<T, E>>,
    look: impl Fn() -> L,
) -> Result<T, E>
where
    L: Future<Output = Result<dto::Progress, ClientError>>,
{
    let mut work = pin!(work);
    let mut board = Board::new(progress, first);
    loop {
        let looked = async {
            sleep(LOOK_EVERY).await;
            look().await
        };
        tokio::select! {
            biased;
            done = &mut work => return done.inspect(|_| board.end()),
            // A node that does not say how far it is may do the work all the same.
            found = looked => if let Ok(found) = found { board.show(&found) },
        }
    }
}

/// Waits for `work` in this process, and meanwhile follows its gauge.
pub async fn following<T, E>(
    progress: &Progress,
    first: &str,
    work: impl Future<Output = Result<T, E>>,
    mut gauge: Receiver<Work>,
) -> Result<T, E> {
    let mut work = pin!(work);
    let mut board = Board::new(progress, first);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done.inspect(|_| board.end()),
            Ok(()) = gauge.changed() => {
                let Work { capsule, phase, done, total } = *gauge.borrow_and_update();
                board.about(capsule.map(|id| short(&id.to_string())));
                board.show(&dto::Progress {
                    phase: phase.text().to_owned(),
                    done,
                    total: (total > 0).then_some(total),
                    unit: phase.unit().map(str::to_owned),
                });
            }
        }
    }
}

/// The phase that is shown.
struct Board<'a> {
    progress: &'a Progress,
    first: &'a str,
    shown: String,
    phase: Option<Phase>,
    total: String,
    capsule: Option<String>,
}

impl<'a> Board<'a> {
    fn new(progress: &'a Progress, first: &'a str) -> Self {
        let phase = Some(progress.spinner(first));
        Self { progress, first, shown: "idle".into(), phase, total: String::new(), capsule: None }
    }

    /// Which capsule the work is about. Several may be worked on one after another.
    fn about(&mut self, capsule: Option<String>) {
        if capsule != self.capsule {
            self.end();
            self.shown.clear();
            self.capsule = capsule;
        }
    }

    fn show(&mut self, found: &dto::Progress) {
        if found.phase != self.shown {
            self.end();
            self.shown.clone_from(&found.phase);
            self.phase = Some(self.begin(found));
        }
        self.total = total(found);
        if let Some(phase) = &self.phase {
            let counter = phase.counter();
            counter.of(found.total.unwrap_or_default());
            counter.at(found.done);
        }
    }

    fn begin(&self, found: &dto::Progress) -> Phase {
        let name = name(&found.phase).unwrap_or(self.first);
        match (found.total, found.unit.as_deref()) {
            (Some(total), Some("bytes")) => self.progress.bytes(name, total),
            (Some(total), Some(unit)) => self.progress.steps(name, total, unit),
            _ => self.progress.spinner_saying(name, saying(&found.phase)),
        }
    }

    fn end(&mut self) {
        if let Some(phase) = self.phase.take() {
            let capsule = self.capsule.as_ref().map(|id| format!("of {id}"));
            let total = (!self.total.is_empty()).then(|| self.total.clone());
            phase.finish(&look::joined([total, capsule]));
        }
        self.total.clear();
    }
}

/// How much a phase was about, for its line.
fn total(found: &dto::Progress) -> String {
    match (found.total, found.unit.as_deref()) {
        (Some(total), Some("bytes")) => look::bytes(total),
        (Some(total), Some(unit)) => format!("{total} {unit}"),
        _ => String::new(),
    }
}

/// What people read of a node's phase.
fn name(phase: &str) -> Option<&'static str> {
    Some(match phase {
        "opening" => "opening what is here",
        "reading" => "reading the records",
        "checking" => "checking the records",
        "sorting" => "sorting their words",
        "indexing" => "indexing passages",
        "writing" => "writing the corpus",
        "network" => "waiting for validators",
        "index" => "indexing the blocks",
        "blocks" => "executing the blocks",
        "state" => "comparing the state",
        "calls" => "adding up the calls",
        "receipts" => "comparing receipts",
        _ => return None,
    })
}

/// What people read where nobody knows how far it is.
fn saying(phase: &str) -> &'static str {
    match phase {
        "sorting" => "in one piece: this takes longest",
        "network" => "too few run to make blocks",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_node::progress::Phase as Done;

    #[test]
    fn every_phase_has_a_name_that_fits() {
        let phases = [
            Done::Opening,
            Done::Reading,
            Done::Checking,
            Done::Sorting,
            Done::Indexing,
            Done::Writing,
            Done::Network,
            Done::Index,
            Done::Blocks,
            Done::State,
            Done::Calls,
            Done::Receipts,
        ];
        for phase in phases {
            let name = name(phase.text()).unwrap();
            assert_eq!(
                look::head(Duration::ZERO, name).len(),
                look::head(Duration::ZERO, "").len()
            );
        }
        assert_eq!(name("idle"), None);
    }

    #[tokio::test]
    async fn work_is_waited_for_whatever_the_node_says() {
        let progress = Progress::silent();
        let refused = || async { Err(ClientError::Answer("nothing".into())) };
        let work = async {
            tokio::task::yield_now().await;
            Ok::<_, ()>(7)
        };
        assert_eq!(asking(&progress, "waiting", work, refused).await, Ok(7));
    }
}
