//! The dialects: the checkout-session APIs of five payment companies, served as they are documented.
//!
//! Each file is one dialect: it reads its requests and writes its answers. It only maps between an HTTP exchange and
//! the words of `checkout`.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::checkout::order::Order;
use crate::checkout::policy::Policy;
pub use crate::checkout::scenario::Scenario;
use crate::checkout::status::Status;
pub use crate::checkout::view::SessionView;
use crate::webhooks::event::EventType;
use crate::{Error, Result};

pub mod cors;
mod events;
mod flutterwave;
mod http;
mod kobo;
mod lomi;
mod paygate;
mod read;
mod router;
mod strict;
#[cfg(test)]
mod testing;
mod time;
mod write;
mod yuno;

pub use events::asks_for;
pub use http::{HttpRequest, HttpResponse, read_body};
pub use router::{find, route, session_id};
pub use strict::unknown_parameter;
pub use write::{event, to_text};

pub struct Dialect {
    pub name: &'static str,
    pub policy: Policy,
    pub routes: &'static [Route],
    /// Writes a session's id.
    pub id: fn(Uuid) -> String,
    /// The arguments that errors name, and the dialect's own names for them.
    pub arguments: &'static [(&'static str, &'static str)],
    /// A session as JSON text, in the form of the dialect's answers and events.
    pub session: fn(&SessionView) -> String,
    /// The events that the dialect's readers know by another name: ours, and theirs. All others keep our names.
    pub events: &'static [(EventType, EventType)],
    /// The body of an error: its status and a message.
    pub error: fn(u16, &str) -> String,
    /// The dialect's own sentence for an error, if its document fixes one.
    pub sentence: fn(&Error) -> Option<String>,
}

/// A method, a path with parameters as `:names`, and the operation.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub operation: Operation,
    /// Publishable keys may use it, too: it is for browsers.
    pub publishable: bool,
    /// The names that it reads in the body. Those of a member's own members have its name and a dot before them; what is
    /// in any other member is the caller's.
    pub body: &'static [&'static str],
    /// The names that it reads in the query.
    pub query: &'static [&'static str],
}

type Read<T> = for<'a> fn(&'a HttpRequest<'a>) -> Result<T>;
type Answer = fn(&SessionView) -> HttpResponse;

/// An operation: how its request is read, and how the dialect answers it.
pub enum Operation {
    Create { read: for<'a> fn(&'a HttpRequest<'a>) -> Result<Create<'a>>, answer: Answer },
    Get { read: for<'a> fn(&'a HttpRequest<'a>) -> Result<Lookup<'a>>, answer: Answer },
    List { read: for<'a> fn(&'a HttpRequest<'a>) -> Result<List<'a>>, answer: AnswerList },
    Expire { read: Read<Uuid>, answer: Answer },
}

impl Operation {
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::List { .. })
    }
}

/// The sessions of a page, and whether more follow.
type AnswerList = fn(&[SessionView], bool) -> HttpResponse;

pub struct Create<'a> {
    pub order: Order<'a>,
    pub metadata: Option<Map<String, Value>>,
    pub idempotency_key: Option<&'a str>,
    pub scenario: Option<Scenario<'a>>,
}

/// How to look up a session.
pub enum Lookup<'a> {
    Id(Uuid),
    /// By its id if the text is the id of a session, else by its reference. In this order, because anyone with a
    /// publishable key can choose a reference, but no caller can choose an id.
    IdOrReference(&'a str),
}

#[derive(Default)]
pub struct List<'a> {
    /// Sessions in any of these statuses; in every status if it is empty.
    pub status: &'static [Status],
    pub customer_id: Option<&'a str>,
    pub payment_id: Option<&'a str>,
    pub starting_after: Option<Uuid>,
    pub page_size: i32,
    pub page_offset: i32,
}
