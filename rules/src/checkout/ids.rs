//! The ids of sessions: UUIDv7 (RFC 9562), so that their order is that of creation.

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// A new id for a session that is created now; in order even within a millisecond.
pub fn session_id(created_at: DateTime<Utc>) -> Uuid {
    thread_local! {
        static CONTEXT: ContextV7 = const { ContextV7::new() };
    }
    let seconds = u64::try_from(created_at.timestamp()).unwrap_or(0);
    CONTEXT.with(|context| Uuid::new_v7(Timestamp::from_unix(context, seconds, created_at.timestamp_subsec_nanos())))
}

/// Returns true if the id belongs to a session that was created in this millisecond.
pub fn is_of(id: Uuid, created_at: DateTime<Utc>) -> bool {
    least_session_id(created_at).is_some_and(|least| id.as_bytes()[..6] == least.as_bytes()[..6])
}

/// The smallest id of a session created in this millisecond or later, so that a search by time can use the key. `None`
/// after the year 10889, when the 48 bits of milliseconds are used up.
pub fn least_session_id(at: DateTime<Utc>) -> Option<Uuid> {
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or(0).to_be_bytes();
    if milliseconds[..2] != [0, 0] {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&milliseconds[2..]);
    Some(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 123_456_000).expect("in range")
    }

    #[test]
    fn ids_are_in_order_of_creation() {
        let ids: Vec<_> = (0..1000).map(|_| session_id(now())).collect();
        assert!(ids.is_sorted());
        let later = session_id(now() + TimeDelta::milliseconds(1));
        assert!(ids[999] < later);
        assert!(is_of(ids[0], now()) && !is_of(later, now()));
        let least = |at| least_session_id(at).expect("before 10889");
        assert!(least(now()) <= ids[0]);
        assert!(least(now() + TimeDelta::milliseconds(1)) <= later);
        assert!(least(now() + TimeDelta::milliseconds(1)) > ids[999]);
        assert_eq!(least(DateTime::from_timestamp(-1, 0).expect("in range")), Uuid::nil());
        assert_eq!(least_session_id(DateTime::<Utc>::MAX_UTC), None);
    }
}
