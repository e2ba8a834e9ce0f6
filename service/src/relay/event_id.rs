//! Reads the id of an event, which holds its key in the database.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Compares as the database's own functions lock: whoever locks in another order may wait in a circle with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey {
    pub organization_id: Uuid,
    /// Of live or test.
    environment: u8,
    session_id: Uuid,
    sequence: i32,
}

impl EventKey {
    /// `None`: a later version of the extension may have other ids.
    pub fn of(event_id: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(event_id.strip_prefix("evt_")?).ok()?;
        let (session_id, rest) = bytes.split_first_chunk()?;
        let (organization_id, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let [environment @ (b'l' | b't')] = rest else { return None };
        Some(Self {
            organization_id: Uuid::from_bytes(*organization_id),
            environment: *environment,
            session_id: Uuid::from_bytes(*session_id),
            sequence: i32::from_be_bytes(*sequence),
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// As the database makes them.
    pub fn event_id(organization: u128, environment: u8, session: u128, sequence: i32) -> String {
        let mut bytes = Vec::new();
        bytes.extend(session.to_be_bytes());
        bytes.extend(organization.to_be_bytes());
        bytes.extend(sequence.to_be_bytes());
        bytes.push(environment);
        format!("evt_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn an_id_of_the_database_is_understood() {
        // SELECT checkout_data.event_id('00000000-0000-0000-0000-00000000000f', 'test', 'ffffffff-...-ffffffffffff', 7)
        let id = "evt______________________wAAAAAAAAAAAAAAAAAAAA8AAAAHdA";
        assert_eq!(id, event_id(15, b't', u128::MAX, 7));
        let key = EventKey::of(id).expect("understood");
        assert_eq!(key.organization_id, Uuid::from_u128(15));
        assert_eq!((key.environment, key.session_id, key.sequence), (b't', Uuid::max(), 7));
    }

    #[test]
    fn keys_are_in_the_order_of_locks() {
        let ids = [
            event_id(1, b'l', 9, 9),
            event_id(1, b't', 1, 2),
            event_id(1, b't', 1, 10),
            event_id(1, b't', 2, 1),
            event_id(2, b'l', 1, 1),
        ];
        assert!(ids.iter().map(|id| EventKey::of(id).expect("understood")).is_sorted());
    }

    #[test]
    fn what_is_no_such_id_is_none() {
        let long = format!("{}AAAA", event_id(1, b'l', 1, 1));
        for id in ["", "evt_", "evt_1", "evt_ä", &event_id(1, b'x', 1, 1), &long, &event_id(1, b'l', 1, 1)[4..]] {
            assert_eq!(EventKey::of(id), None, "{id}");
        }
    }
}
