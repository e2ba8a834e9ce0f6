//! The events of the outbox as the readers of a dialect's document know them.
//!
//! Sources: "Webhooks" of lomi.africa and "Webhook Events" of PayGate name checkout.session.completed and
//! checkout.session.expired, and no other. The other three documents name no events.

use super::{Dialect, router};
use crate::webhooks::endpoint;

impl Dialect {
    /// The name of an event in this dialect.
    pub fn event_type<'e>(&self, event_type: &'e str) -> &'e str {
        let theirs = self.events.iter().find(|(ours, _)| ours.as_str() == event_type);
        theirs.map_or(event_type, |(_, theirs)| theirs.as_str())
    }
}

/// Returns true if an event goes to an endpoint that asks for these events and has its bodies in this format: if it asks
/// for it by the name in the body, or by ours. The canonical format has our names.
pub fn asks_for(event_types: &[&str], body_format: &str, event_type: &str) -> bool {
    let matches = |name| endpoint::matches(event_types.iter().copied(), name);
    matches(event_type) || router::find(body_format).is_ok_and(|dialect| matches(dialect.event_type(event_type)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::event::EventType;

    const FORMATS: [&str; 6] = ["canonical", "kobo", "lomi", "paygate", "flutterwave", "yuno"];
    const COMPLETED: &str = "checkout.session.completed";
    const EXPIRED: &str = "checkout.session.expired";
    const FAILED: &str = "checkout.session.failed";

    #[test]
    fn a_failed_session_is_expired_where_the_document_knows_no_other_word() {
        for format in FORMATS {
            let renamed = matches!(format, "lomi" | "paygate");
            assert_eq!(asks_for(&[COMPLETED, EXPIRED], format, FAILED), renamed, "{format}");
            let Ok(dialect) = router::find(format) else { continue };
            for event in EventType::ALL {
                let theirs = if renamed && event == EventType::Failed { EXPIRED } else { event.as_str() };
                assert_eq!(dialect.event_type(event.as_str()), theirs, "{format}");
            }
        }
    }

    #[test]
    fn an_endpoint_of_any_format_gets_what_it_asks_for_by_our_names() {
        for format in FORMATS.into_iter().chain(["xml"]) {
            for event in EventType::ALL.map(EventType::as_str) {
                assert!(asks_for(&["*"], format, event), "{format} {event}");
                assert!(asks_for(&[event], format, event), "{format} {event}");
                let another = event != EXPIRED && !(event == FAILED && matches!(format, "lomi" | "paygate"));
                assert_eq!(asks_for(&[EXPIRED], format, event), !another, "{format} {event}");
            }
            assert!(!asks_for(&[FAILED], format, EXPIRED), "{format}");
            assert!(!asks_for(&[COMPLETED], format, FAILED), "{format}");
        }
    }
}
