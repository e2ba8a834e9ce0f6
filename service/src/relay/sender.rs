//! Sends one request, and reports the response.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Request, Response, redirect};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::relay::attempt::{Attempt, Doubt, Outcome, SendError};
use crate::relay::delivery::Delivery;
use crate::relay::guard::{Guard, address_of, is_this_machine};
use crate::relay::network::Network;
use crate::relay::own_machine::has_way_to;
use crate::relay::response::{MAXIMUM_BODY, retry_after, snippet};
use crate::relay::send_error;
use crate::tls;

const USER_AGENT: &str = concat!("checkout-sessions-relay/", env!("CARGO_PKG_VERSION"));
/// Less than the five seconds after which Node.js closes an idle connection: a request that meets the close is a failed
/// attempt, although the receiver has no fault.
const IDLE: Duration = Duration::from_secs(4);
/// Of HTTP/2, while a response is awaited.
const PING_AFTER: Duration = Duration::from_secs(5);

pub struct Settings {
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub per_endpoint: u32,
    /// PEM.
    pub more_roots: Option<Vec<u8>>,
}

pub struct Sender {
    /// For every host.
    public: Route,
    /// For this machine, if the database allows that.
    home: Route,
    network: Network,
    timeout: Duration,
    connect_timeout: Duration,
}

/// A client, and the guard that it asks for the addresses of a name.
struct Route {
    client: Client,
    guard: Guard,
}

impl Route {
    fn new(settings: &Settings, roots: &[Certificate], guard: Guard) -> Result<Self, String> {
        let client = Client::builder()
            .tls_certs_merge(roots.iter().cloned())
            .dns_resolver(Arc::new(guard.clone()))
            .connect_timeout(settings.connect_timeout)
            // A redirect would bypass the check of addresses, and send a message signed for one URL to another.
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(usize::try_from(settings.per_endpoint).unwrap_or(usize::MAX))
            // A dead connection would fail every request that shares it. A busy one may take as long as an attempt.
            .http2_keep_alive_interval(PING_AFTER)
            .http2_keep_alive_timeout(settings.timeout)
            // The client would silently send again a request that the receiver may have had.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| format!("the HTTP client cannot be made: {error:?}"))?;
        Ok(Self { client, guard })
    }
}

impl Sender {
    pub fn new(settings: &Settings, guard: Guard) -> Result<Self, String> {
        let roots = tls::more_roots(settings.more_roots.as_deref())?;
        let home = Route::new(settings, &roots, guard.at_home())?;
        let public = Route::new(settings, &roots, guard)?;
        let Settings { timeout, connect_timeout, .. } = *settings;
        Ok(Self { public, home, network: Network::default(), timeout, connect_timeout })
    }

    pub async fn send(&self, delivery: &Delivery) -> Attempt {
        let started = Instant::now();
        let result = match self.request(delivery) {
            Ok((client, request)) => self.exchange(client, request, started + self.timeout).await,
            Err(error) => Err(error),
        };
        let duration = started.elapsed();
        let attempt = match result {
            Ok(attempt) => {
                self.network.reached(&delivery.url);
                attempt
            }
            Err(error) => self.network.judge(error, &delivery.url, self.connect_timeout).await.into(),
        };
        Attempt { duration, ..attempt }
    }

    fn request(&self, delivery: &Delivery) -> Result<(&Client, Request), SendError> {
        let invalid = |what: &str| SendError::new(Outcome::Invalid, format!("{what} cannot be sent"));
        let url = Url::parse(&delivery.url).map_err(|_| invalid("the URL"))?;
        // Only what names the machine itself: another name may lead there, but is not asked by this guard.
        let at_home = delivery.to_this_machine && url.host().is_some_and(|host| is_this_machine(&host));
        let Route { client, guard } = if at_home { &self.home } else { &self.public };
        guard.check(&url).map_err(send_error::of_target)?;
        let address = url.host().as_ref().and_then(address_of);
        if address.is_some_and(|ip| !has_way_to(ip)) {
            return Err(send_error::unreachable_host());
        }
        let headers = headers(&delivery.headers).ok_or_else(|| invalid("a header"))?;
        let body = Bytes::from(delivery.body.clone());
        let request = client.post(url).headers(headers).body(body).build().map_err(|_| invalid("the request"))?;
        Ok((client, request))
    }

    async fn exchange(&self, client: &Client, request: Request, deadline: Instant) -> Result<Attempt, SendError> {
        match timeout_at(deadline, client.execute(request)).await {
            Ok(Ok(response)) => Ok(self.read(response, deadline).await),
            Ok(Err(error)) => Err(send_error::of(&error, self.connect_timeout)),
            Err(_) => {
                let connected = self.connect_timeout < self.timeout;
                let doubt = if connected { Doubt::Interrupted } else { Doubt::NoAnswer };
                Err(SendError::timeout(self.timeout).in_doubt(doubt))
            }
        }
    }

    /// Once there is a status, it counts, even if the body fails.
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
                Ok(Err(cause)) => error = Some(send_error::of(&cause, self.connect_timeout).text),
                Err(_) => error = Some(SendError::timeout(self.timeout).text),
            }
            if error.is_some() {
                break;
            }
        }
        // HTTP has three digits for a status, and the database accepts the defined range.
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

/// Reads the headers, which the database gives as an object of texts.
fn headers(json: &str) -> Option<HeaderMap> {
    let texts: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
    let header = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    texts.iter().map(header).collect()
}
