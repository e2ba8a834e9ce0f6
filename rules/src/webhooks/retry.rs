//! The times at which an undelivered event is tried again.
//!
//! Source: Standard Webhooks 1.0.0, "Deliverability and reliability": the delays of its suggested schedule, with jitter.

use chrono::TimeDelta;

/// The number of attempts that a consumer gets before the event is dead.
pub const MAXIMUM_DELIVERY_ATTEMPTS: i32 = 10;

/// Seconds from a failed attempt to the next.
const DELAYS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The delay after the failed attempt with this number (from 1), or `None` when it was the last.
///
/// `chance` is in 0..1 and moves the delay by up to a fifth either way, so that events that failed together are not
/// retried together.
pub fn delay_after(attempt: i32, chance: f64) -> Option<TimeDelta> {
    if attempt >= MAXIMUM_DELIVERY_ATTEMPTS {
        return None;
    }
    let index = usize::try_from(attempt - 1).unwrap_or(0).min(DELAYS.len() - 1);
    let milliseconds = DELAYS[index] as f64 * 1_000.0 * (0.8 + 0.4 * chance.clamp(0.0, 1.0));
    Some(TimeDelta::milliseconds(milliseconds as i64))
}

/// A random number in 0..1.
pub fn chance() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_over_three_days() {
        let delays: Vec<_> = (1..).map_while(|attempt| delay_after(attempt, 0.5)).collect();
        assert_eq!(delays.len(), 9);
        let total: TimeDelta = delays.iter().sum();
        assert_eq!(total, TimeDelta::minutes(75 * 60 + 35) + TimeDelta::seconds(5));
        assert!(delays.is_sorted());
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(delay_after(1, 0.0), Some(TimeDelta::seconds(4)));
        assert_eq!(delay_after(1, 1.0), Some(TimeDelta::seconds(6)));
        assert_eq!(delay_after(10, 0.5), None);
    }
}
