//! A running `ambar connect`.

use crate::common::Person;
use crate::support::http::{Answer, Request};
use crate::support::market::{Market, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A proxy before a gateway.
pub struct Proxy {
    child: Child,
    /// What it printed when it was ready.
    pub ready: Value,
    /// Where it listens.
    pub url: String,
    key: String,
    said: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one on a free port.
    pub fn start(
        market: &Market,
        node: &str,
        channel: &str,
        price_max: &str,
        more: &[&str],
    ) -> Self {
        let connect = ["connect", "--channel", channel, "--price-max", price_max];
        let arguments = [&connect[..], &["--listen", "127.0.0.1:0", "--json"], more].concat();
        let mut command = Person::new(market.home(), node).command(&arguments);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (told, err) = (Arc::clone(&said), BufReader::new(child.stderr.take().unwrap()));
        let listening = thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                *told.lock().unwrap() += &format!("{line}\n");
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}, {}", said.lock().unwrap()));
        let url = ready["base_url"].as_str().unwrap().strip_suffix("/v1").unwrap().to_owned();
        let key = ready["api_key"].as_str().unwrap().to_owned();
        Self { child, ready, url, key, said, listening: Some(listening) }
    }

    /// A request with the proxy's key.
    pub fn request(&self, request: Request) -> Request {
        request.bearer(&self.key)
    }

    /// Sends a request with the proxy's key.
    pub fn send(&self, request: Request) -> Answer {
        self.request(request).send(&self.url).unwrap()
    }

    /// How often it has said something.
    pub fn heard(&self, what: &str) -> usize {
        self.said.lock().unwrap().matches(what).count()
    }

    /// Waits until it has said something so often.
    pub fn said(&self, what: &str, times: usize) {
        let said = || self.said.lock().unwrap().clone();
        until(&format!("{what}, {times} times"), || {
            assert!(self.heard(what) <= times, "{}", said());
            (self.heard(what) == times).then_some(())
        });
    }

    /// Interrupts it and waits for its end; everything that it said.
    pub fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.listening.take().unwrap().join().unwrap();
        self.said.lock().unwrap().clone()
    }

    /// Kills it.
    pub fn kill(self) {
        // Dropping it does.
        drop(self);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
