//! Signs an event and sends it.

use std::error::Error;
use std::time::{Duration, SystemTime};

use http::header::HeaderMap;
use http::{HeaderName, HeaderValue};
use reqwest::{Client, redirect};
use rules::webhooks::signature::{self, Message, Scheme};
use url::Url;

use crate::listen::consumer::Event;

const USER_AGENT: &str = concat!("checkout-sessions-listen/", env!("CARGO_PKG_VERSION"));
/// As Stripe's `listen` has it.
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Forwarder {
    client: Client,
    pub url: Url,
    scheme: Scheme,
    pub secret: String,
}

impl Forwarder {
    pub fn new(url: Url, scheme: Scheme, secret: String) -> Result<Self, String> {
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // The server is near; a proxy is not on the way.
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .retry(reqwest::retry::never());
        if url.scheme() == "http" {
            // A machine without root certificates can do this, too.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| format!("the HTTP client cannot be made: {error:?}"))?;
        Ok(Self { client, url, scheme, secret })
    }

    /// Returns the status of the answer, or why there is none.
    pub async fn forward(&self, event: &Event) -> Result<u16, String> {
        let message = Message { id: &event.id, timestamp: SystemTime::now().into(), body: &event.body };
        let headers = signature::headers(self.scheme, &[&self.secret], &message).map_err(|error| error.to_string())?;
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
        let request = self.client.post(self.url.clone()).headers(headers.collect::<HeaderMap>());
        match request.body(event.body.clone()).send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(innermost(&error)),
        }
    }
}

/// The cause that says most, such as "Connection refused (os error 111)".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} seconds", TIMEOUT.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
