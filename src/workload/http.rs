//! A worker's HTTP client, and a way to see when it connects.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use thiserror::Error;
use tower_layer::Layer;
use tower_service::Service;

use crate::event::{At, Phase};

use super::emit::TaskContext;

/// Why TLS can't be had.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The TLS library refused its own settings.
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The TLS settings that all clients of a race share. The system's certificate roots are read when the
/// first TLS connection needs them, so a race over plain HTTP never reads them.
#[derive(Debug, Clone)]
pub struct Tls {
    config: ClientConfig,
    roots: Arc<LazyVerifier>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the system's certificate roots.
    ///
    /// # Errors
    /// When the TLS library refuses its settings.
    pub fn new() -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(LazyVerifier { provider: provider.clone(), inner: OnceLock::new() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(roots.clone())
            .with_no_client_auth();
        Ok(Tls { config, roots })
    }

    /// Reads the certificate roots now, so that no task is charged for it.
    pub fn read_roots(&self) {
        let _ = self.roots.inner();
    }
}

/// The webpki verifier over the system's roots, made when it is first asked.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    inner: OnceLock<Result<Arc<WebPkiServerVerifier>, NoRoots>>,
}

/// Why there are no certificate roots.
#[derive(Debug, Clone, Error)]
#[error(
    "no certificate roots: {0}; install the system's ca-certificates, or point SSL_CERT_FILE at a bundle"
)]
struct NoRoots(String);

impl LazyVerifier {
    fn inner(&self) -> Result<&Arc<WebPkiServerVerifier>, rustls::Error> {
        let made = self.inner.get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|error| NoRoots(found.errors.first().map_or(error.to_string(), |e| e.to_string())))
        });
        made.as_ref().map_err(|error| CertificateError::Other(OtherError(Arc::new(error.clone()))).into())
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Addresses of host names, looked up before the race so that no worker waits for a look-up. Their port is
/// 0, for which the connector takes the URL's own.
pub type Resolved = HashMap<String, Vec<SocketAddr>>;

/// The most headers of an answer; one with more is refused.
const MOST_HEADERS: usize = 100;

/// What a client is made from.
#[derive(Debug, Clone)]
pub(super) struct ClientSettings {
    pub(super) tls: Tls,
    pub(super) resolved: Arc<Resolved>,
    pub(super) connect_timeout: Duration,
    pub(super) redirects: Redirects,
    pub(super) proxy: ProxyUse,
}

/// What becomes of an answer that leads elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// It is followed, up to so many times in a row.
    Followed(usize),
    /// It is the answer.
    Returned,
}

/// Whether the environment's proxies are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyUse {
    /// `HTTP_PROXY` and its kin are honoured.
    Environment,
    /// Never: the origin is on this machine, or the environment names no proxy.
    None,
}

impl ProxyUse {
    /// What an environment with variables of these names asks for. A client that may use proxies looks for
    /// one at every request, also where there is none to be found.
    pub(super) fn of_variables(names: impl IntoIterator<Item = OsString>) -> ProxyUse {
        let names_proxy = |name: OsString| name.to_ascii_lowercase().as_encoded_bytes().ends_with(b"_proxy");
        if names.into_iter().any(names_proxy) { ProxyUse::Environment } else { ProxyUse::None }
    }
}

/// Makes a worker's own client, which tells `watch` when it connects.
pub(super) fn client(settings: &ClientSettings, watch: &Watch) -> reqwest::Result<reqwest::Client> {
    let redirects = settings.redirects;
    let followed = watch.clone();
    let policy = reqwest::redirect::Policy::custom(move |attempt| {
        let Redirects::Followed(limit) = redirects else { return attempt.stop() };
        let scheme = attempt.url().scheme().to_owned();
        if attempt.previous().len() > limit {
            attempt.error(RedirectError::TooMany(limit))
        } else if scheme != "http" && scheme != "https" {
            attempt.error(RedirectError::Scheme(scheme))
        } else {
            followed.followed();
            attempt.follow()
        }
    });
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(settings.tls.config.clone())
        .connector_layer(WatchLayer(watch.clone()))
        .connect_timeout(settings.connect_timeout)
        .redirect(policy)
        // Without the limit, each request is copied for a retry that never comes.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .referer(false)
        .http1_only()
        .http1_max_headers(MOST_HEADERS)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("threadrace/", env!("CARGO_PKG_VERSION")));
    for (host, addresses) in settings.resolved.iter() {
        builder = builder.resolve_to_addrs(host, addresses);
    }
    if settings.proxy == ProxyUse::None {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Why a redirect was not followed.
#[derive(Debug, Error)]
pub(super) enum RedirectError {
    /// There were too many.
    #[error("more than {0} redirects; raise download.redirects if that is meant")]
    TooMany(usize),
    /// It led somewhere that is not HTTP.
    #[error("a redirect to a {0}: address, which is not followed")]
    Scheme(String),
}

/// Sees when the one client of a worker opens a connection, and says so for the task at hand.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Option<Watched>>>);

#[derive(Debug)]
struct Watched {
    context: TaskContext,
    began: At,
    stage: WatchStage,
    since: Instant,
}

/// What the client was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WatchStage {
    /// The request was handed to the client, which has not moved yet.
    Began,
    /// A connection is being opened.
    Connecting,
    /// There is a connection, and the server's turn.
    Waiting(Connection),
}

/// Where the connection of a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// It was kept from an earlier request, and its server may have closed it since.
    Kept,
    /// It was opened for this one.
    Fresh,
}

/// A request that is watched, until this is dropped.
#[derive(Debug)]
pub(super) struct Watching<'a>(&'a Watch);

impl Watching<'_> {
    /// The request is sent once more.
    pub(super) fn restart(&self) {
        self.0.with(|watched| {
            watched.began = watched.context.now();
            watched.stage = WatchStage::Began;
            watched.since = Instant::now();
        });
    }

    /// Whether a request that was sent went out on a connection that was kept from an earlier one: none
    /// that was opened for it has come. One may be under way all the same, when the kept connection was
    /// free again first.
    pub(super) fn on_kept_connection(&self) -> bool {
        let kept = |watched: &mut Watched| watched.stage != WatchStage::Waiting(Connection::Fresh);
        self.0.with(kept).unwrap_or(false)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Watch {
    fn with<T>(&self, then: impl FnOnce(&mut Watched) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(then)
    }

    fn set(&self, watched: Option<Watched>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// A request of the task begins. It is over when what is returned is dropped: a connection that is
    /// opened on the side, and comes later, is then no longer the task's.
    pub(super) fn begin(&self, context: &TaskContext) -> Watching<'_> {
        let watched = Watched {
            context: context.clone(),
            began: context.now(),
            stage: WatchStage::Began,
            since: Instant::now(),
        };
        self.set(Some(watched));
        Watching(self)
    }

    /// The client has moved for the first time: without a connection under way it uses a warm one.
    pub(super) fn moved(&self) {
        self.with(|watched| {
            if watched.stage == WatchStage::Began {
                watched.stage = WatchStage::Waiting(Connection::Kept);
                watched.context.enter_at(watched.began, Phase::Waiting);
            }
        });
    }

    /// How long the server has had its turn; none while a connection is being opened.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.with(|watched| (watched.stage != WatchStage::Connecting).then(|| watched.since.elapsed()))?
    }

    fn connecting(&self) {
        self.with(|watched| {
            let at = if watched.stage == WatchStage::Began { watched.began } else { watched.context.now() };
            watched.stage = WatchStage::Connecting;
            watched.context.enter_at(at, Phase::Connecting);
        });
    }

    fn connected(&self) {
        self.with(|watched| {
            if watched.stage == WatchStage::Connecting {
                watched.stage = WatchStage::Waiting(Connection::Fresh);
                watched.since = Instant::now();
                watched.context.enter(Phase::Waiting);
            }
        });
    }

    /// The server answered with a redirect: the next server has its turn, on the connection at hand unless
    /// another is opened.
    fn followed(&self) {
        self.with(|watched| {
            if watched.stage == WatchStage::Connecting {
                watched.context.enter(Phase::Waiting);
            }
            watched.stage = WatchStage::Waiting(Connection::Kept);
            watched.since = Instant::now();
        });
    }
}

#[derive(Debug, Clone)]
struct WatchLayer(Watch);

impl<S> Layer<S> for WatchLayer {
    type Service = WatchService<S>;

    fn layer(&self, inner: S) -> WatchService<S> {
        WatchService { inner: Arc::new(inner), watch: self.0.clone() }
    }
}

/// The client copies its connector half a dozen times for each request, also for one that needs no connection:
/// what connects is copied only when it does.
#[derive(Debug)]
struct WatchService<S> {
    inner: Arc<S>,
    watch: Watch,
}

impl<S> Clone for WatchService<S> {
    fn clone(&self) -> WatchService<S> {
        WatchService { inner: self.inner.clone(), watch: self.watch.clone() }
    }
}

impl<S, R> Service<R> for WatchService<S>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.watch.connecting();
        let (watch, mut inner) = (self.watch.clone(), S::clone(&self.inner));
        Box::pin(async move {
            poll_fn(|context| inner.poll_ready(context)).await?;
            let connection = inner.call(request).await?;
            watch.connected();
            Ok(connection)
        })
    }
}

/// An error with all that caused it, in one line, each cause told once.
pub(super) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        cause = error.source();
    }
    line
}

/// The first cause of type `T` in an error's chain.
pub(super) fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use crate::clock::Clock;
    use crate::event::{Fact, LaneId, RunId, TaskId};

    use super::super::emit::{Emitter, Progress};
    use super::super::terms::Terms;
    use super::*;

    fn context() -> (TaskContext, mpsc::Receiver<crate::event::Event>) {
        let (events, arriving) = mpsc::channel();
        let emitter = Emitter::new(Clock::start(), events);
        let progress = Progress::new(1);
        (TaskContext::new(emitter, progress, RunId(0), TaskId(0), LaneId(0), Terms::default()), arriving)
    }

    fn phases(arriving: &mpsc::Receiver<crate::event::Event>) -> Vec<Phase> {
        let phase = |event: crate::event::Event| match event.fact {
            Fact::PhaseEntered { phase, .. } => Some(phase),
            _ => None,
        };
        arriving.try_iter().filter_map(phase).collect()
    }

    #[test]
    fn only_an_environment_that_names_a_proxy_asks_for_one() {
        let of = |names: &[&str]| ProxyUse::of_variables(names.iter().map(OsString::from));
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            assert_eq!(of(&["HOME", name]), ProxyUse::Environment, "{name}");
        }
        assert_eq!(of(&["HOME", "PATH", "PROXY"]), ProxyUse::None);
    }

    #[test]
    fn a_connection_that_comes_after_the_answer_is_not_the_tasks() {
        let ((context, arriving), watch) = (context(), Watch::default());
        let watching = watch.begin(&context);
        watch.connecting();
        drop(watching);
        watch.connected();
        assert_eq!(phases(&arriving), [Phase::Connecting]);
    }

    #[test]
    fn a_request_is_on_a_kept_connection_until_one_is_opened_for_it() {
        let ((context, arriving), watch) = (context(), Watch::default());
        let watching = watch.begin(&context);
        watch.moved();
        assert!(watching.on_kept_connection());
        watching.restart();
        watch.connecting();
        watch.moved();
        watch.connected();
        assert!(!watching.on_kept_connection());
        watch.followed();
        assert!(watching.on_kept_connection());
        assert_eq!(phases(&arriving), [Phase::Waiting, Phase::Connecting, Phase::Waiting]);
    }
}
