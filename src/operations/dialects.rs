//! Answers HTTP requests in the format of a dialect.

use rules::access::credential::Kind;
use rules::access::http_credential;
use rules::checkout::scenario;
use rules::checkout::settings::Settings;
use rules::checkout::status::Status;
use rules::dialects::{
    self, Create, Dialect, HttpRequest, HttpResponse, List, Lookup, Operation, Route, SessionView, cors,
};
use rules::{Error, Result, validate};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::credentials;
use crate::datum::{self, Json, Text};
use crate::operations::{scenarios, sessions};
use crate::report;
use crate::role::as_worker_role;
use crate::store::list::{self, Filter};
use crate::store::{self, references, subtransaction};
use crate::tenant::{self, Caller, Lasting, Tenant};

/// Several times the size of the largest request that the dialects allow.
const BODY_BYTES: usize = 256 * 1024;

/// The answer to a request, without a body for HEAD. Every error has the dialect's shape.
pub fn answer(
    dialect: &Dialect,
    method: &str,
    path: &str,
    headers: &Map<String, Value>,
    query: &Map<String, Value>,
    body: Option<Text>,
) -> Result<HttpResponse> {
    if method.eq_ignore_ascii_case("OPTIONS")
        && let Some(response) = cors::options(dialect, path, headers)
    {
        return Ok(response);
    }
    let mut response = routed(dialect, method, path, headers, query, body)?;
    if method.eq_ignore_ascii_case("HEAD") {
        response.body.clear();
    }
    Ok(response)
}

fn routed(
    dialect: &Dialect,
    method: &str,
    path: &str,
    headers: &Map<String, Value>,
    query: &Map<String, Value>,
    body: Option<Text>,
) -> Result<HttpResponse> {
    let (route, parameters) = match dialects::route(dialect, method, path) {
        Ok(found) => found,
        Err(response) => return Ok(response),
    };
    // What a browser is told once the organization is known, also of a refusal.
    let mut for_browsers = cors::headers(route, headers, &[]);
    let served = subtransaction::undone_if_refused(|| {
        let caller = caller(headers)?;
        let settings = store::settings::of(caller.tenant)?;
        if route.publishable {
            for_browsers = cors::headers(route, headers, &settings.allowed_origins);
        }
        // Only after the caller is known.
        let body = match body.map_or(Ok(Value::Null), read_body) {
            Ok(body) => body,
            Err(error) => return Ok(refuse_reading(dialect, &error)),
        };
        let request = HttpRequest { parameters, headers, query, body: &body, uses_catalog: settings.uses_catalog };
        // Noted as long as the caller's credential counts.
        Exchange { dialect, caller: &caller, settings: &settings, request: &request }.serve(route).inspect_err(note)
    });
    let mut response = match served {
        // A fault of the server is for its log, and no answer of a dialect.
        Err(error @ (Error::Internal(_) | Error::StoredTextNotUtf8)) => return Err(error),
        Err(error) => dialect.refuse_error(&error),
        Ok(response) => response,
    };
    response.headers.append(&mut for_browsers);
    Ok(response)
}

/// Refuses a request that cannot be read, in the dialect's words.
fn refuse_reading(dialect: &Dialect, error: &Error) -> HttpResponse {
    note(error);
    dialect.refuse_reading(error)
}

fn note(error: &Error) {
    // A fault of the server is raised, and noted then.
    if !matches!(error, Error::Internal(_) | Error::StoredTextNotUtf8) {
        report::note_refused("handle_request", error);
    }
}

fn read_body(body: Text) -> Result<Value> {
    dialects::read_body(body.read_up_to("body", BODY_BYTES)?)
}

/// The caller: the holder of the request's API key, or else the caller of the function.
fn caller(headers: &Map<String, Value>) -> Result<Caller> {
    if let Some(key) = http_credential::api_key(headers)? {
        let credential = as_worker_role(|| credentials::of_api_key(key, true))?.ok_or(Error::InvalidApiKey)?;
        tenant::establish(&credential, Lasting::Subtransaction)?;
    } else if headers.contains_key("authorization") {
        return Err(Error::InvalidApiKey);
    }
    tenant::caller()
}

/// A request of a known caller.
struct Exchange<'a> {
    dialect: &'a Dialect,
    caller: &'a Caller,
    settings: &'a Settings,
    request: &'a HttpRequest<'a>,
}

impl<'a> Exchange<'a> {
    fn serve(&self, route: &Route) -> Result<HttpResponse> {
        let may = match self.caller.kind {
            Kind::Secret => true,
            Kind::Restricted => route.operation.only_reads(),
            Kind::Publishable => route.publishable,
        };
        if !may {
            return Err(Error::NotAllowed { kind: self.caller.kind });
        }
        let tenant = self.caller.tenant;
        if self.settings.strict_parameters
            && let Err(error) = dialects::unknown_parameter(route, self.request)
        {
            return Ok(refuse_reading(self.dialect, &error));
        }
        match &route.operation {
            Operation::Create { read, answer } => self.having_read(*read, |create| self.create(create, *answer)),
            Operation::Get { read, answer } => self.having_read(*read, |lookup| {
                let id = find(tenant, &lookup)?;
                let page = if self.caller.kind.may_act() { Some(store::settings::page(tenant, id)?) } else { None };
                let session = store::sessions::get_again(tenant, id, datum::now(), false, page.as_ref())?;
                Ok(answer(&session.view()?))
            }),
            Operation::List { read, answer } => self.having_read(*read, |asked| {
                let (mut sessions, more) = list_page(tenant, &asked)?;
                // The lists of the documents have the page of each session.
                for session in sessions.iter_mut().filter(|session| session.status == Status::Open) {
                    if self.caller.kind.may_act() {
                        session.url = store::settings::page(tenant, session.checkout_session_id)?.url;
                    }
                }
                Ok(answer(&sessions, more))
            }),
            Operation::Expire { read, answer } => {
                self.having_read(*read, |id| Ok(answer(&sessions::expire(tenant, id)?.view()?)))
            }
        }
    }

    /// Does what a request asks for. A request that cannot be read is refused in its dialect's words.
    fn having_read<T>(
        &self,
        read: impl FnOnce(&'a HttpRequest<'a>) -> Result<T>,
        serve: impl FnOnce(T) -> Result<HttpResponse>,
    ) -> Result<HttpResponse> {
        match read(self.request) {
            Ok(asked) => serve(asked),
            Err(error) => Ok(refuse_reading(self.dialect, &error)),
        }
    }

    fn create(&self, create: Create, answer: fn(&SessionView) -> HttpResponse) -> Result<HttpResponse> {
        let metadata = create
            .metadata
            .map(|metadata| Json::from_text("metadata", &Value::Object(metadata).to_string())?.check_metadata())
            .transpose()?;
        let headers = self.request.headers;
        let idempotency_key = create.idempotency_key.or(http_credential::idempotency_key(headers)?);
        let mut order = create.order;
        order.dialect = Some(self.dialect.name);
        order.scenario = self.request.header(scenario::HEADER)?;
        order.trace_id = validate::label(order.trace_id)
            .or(http_credential::trace_id(headers))
            .or(http_credential::request_id(headers));
        let policy = &self.dialect.policy;
        let created = scenarios::create(self.caller, policy, order, metadata, idempotency_key, create.scenario)?;
        let mut response = answer(&created.session.view()?);
        if created.replayed {
            response.headers.push(("Idempotent-Replayed", "true".to_owned()));
        }
        Ok(response)
    }
}

fn find(tenant: Tenant, lookup: &Lookup) -> Result<Uuid> {
    match lookup {
        Lookup::Id(id) => Ok(*id),
        Lookup::IdOrReference(text) => match Uuid::try_parse(text) {
            Ok(id) if store::sessions::exists(tenant, id)? => Ok(id),
            _ => references::find(tenant, text)?.ok_or_else(|| Error::NoSuchSession { id: (*text).to_owned() }),
        },
    }
}

/// The sessions of a page, and whether more follow.
fn list_page(tenant: Tenant, asked: &List) -> Result<(Vec<SessionView>, bool)> {
    if let Some(cursor) = asked.starting_after
        && !store::sessions::exists(tenant, cursor)?
    {
        return Err(Error::CursorNotFound { argument: "starting_after", what: "checkout session" });
    }
    let filter = Filter {
        status: asked.status,
        customer_id: asked.customer_id,
        payment_id: asked.payment_id,
        starting_after: asked.starting_after,
        // One more than the page holds, to learn whether more follow.
        page_size: asked.page_size + 1,
        page_offset: asked.page_offset,
        ..Filter::default()
    };
    let mut sessions = list::list_again(tenant, &filter, datum::now())?;
    let more = sessions.len() > usize::try_from(asked.page_size).unwrap_or(usize::MAX);
    if more {
        sessions.pop();
    }
    Ok((sessions.iter().map(|session| session.view()).collect::<Result<_>>()?, more))
}
