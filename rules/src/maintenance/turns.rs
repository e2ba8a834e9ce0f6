//! The turns of organizations with due work: none waits for more than about one batch of another's.
//!
//! Due work is done in order of time, a portion at a time. If a portion is not enough, the organization with most of it
//! has fallen behind. The others go on without it, and it gets portions of its own, in turns with them and with any
//! other that has fallen behind. Each continues from its own place, so that no portion passes over rows that others
//! have passed over.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The size of a portion before it is known which organization has many rows, and how many rows each session writes.
const FIRST_PORTION: usize = 100;
/// An organization with one in `SHARE` rows of a portion has fallen behind if the portion was not enough.
const SHARE: usize = 20;

pub const BEGINNING: DateTime<Utc> = DateTime::UNIX_EPOCH;

#[derive(Debug)]
pub struct Turns {
    /// All work that was due until then is done, except for locked rows and for organizations that have fallen behind.
    done_to: DateTime<Utc>,
    portion: usize,
    behind: VecDeque<Behind>,
    /// True if it is the turn of the organizations that have fallen behind.
    their_turn: bool,
    /// True if the last portion was not enough.
    full: bool,
}

#[derive(Debug)]
struct Behind {
    organization_id: Uuid,
    from: DateTime<Utc>,
    portion: usize,
}

/// The next work: that which has been due since `from`, in order of time.
#[derive(Debug, PartialEq, Eq)]
pub struct Portion {
    pub from: DateTime<Utc>,
    pub limit: usize,
    /// The organizations that the portion consists of, or that it leaves out.
    pub organizations: Vec<Uuid>,
    pub theirs_alone: bool,
}

/// The work that was done.
#[derive(Debug, Default)]
pub struct Done {
    pub sessions: usize,
    pub deliveries: usize,
    /// The organization with most of it, how many rows, and the latest time at which these were due.
    pub most: Option<(Uuid, usize, DateTime<Utc>)>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { done_to: BEGINNING, portion: FIRST_PORTION, behind: VecDeque::new(), their_turn: false, full: false }
    }
}

impl Turns {
    /// The next portion, in which at most `batch` rows are to be written. `news` is the earliest time at which new work
    /// may have become due, after that time was done.
    pub fn next(&self, news: DateTime<Utc>, batch: usize) -> Portion {
        match self.behind.front() {
            Some(behind) if self.their_turn => Portion {
                from: behind.from,
                limit: behind.portion.clamp(1, batch),
                organizations: vec![behind.organization_id],
                theirs_alone: true,
            },
            _ => Portion {
                from: self.done_to.min(news),
                limit: self.portion.clamp(1, batch),
                organizations: self.behind.iter().map(|behind| behind.organization_id).collect(),
                theirs_alone: false,
            },
        }
    }

    /// Notes the result of a portion of the work that was due at `now`.
    pub fn note(&mut self, portion: &Portion, done: &Done, batch: usize, now: DateTime<Utc>) {
        self.full = done.sessions >= portion.limit;
        let (sessions, rows) = (done.sessions.max(1), (done.sessions + done.deliveries).max(1));
        let next_portion = (batch * sessions / rows).max(1);
        let fallen_behind = match done.most {
            Some((organization_id, count, until)) if self.full && count * SHARE >= portion.limit => {
                Some(Behind { organization_id, from: until, portion: next_portion })
            }
            _ => None,
        };
        if portion.theirs_alone {
            self.behind.pop_front();
            self.their_turn = false;
        } else if self.full {
            self.done_to = portion.from;
            self.portion = (portion.limit * 2).min(next_portion);
            self.their_turn = false;
        } else {
            self.done_to = now;
            self.portion = FIRST_PORTION;
            self.their_turn = true;
        }
        self.behind.extend(fallen_behind);
    }

    /// Returns true if more work is known to be due.
    pub fn more(&self) -> bool {
        self.full || !self.behind.is_empty()
    }

    pub fn done_to(&self) -> DateTime<Utc> {
        self.done_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const C: Uuid = Uuid::from_u128(3);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap_or_default()
    }

    /// Does one portion of `due`. Returns the organizations of its sessions.
    fn step(turns: &mut Turns, due: &mut Vec<(Uuid, i64)>, deliveries: usize, batch: usize, now: i64) -> Vec<Uuid> {
        due.sort_by_key(|(_, second)| *second);
        let portion = turns.next(at(now), batch);
        let mut taken = Vec::new();
        due.retain(|(who, second)| {
            let chosen = portion.organizations.contains(who) == portion.theirs_alone
                && at(*second) >= portion.from
                && *second <= now
                && taken.len() < portion.limit;
            if chosen {
                taken.push((*who, *second));
            }
            !chosen
        });
        let of = |who: Uuid| taken.iter().filter(move |taken| taken.0 == who);
        let most = [A, B, C]
            .into_iter()
            .max_by_key(|who| of(*who).count())
            .and_then(|who| Some((who, of(who).count(), at(of(who).next_back()?.1))));
        let done = Done { sessions: taken.len(), deliveries: taken.len() * deliveries, most };
        turns.note(&portion, &done, batch, at(now));
        taken.into_iter().map(|(who, _)| who).collect()
    }

    fn many(who: Uuid, count: usize) -> Vec<(Uuid, i64)> {
        (0..count).map(|n| (who, n as i64 / 100)).collect()
    }

    #[test]
    fn what_is_due_of_one_does_not_hold_up_another() {
        let mut due = many(A, 40_000);
        due.push((B, 500));
        let mut turns = Turns::default();
        assert_eq!(step(&mut turns, &mut due, 0, 1_000, 1_000), [A; 100]);
        assert_eq!(step(&mut turns, &mut due, 0, 1_000, 1_000), [B]);
        assert_eq!(step(&mut turns, &mut due, 0, 1_000, 1_000), [A; 1_000]);
        due.push((B, 1_001));
        assert_eq!(step(&mut turns, &mut due, 0, 1_000, 1_001), [B]);
        while turns.more() {
            step(&mut turns, &mut due, 0, 1_000, 1_001);
        }
        assert!(due.is_empty(), "{due:?}");
    }

    #[test]
    fn those_that_have_fallen_behind_take_turns() {
        let mut due = [many(A, 3_000), many(B, 3_000)].concat();
        due.extend((0..3_000).map(|_| (C, 900)));
        let mut turns = Turns::default();
        let mut order = Vec::new();
        while turns.more() || order.is_empty() {
            order.extend(step(&mut turns, &mut due, 0, 500, 1_000).first().copied());
        }
        assert!(due.is_empty(), "{due:?}");
        let first_of_c = order.iter().position(|who| *who == C);
        assert!(first_of_c.is_some_and(|at| at <= 3), "{order:?}");
        let last_of_a = order.iter().rposition(|who| *who == A);
        assert!(last_of_a > order.iter().rposition(|who| *who == C).map(|at| at - 4), "{order:?}");
    }

    #[test]
    fn deliveries_count() {
        let mut due = many(A, 2_000);
        let mut turns = Turns::default();
        assert_eq!(step(&mut turns, &mut due, 16, 1_000, 1_000).len(), 100);
        assert_eq!(step(&mut turns, &mut due, 16, 1_000, 1_000).len(), 0);
        assert_eq!(step(&mut turns, &mut due, 16, 1_000, 1_000).len(), 58);
    }

    #[test]
    fn a_crowd_of_small_ones_is_done_in_its_order() {
        let crowd = |n: usize| Uuid::from_u128(n as u128);
        let mut turns = Turns::default();
        let portion = turns.next(BEGINNING, 1_000);
        let done = Done { sessions: 100, deliveries: 0, most: Some((crowd(7), 1, at(5))) };
        turns.note(&portion, &done, 1_000, at(9));
        assert_eq!(turns.next(at(9), 1_000).limit, 200);
        assert!(turns.next(at(9), 1_000).organizations.is_empty());
        assert!(turns.more());
    }

    #[test]
    fn what_comes_late_is_looked_for_where_it_is() {
        let mut turns = Turns::default();
        let portion = turns.next(at(7), 1_000);
        assert_eq!(portion.from, BEGINNING);
        turns.note(&portion, &Done::default(), 1_000, at(9));
        assert!(!turns.more());
        assert_eq!(turns.next(at(20), 1_000).from, at(9));
        assert_eq!(turns.next(at(3), 1_000).from, at(3));
    }
}
