//! A node within this process, and the signals that end it. It is talked to through HTTP
//! like any other.

use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::progress::{Progress, watch};
use ambar_base::SecretKey;
use ambar_node::client::Trust;
use ambar_node::home::OPERATOR;
use ambar_node::node::{Node, NodeSettings, Running};
use ambar_node::server::certificate::{CertificateFiles, Fingerprint};
use ambar_node::{Gauge, KeyStore};

/// A running node and its operator's key.
pub struct Embedded {
    running: Running,
    operator: SecretKey,
    trust: Trust,
}

impl Embedded {
    /// Starts the node of a home; a new home gets keys and a network of its own.
    pub async fn start(settings: NodeSettings, progress: &Progress) -> Outcome<Self> {
        let (home, passphrase) = (settings.home.clone(), settings.passphrase.clone());
        let gauge = Gauge::default();
        let starting = Node::start_telling(settings, &gauge);
        let running =
            watch::following(progress, "starting the node", starting, gauge.watch()).await?;
        let operator = KeyStore::of(&home).load(OPERATOR, passphrase.as_ref());
        match operator {
            Ok(operator) => {
                let trust = Trust::from_environment().with_home(&home);
                Ok(Self { running, operator, trust })
            }
            Err(error) => {
                running.shutdown().await;
                Err(error.into())
            }
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.running.base_url
    }

    /// The files of its port's certificate, and how it is told from others.
    pub fn certificate(&self) -> (&CertificateFiles, Fingerprint) {
        self.running.certificate()
    }

    /// Whom its clients trust.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The key of its operator.
    pub fn operator(&self) -> &SecretKey {
        &self.operator
    }

    /// Finishes what is under way and closes.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}

/// Waits for SIGINT or SIGTERM.
#[cfg(unix)]
pub async fn interrupted() -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::internal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::internal)?;
    interrupt::hand_over();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn interrupted() -> Outcome {
    interrupt::hand_over();
    tokio::signal::ctrl_c().await.map_err(Failure::internal)
}
