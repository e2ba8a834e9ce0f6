//! The dialects: an HTTP request in, its answer out.

use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::access::credential_of;
use super::payments::{self, Reported};
use super::sessions::{self as operations, Created};
use crate::datum::{self, HttpAnswer, Json, Jsonb, Text, required_text};
use crate::dialects::{
    self, Api, Create, HttpRequest, HttpResponse, List, Lookup, Operation, Outcome, Route, Scenario,
};
use crate::domain::credential::{Environment, Kind};
use crate::domain::payment::Outcome as PaymentOutcome;
use crate::domain::validate;
use crate::domain::{Error, Result, http_credential, status::Status};
use crate::report::or_raise;
use crate::role::as_worker_role;
use crate::store::list::{self, Filter};
use crate::store::{http, sessions, subtransaction};
use crate::tenant::{self, Caller, Lasting, Tenant};

/// Several times what the dialects allow in the largest request.
const BODY_BYTES: usize = 256 * 1024;
const HEADERS_BYTES: usize = 64 * 1024;

#[pg_extern(sql = false)]
fn handle_request(
    api: Option<Text>,
    method: Option<Text>,
    path: Option<Text>,
    headers: Option<Jsonb>,
    query: Option<Jsonb>,
    body: Option<Jsonb>,
) -> HttpAnswer {
    or_raise((|| {
        let api = dialects::find(required_text("api", &api)?)?;
        let method = required_text("method", &method)?;
        let path = required_text("path", &path)?;
        let headers = texts("headers", headers)?;
        let query = texts("query", query)?;
        let mut response = answer(api, method, path, &headers, &query, body)?;
        if let Some(trace_id) = http_credential::trace_id(&headers) {
            response.headers.push(("X-Trace-Id", trace_id.to_owned()));
        }
        http::answer(&response)
    })())
}

fn answer(
    api: &Api,
    method: &str,
    path: &str,
    headers: &Map<String, Value>,
    query: &Map<String, Value>,
    body: Option<Jsonb>,
) -> Result<HttpResponse> {
    let (route, parameters) = match dialects::route(api, method, path) {
        Ok(found) => found,
        Err(response) => return Ok(response),
    };
    let served = subtransaction::undone_if_refused(|| {
        let caller = caller(headers)?;
        // Not before it is known who asks.
        let body = match json("body", body, BODY_BYTES) {
            Ok(body) => body,
            Err(error) => return Ok(api.refuse_reading(&error)),
        };
        serve(api, route, &caller, &HttpRequest { parameters, headers, query, body: &body })
    });
    match served {
        Err(error @ Error::Internal(_)) => Err(error),
        Err(error) => Ok(api.refuse_error(&error)),
        Ok(response) => Ok(response),
    }
}

fn json(argument: &'static str, value: Option<Jsonb>, most: usize) -> Result<Value> {
    let Some(value) = value else { return Ok(Value::Null) };
    serde_json::from_str(&value.read(argument, most)?.text())
        .map_err(|_| Error::invalid(argument, "is nested too deeply"))
}

/// An object of texts, as gateways have headers and queries: names in lower case, the first of several values.
fn texts(argument: &'static str, value: Option<Jsonb>) -> Result<Map<String, Value>> {
    let texts = match json(argument, value, HEADERS_BYTES)? {
        Value::Null => Map::new(),
        Value::Object(members) => members,
        _ => return Err(Error::invalid(argument, "must be a JSON object")),
    };
    let first = |value: Value| match value {
        Value::Array(values) => values.into_iter().next().unwrap_or_default(),
        value => value,
    };
    Ok(texts.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), first(value))).collect())
}

fn serve(api: &Api, route: &Route, caller: &Caller, request: &HttpRequest) -> Result<HttpResponse> {
    if caller.kind == Kind::Publishable && !route.publishable {
        return Err(Error::NotAllowed { http: true });
    }
    let tenant = caller.tenant;
    let operation = match (route.read)(request) {
        Ok(operation) => operation,
        Err(error) => return Ok(api.refuse_reading(&error)),
    };
    let outcome = match operation {
        Operation::Create(create) => match create.scenario {
            // It ends the session, which is for servers.
            Some(_) if caller.kind == Kind::Publishable => return Err(Error::NotAllowed { http: true }),
            Some(_) if tenant.environment == Environment::Live => {
                return Err(Error::invalid("X-Scenario-Key", "is for the test environment only"));
            }
            Some(Scenario::Error(status)) => return Ok(api.refuse(status, "Simulated error")),
            _ => serve_create(api, caller, *create, request)?,
        },
        Operation::Get(lookup) => Outcome::Found(Box::new(view(tenant, find(tenant, &lookup)?)?)),
        Operation::List(asked) => serve_list(tenant, &asked)?,
        Operation::Expire(id) => {
            operations::expire(tenant, id)?;
            Outcome::Found(Box::new(view(tenant, id)?))
        }
        Operation::PaymentMethods(id) => Outcome::PaymentMethods(Box::new(view(tenant, id)?)),
    };
    let mut response = (api.answer)(&outcome);
    if matches!(outcome, Outcome::Created { replayed: true, .. }) {
        response.headers.push(("Idempotent-Replayed", "true".to_owned()));
    }
    Ok(response)
}

/// Who asks: the API key of the request, or who the caller of the function is anyway.
fn caller(headers: &Map<String, Value>) -> Result<Caller> {
    if let Some(key) = http_credential::api_key(headers)? {
        let credential = as_worker_role(|| credential_of(key, true))?.ok_or(Error::InvalidApiKey)?;
        tenant::establish(&credential, Lasting::Subtransaction)?;
    } else if headers.contains_key("authorization") {
        return Err(Error::InvalidApiKey);
    }
    tenant::caller()
}

fn view(tenant: Tenant, id: uuid::Uuid) -> Result<dialects::SessionView> {
    sessions::view(tenant, id, datum::now())
}

fn find(tenant: Tenant, lookup: &Lookup) -> Result<uuid::Uuid> {
    match lookup {
        Lookup::Id(id) => Ok(*id),
        Lookup::IdOrReference(text) => match uuid::Uuid::try_parse(text) {
            Ok(id) if sessions::exists(tenant, id)? => Ok(id),
            _ => sessions::find_reference(tenant, text)?.ok_or_else(|| Error::NoSuchSession { id: (*text).to_owned() }),
        },
    }
}

fn serve_create(api: &Api, caller: &Caller, create: Create, request: &HttpRequest) -> Result<Outcome> {
    let metadata = create
        .metadata
        .map(|metadata| Json::from_text(&Value::Object(metadata).to_string())?.check_metadata())
        .transpose()?;
    let idempotency_key = create.idempotency_key.or(http_credential::idempotency_key(request.headers)?);
    let mut order = create.order;
    order.api = Some(api.name);
    order.scenario = request.header("x-scenario-key");
    let (amount, currency_code) = (order.amount, order.currency_code);
    order.trace_id = order.trace_id.or(http_credential::trace_id(request.headers));
    let Created { id, replayed, .. } = operations::create(caller, &api.policy, order, metadata, idempotency_key)?;
    if let (Some(scenario), false) = (create.scenario, replayed) {
        play(caller.tenant, id, scenario)?;
    }
    let session = Box::new(view(caller.tenant, id)?);
    // The organization's reference policy has found one; it may be of another API, and of another price.
    if replayed && (amount != Some(session.amount) || currency_code != Some(session.currency_code.as_str())) {
        return Err(Error::ReferenceTaken { fault: "reference has an open checkout session of another amount" });
    }
    Ok(Outcome::Created { session, replayed })
}

/// Has a new session end as its creator wants it to.
fn play(tenant: Tenant, id: uuid::Uuid, scenario: Scenario) -> Result<()> {
    let mut attempt = 0;
    let mut pay = |outcome| {
        attempt += 1;
        let payment_id = format!("scenario_{}_{attempt}", id.simple());
        payments::record(tenant, id, &Reported::new(&payment_id, outcome)).map(|_| ())
    };
    match scenario {
        Scenario::Complete => pay(PaymentOutcome::Succeeded),
        Scenario::Fail => {
            for _ in 0..=validate::MAXIMUM_RETRY_ATTEMPTS {
                if view(tenant, id)?.status != Status::Open {
                    break;
                }
                pay(PaymentOutcome::Failed)?;
            }
            Ok(())
        }
        Scenario::Expire => operations::expire(tenant, id).map(|_| ()),
        Scenario::Error(_) => Ok(()),
    }
}

fn serve_list(tenant: Tenant, asked: &List) -> Result<Outcome> {
    if let Some(cursor) = asked.starting_after
        && !sessions::exists(tenant, cursor)?
    {
        return Err(Error::CursorNotFound { argument: "starting_after", what: "checkout session" });
    }
    let filter = Filter {
        status: asked.status,
        customer_id: asked.customer_id,
        payment_id: asked.payment_id,
        starting_after: asked.starting_after,
        // One more than asked for tells whether there are more.
        page_size: asked.page_size + 1,
        page_offset: asked.page_offset,
        ..Filter::default()
    };
    let mut sessions = list::views(tenant, &filter, datum::now())?;
    let more = sessions.len() > usize::try_from(asked.page_size).unwrap_or(usize::MAX);
    if more {
        sessions.pop();
    }
    Ok(Outcome::Listed { sessions, more })
}
