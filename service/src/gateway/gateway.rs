//! Answers a request: finds what it is for, keeps the limits, and writes its line into the log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use rules::access::redact;
use rules::dialects::Dialect;
use tokio::time::{Instant, timeout};
use tracing::{error, info};

use crate::gateway::connections::Connections;
use crate::gateway::credential::ApiKey;
use crate::gateway::failure::{Failure, JSON};
use crate::gateway::limits::Limits;
use crate::gateway::metrics::Metrics;
use crate::gateway::organizations::Organizations;
use crate::gateway::page_policy::PagePolicies;
use crate::gateway::pages::{self, Pages};
use crate::gateway::request::{Head, read_body};
use crate::gateway::target::Target;
use crate::gateway::token::{Token, Tokens};
use crate::gateway::transaction::Presented;
use crate::gateway::{address, credential, dialect, openapi, rpc, views};
use crate::health::Health;

/// The database cancels a statement first: then its connection stays.
const GRACE: Duration = Duration::from_millis(500);
const LONGEST_ROUTE: usize = 200;

pub struct Gateway {
    pub alone: Option<&'static Dialect>,
    pub timeout: Duration,
    pub trusted_proxies: u8,
    pub connections: Arc<Connections>,
    pub limits: Arc<Limits>,
    pub tokens: Tokens,
    pub pages: Pages,
    pub page_policies: PagePolicies,
    pub organizations: Organizations,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

/// Who asks.
struct Caller {
    key: Option<ApiKey>,
    address: IpAddr,
}

impl Gateway {
    pub async fn answer(&self, request: Request<Body>, peer: IpAddr) -> Response<Body> {
        let started = Instant::now();
        self.metrics.in_flight.inc();
        let (parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let head = Head::new(parts);
        let target = Target::of(&head.path, self.alone);
        let caller =
            Caller { key: ApiKey::of(&head.headers), address: address::client(peer, &headers, self.trusted_proxies) };

        let answered = timeout(self.timeout + GRACE, self.serve(target, &head, &headers, body, &caller)).await;
        let answered = answered.unwrap_or_else(|_| Err(Failure::too_slow("it was cancelled by the gateway")));
        let mut response = answered.unwrap_or_else(|failure| {
            if let Some(cause) = &failure.cause {
                let (code, cause) = (&*failure.code, masked(cause));
                error!(request_id = head.id, code, cause, "a request has failed");
            }
            failure.response(target)
        });
        self.add_headers(&mut response, target, &head).await;
        let (status, duration) = (response.status(), started.elapsed());
        let organization = match (&caller.key, status) {
            (None, _) | (_, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) => None,
            (_, status) if status.is_server_error() => None,
            (Some(key), _) => self.organizations.of(key, &head.headers, &self.connections).await,
        };

        let function = if let Target::Function(name) | Target::View(name) = target { Some(masked(name)) } else { None };
        let dialect = if let Target::Dialect(dialect, _) = target { Some(dialect.name) } else { None };
        info!(
            request_id = head.id,
            method = head.method.as_str(),
            route = masked(&head.path),
            key = caller.key.as_ref().map(|key| key.id.as_str()),
            organization = organization.map(|id| id.to_string()),
            dialect,
            function,
            status = status.as_u16(),
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        self.metrics.answered(target.kind(), status, duration);
        self.metrics.in_flight.dec();
        response
    }

    async fn serve(
        &self,
        target: Target<'_>,
        head: &Head,
        headers: &HeaderMap,
        body: Body,
        caller: &Caller,
    ) -> Result<Response<Body>, Failure> {
        if matches!(target, Target::Health) {
            return self.health();
        }
        self.limits.check(caller.key.as_ref().map(|key| &key.digest), caller.address)?;
        head.check_size()?;
        let body = read_body(headers, body, self.timeout).await?;
        match target {
            Target::Dialect(dialect, path) => dialect::forward(&self.connections, dialect, path, head, body).await,
            Target::Nothing | Target::Health => Err(Failure::not_found(head.method.as_str(), &head.path)),
            _ if head.method == Method::OPTIONS => Ok(options(target)),
            Target::Function(name) => {
                let token = self.tokens.of(&head.headers)?;
                rpc::call(&self.connections, name, &presented(head, token.as_ref()), body).await
            }
            Target::View(name) => {
                let token = self.tokens.of(&head.headers)?;
                views::read(&self.connections, name, &presented(head, token.as_ref())).await
            }
            Target::Pay(_) => self.pages.serve("pay.html", head).await,
            Target::Dashboard => self.pages.serve("dashboard.html", head).await,
            Target::File(path) => self.pages.serve(path, head).await,
            Target::OpenApi => Ok(json(openapi::document(self.alone))),
        }
    }

    fn health(&self) -> Result<Response<Body>, Failure> {
        match self.health.complaint() {
            None => Ok(Response::new(Body::from("ok\n"))),
            Some(complaint) => Err(Failure { message: complaint.into(), cause: None, ..Failure::unavailable("") }),
        }
    }

    /// Of every answer: the request's id; of pages: what a browser may do with them.
    async fn add_headers(&self, response: &mut Response<Body>, target: Target<'_>, head: &Head) {
        let frame_ancestors = match target {
            Target::Pay(id) => self.page_policies.frame_ancestors(id, &self.connections).await,
            _ => "'none'".to_owned(),
        };
        let is_file = matches!(target, Target::File(_)) && response.status().is_success();
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&head.id) {
            headers.insert("x-request-id", id);
        }
        if target.is_page() {
            pages::add_headers(headers, &frame_ancestors, !is_file);
        }
    }
}

fn presented<'r>(head: &'r Head, token: Option<&'r Token>) -> Presented<'r> {
    Presented { head, token, is_any: credential::is_presented(&head.headers) }
}

fn options(target: Target) -> Response<Body> {
    let methods = if matches!(target, Target::Function(_)) { "GET, HEAD, POST, OPTIONS" } else { "GET, HEAD, OPTIONS" };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn json(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A text for the log: without secrets, and not too long.
fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if let Some(length) = redact::mask(&mut bytes) {
        bytes.truncate(length);
    }
    String::from_utf8_lossy(&bytes).chars().take(LONGEST_ROUTE).collect()
}

#[cfg(test)]
mod tests {
    use rules::access::api_key::generate;
    use rules::access::credential::{Environment, Kind};

    use super::*;

    #[test]
    fn a_route_in_the_log_has_no_secret() {
        let key = generate(Kind::Secret, Environment::Live).text;
        let path = masked(&format!("/lomi/{key}/x"));
        assert_eq!(path, format!("/lomi/{}***/x", &key[..20]));
        assert_eq!(masked(&"é".repeat(1_000)).chars().count(), LONGEST_ROUTE);
    }
}
