//! A closed loop: so many clients, each with one connection, each sending its next request
//! when it has read the answer to the last.

use crate::http::{Connection, Request};
use crate::table::percentile;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What a closed loop saw.
#[derive(Clone, Debug)]
pub struct Load {
    /// From sending to the last byte, µs.
    latencies: Vec<f64>,
    /// From the first request to the last answer.
    elapsed: Duration,
}

impl Load {
    /// Runs `clients` against one server for `time`.
    pub async fn run(
        address: SocketAddr,
        request: &Request,
        clients: usize,
        time: Duration,
    ) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(Connection::open(address).await?);
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn(client(connection, request.clone(), started + time));
        }
        let mut latencies = Vec::new();
        while let Some(finished) = tasks.join_next().await {
            latencies.extend(finished??);
        }
        Ok(Self { latencies, elapsed: started.elapsed() })
    }

    /// Answers.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.latencies.len()
    }

    /// Answers per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.calls() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which `percent` of the answers were read, µs.
    pub fn percentile(&self, percent: usize) -> Result<f64> {
        percentile(&self.latencies, percent).context("no call was answered")
    }
}

async fn client(mut connection: Connection, request: Request, until: Instant) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let answer = connection.ask(&request).await?;
        latencies.push(answer.whole.as_secs_f64() * 1e6);
    }
    Ok(latencies)
}
