//! Hooks: functions of an organization's own that are called when its sessions end or are refunded.

use crate::webhooks::event::EventType;
use crate::{Error, Result};

/// How deep hooks may call one another: what a hook does may end another session, which has a hook.
pub const DEEPEST: usize = 4;
/// The most that is kept of an error's message.
const MESSAGE_BYTES: usize = 1024;

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookEvent {
    Completed,
    Expired,
    Failed,
    Refunded,
}

impl HookEvent {
    pub const ALL: [Self; 4] = [Self::Completed, Self::Expired, Self::Failed, Self::Refunded];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
        }
    }

    /// Reads the argument `event`.
    pub fn parse(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|event| event.as_str() == text);
        known.ok_or_else(|| Error::invalid("event", "must be completed, expired, failed or refunded"))
    }

    /// The hook of an event, if there can be one.
    pub fn of(event: EventType) -> Option<Self> {
        match event {
            EventType::Completed => Some(Self::Completed),
            EventType::Expired => Some(Self::Expired),
            EventType::Failed => Some(Self::Failed),
            EventType::Refunded => Some(Self::Refunded),
            _ => None,
        }
    }
}

/// A function that is called at an event. It is called only while it has this owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub event: HookEvent,
    pub schema: String,
    pub function: String,
    pub owner: String,
    /// The name of the function, as SQL reads it.
    pub name: String,
}

impl Hook {
    /// A hook as it is stored: event, schema, function, owner, and the name of the function as SQL reads it.
    pub fn stored(parts: &[String]) -> Option<Self> {
        let [event, schema, function, owner, name] = parts else { return None };
        Some(Self {
            event: HookEvent::parse(event).ok()?,
            schema: schema.clone(),
            function: function.clone(),
            owner: owner.clone(),
            name: name.clone(),
        })
    }
}

/// Why a call ends a session, or tells of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody has asked for it. Where hooks are required, a failing hook refuses the call.
    Call,
    /// It has happened: money was paid or returned, or the clock has ended the session. Nothing refuses it.
    Fact,
}

/// What a hook has failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub sqlstate: String,
    pub message: String,
}

impl Failure {
    pub fn new(sqlstate: impl Into<String>, message: &str) -> Self {
        let mut end = message.len().min(MESSAGE_BYTES);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        Self { sqlstate: sqlstate.into(), message: message[..end].to_owned() }
    }

    pub fn too_deep() -> Self {
        Self::new("54001", &format!("hooks call one another more than {DEEPEST} deep"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_for_ends_and_refunds() {
        let hooked: Vec<_> = EventType::ALL.into_iter().filter_map(HookEvent::of).collect();
        assert_eq!(hooked, HookEvent::ALL);
        for event in HookEvent::ALL {
            assert_eq!(HookEvent::parse(event.as_str()), Ok(event));
        }
        assert_eq!(HookEvent::parse("created").map_err(|error| error.sqlstate()), Err("22023"));
    }

    #[test]
    fn a_hook_has_an_event_and_a_function() {
        let parts = ["expired", "shop", "release", "shop_hooks", "shop.release"].map(str::to_owned);
        let hook = Hook::stored(&parts).expect("a hook");
        assert_eq!((hook.event, hook.name.as_str()), (HookEvent::Expired, "shop.release"));
        assert_eq!(Hook::stored(&parts[..4]), None);
        assert_eq!(Hook::stored(&[&["opened".to_owned()], &parts[1..]].concat()), None);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        for message in ["é".repeat(2_000), format!("a{}", "é".repeat(2_000)), "short".to_owned(), String::new()] {
            let failure = Failure::new("P0001", &message);
            assert!(failure.message.len() <= MESSAGE_BYTES && message.starts_with(&failure.message));
            assert!(failure.message.len() + 1 >= MESSAGE_BYTES.min(message.len()));
        }
    }
}
