//! The id of a webhook event: the same in every delivery, unique over all organizations, and made of the event's key, so
//! that nothing has to be looked up to find it. Opaque to consumers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId {
    pub organization_id: Uuid,
    pub environment: &'static str,
    pub checkout_session_id: Uuid,
    pub sequence: i32,
}

const PREFIX: &str = "evt_";
/// `checkout_data.event_id()` writes the same: session, organization, sequence, environment.
const LENGTH: usize = 16 + 16 + 4 + 1;

impl EventId {
    pub fn parse(argument: &'static str, text: &str) -> Result<Self> {
        Self::decode(text).ok_or_else(|| Error::Malformed { argument, fault: "is not an event id".into() })
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; LENGTH] = bytes.try_into().ok()?;
        Some(Self {
            checkout_session_id: Uuid::from_slice(&bytes[..16]).ok()?,
            organization_id: Uuid::from_slice(&bytes[16..32]).ok()?,
            sequence: i32::from_be_bytes(bytes[32..36].try_into().ok()?),
            environment: match bytes[36] {
                b'l' => "live",
                b't' => "test",
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_the_key_of_their_event() {
        let mut bytes = vec![1; 16];
        bytes.extend([2; 16]);
        bytes.extend(7_i32.to_be_bytes());
        bytes.push(b't');
        let text = format!("evt_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(
            EventId::parse("event_id", &text),
            Ok(EventId {
                checkout_session_id: Uuid::from_bytes([1; 16]),
                organization_id: Uuid::from_bytes([2; 16]),
                sequence: 7,
                environment: "test",
            })
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "evt_", "evt_AAAA", "018f", "evt_!!!!", &format!("evt_{}", "A".repeat(50))] {
            let error = EventId::parse("event_ids", text).expect_err(text);
            assert_eq!(error.sqlstate(), "22P02", "{text}");
        }
    }
}
