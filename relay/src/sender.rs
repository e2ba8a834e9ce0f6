//! Sends one request, and reports what came back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Request, Response, redirect};
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use url::{Host, Url};

use crate::attempt::{Attempt, Doubt, Failure, Outcome};
use crate::database::Delivery;
use crate::failure;
use crate::guard::Guard;
use crate::local::has_way_to;
use crate::network::Network;
use crate::response::{MAXIMUM_BODY, retry_after, snippet};

const USER_AGENT: &str = concat!("checkout-sessions-relay/", env!("CARGO_PKG_VERSION"));
/// Less than the five seconds after which Node.js closes an idle connection: a request that meets the close is a failed
/// attempt, although nothing is wrong with the receiver.
const IDLE: Duration = Duration::from_secs(4);
/// HTTP/2, while a response is awaited.
const PING_AFTER: Duration = Duration::from_secs(5);

pub struct Settings {
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub per_endpoint: u32,
    /// PEM.
    pub more_roots: Option<Vec<u8>>,
}

pub struct Sender {
    client: Client,
    guard: Guard,
    network: Network,
    timeout: Duration,
    connect_timeout: Duration,
}

impl Sender {
    pub fn new(settings: &Settings, guard: Guard) -> Result<Self, String> {
        let client = Client::builder()
            .tls_certs_merge(roots(settings.more_roots.as_deref(), system_roots())?)
            .dns_resolver(Arc::new(guard.clone()))
            .connect_timeout(settings.connect_timeout)
            // A redirect would lead around the check of addresses, and send what is signed for one URL to another.
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(usize::try_from(settings.per_endpoint).unwrap_or(usize::MAX))
            // A connection that no longer answers would fail every request that shares it; one that is only busy may take
            // as long as an attempt.
            .http2_keep_alive_interval(PING_AFTER)
            .http2_keep_alive_timeout(settings.timeout)
            // The client would send again by itself what the receiver may have had, and nobody would know.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error:?}"))?;
        let Settings { timeout, connect_timeout, .. } = *settings;
        Ok(Self { client, guard, network: Network::default(), timeout, connect_timeout })
    }

    pub async fn send(&self, delivery: &Delivery) -> Attempt {
        let started = Instant::now();
        let result = match self.request(delivery) {
            Ok(request) => self.exchange(request, started + self.timeout).await,
            Err(failure) => Err(failure),
        };
        let duration = started.elapsed();
        let attempt = match result {
            Ok(attempt) => {
                self.network.reached(&delivery.url);
                attempt
            }
            Err(failure) => self.network.judge(failure, &delivery.url, self.connect_timeout).await.into(),
        };
        Attempt { duration, ..attempt }
    }

    fn request(&self, delivery: &Delivery) -> Result<Request, Failure> {
        let invalid = |what: &str| Failure::new(Outcome::Invalid, format!("{what} cannot be sent"));
        let url = Url::parse(&delivery.url).map_err(|_| invalid("the URL"))?;
        self.guard.check(&url).map_err(failure::of_refusal)?;
        // Names are looked at when they are looked up.
        let address = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if address.is_some_and(|ip| !has_way_to(ip)) {
            return Err(failure::unreachable_host());
        }
        let headers = headers(&delivery.headers).ok_or_else(|| invalid("a header"))?;
        let body = Bytes::from(delivery.body.clone());
        self.client.post(url).headers(headers).body(body).build().map_err(|_| invalid("the request"))
    }

    async fn exchange(&self, request: Request, deadline: Instant) -> Result<Attempt, Failure> {
        match timeout_at(deadline, self.client.execute(request)).await {
            Ok(Ok(response)) => Ok(self.read(response, deadline).await),
            Ok(Err(error)) => Err(failure::of(&error, self.connect_timeout)),
            Err(_) => {
                let connected = self.connect_timeout < self.timeout;
                let doubt = if connected { Doubt::Interrupted } else { Doubt::NoAnswer };
                Err(Failure::timeout(self.timeout).in_doubt(doubt))
            }
        }
    }

    /// Once there is a status it counts, whatever becomes of the body.
    async fn read(&self, mut response: Response, deadline: Instant) -> Attempt {
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER);
        let retry_after = header.and_then(|value| retry_after(value.as_bytes(), SystemTime::now()));
        let mut body = Vec::new();
        let mut error = None;
        while body.len() < MAXIMUM_BODY {
            match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk[..chunk.len().min(MAXIMUM_BODY - body.len())]),
                Ok(Ok(None)) => break,
                Ok(Err(fault)) => error = Some(failure::of(&fault, self.connect_timeout).text),
                Err(_) => error = Some(Failure::timeout(self.timeout).text),
            }
            if error.is_some() {
                break;
            }
        }
        // HTTP has three digits for a status, and the database what is defined of them.
        let known = (100..600).contains(&status);
        Attempt {
            outcome: Outcome::of_status(status),
            status: known.then_some(status),
            error: if known { error } else { Some(format!("the response has the status {status}")) },
            duration: Duration::ZERO,
            response_body: snippet(&body),
            retry_after,
        }
    }
}

/// How many certificates of authorities the system has.
fn system_roots() -> usize {
    let found = rustls_native_certs::load_native_certs();
    found.errors.iter().for_each(|error| warn!("the system's root certificates: {error}"));
    found.certs.len()
}

/// The certificates of --ca-file; refuses to go on where nobody would be trusted, since no receiver is at fault then.
fn roots(pem: Option<&[u8]>, of_system: usize) -> Result<Vec<Certificate>, String> {
    let roots = match pem {
        None => Vec::new(),
        Some(pem) => Certificate::from_pem_bundle(pem).map_err(|_| "--ca-file: it is not PEM".to_owned())?,
    };
    if pem.is_some() && roots.is_empty() {
        return Err("--ca-file: it has no certificate".into());
    }
    match (of_system, roots.len()) {
        (0, 0) => Err("this machine has no root certificates, so that no receiver could be trusted: install them \
            (the package ca-certificates), or give --ca-file"
            .into()),
        (0, _) => {
            warn!("this machine has no root certificates: only those of --ca-file are trusted");
            Ok(roots)
        }
        _ => Ok(roots),
    }
}

/// The headers, as the database has them: an object of texts.
fn headers(json: &str) -> Option<HeaderMap> {
    let texts: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
    let header = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    texts.iter().map(header).collect()
}
