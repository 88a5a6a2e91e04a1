//! The port as clients meet it, good ones and bad ones.

mod limits;
mod plain;
mod secure;

use super::certificate::{self, CertificateFiles};
use super::{Exposure, Figures, Limits, Reason, Server, Tls};
use crate::peers::identity::provider;
use ambar_base::SecretKey;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use futures::stream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// Longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A port that a test began.
pub(crate) struct Port {
    pub address: SocketAddr,
    pub figures: Arc<Figures>,
    pub files: CertificateFiles,
    pub tls: Tls,
    stop: CancellationToken,
    server: JoinHandle<()>,
    _home: tempfile::TempDir,
}

/// Limits that are over soon; what is not tested stays long.
pub(crate) fn short(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

impl Port {
    pub(crate) async fn open(
        routes: Router,
        peer_routes: Router,
        exposure: Exposure,
        limits: Limits,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let files = certificate::own(&home.path().join("tls"), &names).unwrap();
        let tls = Tls::open(files.clone(), &node_key()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let figures = Arc::new(Figures::default());
        let stop = CancellationToken::new();
        let server = Server {
            routes: Arc::new(routes),
            peer_routes: Arc::new(peer_routes),
            tls: tls.clone(),
            exposure,
            limits,
            figures: Arc::clone(&figures),
        };
        let server = tokio::spawn(server.serve(listener, stop.clone()));
        Self { address, figures, files, tls, stop, server, _home: home }
    }

    pub(crate) async fn plain(routes: Router, limits: Limits) -> Self {
        Self::open(routes, Router::new(), Exposure::Machine, limits).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A TLS connection of a client that trusts the port's certificate and offers `protocols`.
    pub(crate) async fn secure(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        for certificate in certificate::read_certificates(&self.files.certificate).unwrap() {
            roots.add(certificate).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, self.connect().await).await.unwrap()
    }

    /// Waits until something ended for `reason` so many times.
    pub(crate) async fn ended(&self, reason: Reason, times: u64) {
        self.until(|figures| figures.ended(reason) >= times).await;
        assert_eq!(self.figures.ended(reason), times, "{reason:?}");
    }

    pub(crate) async fn until(&self, done: impl Fn(&Figures) -> bool) {
        let wait = async {
            while !done(&self.figures) {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }

    pub(crate) async fn close(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.server).await.unwrap().unwrap();
        assert_eq!(self.figures.open.load(Ordering::Relaxed), 0);
    }
}

pub(crate) fn node_key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

/// Routes that answer with what came, and streams that a test feeds.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async { body }))
        .route("/endless", get(endless))
        .route("/peer", get(peer))
}

async fn peer(request: Request) -> String {
    match request.extensions().get::<super::Peer>() {
        Some(super::Peer(key)) => key.did(),
        None => "nobody".into(),
    }
}

async fn endless() -> Body {
    let piece = vec![b'x'; 16 * 1024];
    Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())))
}

/// A body that a test feeds, and that says when it is dropped.
pub(crate) fn fed() -> (mpsc::Sender<&'static str>, Body) {
    let (feed, fed) = mpsc::channel(64);
    let pieces = stream::unfold(fed, |mut fed: mpsc::Receiver<&'static str>| async move {
        fed.recv().await.map(|piece| (Ok::<_, Infallible>(piece), fed))
    });
    (feed, Body::from_stream(pieces))
}

/// Everything until the other side closes.
pub(crate) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    // A reset after the last byte ends it as well.
    let _ = read;
    String::from_utf8(bytes).unwrap()
}

/// Reads until `text` came; what was read.
pub(crate) async fn until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            bytes.push(stream.read_u8().await.unwrap());
            if bytes.ends_with(text.as_bytes()) {
                return;
            }
        }
    };
    let done = tokio::time::timeout(PATIENCE, read).await;
    let seen = String::from_utf8_lossy(&bytes).into_owned();
    assert!(done.is_ok(), "`{text}` did not come after {seen:?}");
    seen
}

/// Sends all of a text.
pub(crate) async fn send(stream: &mut (impl tokio::io::AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}
