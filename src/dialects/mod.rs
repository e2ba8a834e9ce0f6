//! The five dialects, served as they are documented.
//!
//! Each file is one API: what its requests ask for, and how its answers look. They are pure mappings between an HTTP
//! exchange and the words of `domain`: no SQL, no Postgres types. What is done about a request is `api::dialects`'s.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::Error;
use crate::domain::policy::Policy;
use crate::domain::session::Order;
use crate::domain::status::Status;
pub use crate::domain::view::SessionView;

mod flutterwave;
mod http;
mod kobo;
mod lomi;
mod paygate;
mod read;
mod router;
mod scenario;
#[cfg(test)]
mod testing;
mod write;
mod yuno;

pub use http::{HttpRequest, HttpResponse};
pub use router::{find, route};
pub use scenario::Scenario;
pub use write::{event, to_text};

/// What a dialect is made of.
pub struct Api {
    pub name: &'static str,
    pub policy: Policy,
    pub routes: &'static [Route],
    /// How it writes a session's id.
    pub id: fn(Uuid) -> String,
    /// How it calls the arguments that the domain's errors name, where it calls them otherwise.
    pub arguments: &'static [(&'static str, &'static str)],
    pub answer: fn(&Outcome) -> HttpResponse,
    /// A session as JSON text, as the API's answers and events show it.
    pub session: fn(&SessionView) -> String,
    /// Its body for an error: the status and a message in its own words.
    pub error: fn(u16, &str) -> String,
}

/// A method, a path whose `:names` are parameters, and what they ask for.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub read: for<'a> fn(&'a HttpRequest<'a>) -> Result<Operation<'a>, Error>,
    /// Whether a publishable key may.
    pub publishable: bool,
}

/// What a request asks for.
pub enum Operation<'a> {
    Create(Box<Create<'a>>),
    Get(Lookup<'a>),
    List(List<'a>),
    Expire(Uuid),
    PaymentMethods(Uuid),
}

pub struct Create<'a> {
    pub order: Order<'a>,
    pub metadata: Option<Map<String, Value>>,
    pub idempotency_key: Option<&'a str>,
    pub scenario: Option<Scenario>,
}

/// How a session is found.
pub enum Lookup<'a> {
    Id(Uuid),
    /// By its id, where the text is that of a session; else by its reference. In this order, because anybody with a
    /// publishable key can choose a reference, and nobody an id.
    IdOrReference(&'a str),
}

#[derive(Default)]
pub struct List<'a> {
    /// Any of these; every status where there is none.
    pub status: &'static [Status],
    pub customer_id: Option<&'a str>,
    pub payment_id: Option<&'a str>,
    pub starting_after: Option<Uuid>,
    pub page_size: i32,
    pub page_offset: i32,
}

/// What was done.
pub enum Outcome {
    /// `replayed`: the same idempotency key had made it before.
    Created {
        session: Box<SessionView>,
        replayed: bool,
    },
    Found(Box<SessionView>),
    PaymentMethods(Box<SessionView>),
    /// `more`: there are sessions beyond this page.
    Listed {
        sessions: Vec<SessionView>,
        more: bool,
    },
}
