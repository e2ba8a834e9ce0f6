//! Scenarios: what a buyer and a payment provider might do with a session, played in the test environment.
//!
//! Source of the header `X-Scenario-Key`: Flutterwave, `POST /checkout/sessions`, "to simulate specific behaviors". The
//! words are ours.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::session::Session;
use super::status::Status;
use crate::access::credential::Environment;
use crate::access::http_credential;
use crate::{Error, Result, validate};

pub const HEADER: &str = "X-Scenario-Key";
/// Source: Flutterwave, as above.
const HEADER_CHARACTERS: (usize, usize) = (1, 1_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario<'a> {
    /// The session is paid.
    Complete,
    /// Its payments fail until the session has failed.
    Fail,
    /// One attempt fails with this code.
    Decline(&'a str),
    /// The session expires, and then its money comes.
    Late,
    /// The session is paid, and then again.
    Twice,
    /// Another amount is paid than the session's.
    WrongAmount,
    /// A payment begins; the next time it succeeds.
    Slow,
    Expire,
    /// The session is paid, and all of it returned.
    Refund,
    /// The request is answered with this status, and nothing happens.
    Error(u16),
}

/// One thing that happens in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    Begin,
    /// The payment in progress succeeds, or else the next one.
    Succeed,
    /// As often as the session has attempts left.
    FailAll,
    Fail {
        code: Option<&'a str>,
    },
    Expire,
    /// A payment of its own, by this word in its id, brings money that the session cannot accept.
    SucceedAsWell(&'static str),
    SucceedWithMore,
    Refund,
}

impl<'a> Scenario<'a> {
    /// Reads a scenario. The error names the words.
    pub fn parse(argument: &'static str, text: &'a str) -> Result<Self> {
        let words =
            "must be complete, fail, decline:<code>, late, twice, wrong_amount, slow, expire, refund or error:<status>";
        match text {
            "complete" => Ok(Self::Complete),
            "fail" => Ok(Self::Fail),
            "late" => Ok(Self::Late),
            "twice" => Ok(Self::Twice),
            "wrong_amount" => Ok(Self::WrongAmount),
            "slow" => Ok(Self::Slow),
            "expire" => Ok(Self::Expire),
            "refund" => Ok(Self::Refund),
            other => match other.split_once(':') {
                Some(("decline", code)) if !code.trim().is_empty() => {
                    validate::text(argument, code, validate::SHORT_TEXT)
                        .map(Self::Decline)
                        .map_err(|_| Error::invalid(argument, words))
                }
                Some(("error", digits)) if digits.starts_with(['4', '5']) && digits.len() == 3 => {
                    digits.parse().map(Self::Error).map_err(|_| Error::invalid(argument, words))
                }
                _ => Err(Error::invalid(argument, words)),
            },
        }
    }

    /// The scenario that the headers of a request ask for; names in lower case.
    pub fn of_headers(headers: &'a serde_json::Map<String, serde_json::Value>) -> Result<Option<Self>> {
        let Some(text) = http_credential::header(headers, HEADER)? else { return Ok(None) };
        let (least, most) = HEADER_CHARACTERS;
        if !(least..=most).contains(&text.chars().count()) {
            return Err(Error::invalid(HEADER, format!("must have between {least} and {most} characters")));
        }
        Self::parse(HEADER, text).map(Some)
    }

    /// What happens to a session as it stands at `now`: nothing, if the scenario has led there before.
    pub fn steps(self, session: &Session, now: DateTime<Utc>) -> Result<Vec<Step<'a>>> {
        let status = session.effective_status(now);
        Ok(match (self, status) {
            (Self::Error(status), _) => return Err(Error::Simulated { status }),
            (Self::Expire, _) => vec![Step::Expire],
            (Self::Complete | Self::Slow, Status::Complete) | (Self::Fail, Status::Failed) => vec![],
            (Self::Complete, Status::Open) => vec![Step::Succeed],
            (Self::Fail, Status::Open) => vec![Step::FailAll],
            (Self::Decline(code), Status::Open) => vec![Step::Fail { code: Some(code) }],
            (Self::Late, Status::Open) => vec![Step::Expire, Step::SucceedAsWell("late")],
            (Self::Late, Status::Expired) => vec![Step::SucceedAsWell("late")],
            (Self::Twice, Status::Open) => vec![Step::Succeed, Step::SucceedAsWell("twice")],
            (Self::Twice, Status::Complete) => vec![Step::SucceedAsWell("twice")],
            (Self::WrongAmount, Status::Open) => vec![Step::SucceedWithMore],
            (Self::Slow, Status::Open) if session.live_lease(now).is_some() => vec![Step::Succeed],
            (Self::Slow, Status::Open) => vec![Step::Begin],
            (Self::Refund, Status::Open) => vec![Step::Succeed, Step::Refund],
            (Self::Refund, Status::Complete) => vec![Step::Refund],
            _ => return Err(Error::SessionNotOpen { status: status.as_str() }),
        })
    }
}

/// The id of the payment by which a session is paid. It is another one after each failed attempt, and the same until then.
pub fn payment_id(id: Uuid, session: &Session) -> String {
    format!("simulated_{}_{}", id.simple(), session.attempts + 1)
}

/// The id of a payment or refund that a scenario makes once.
pub fn id_of(id: Uuid, word: &str) -> String {
    format!("simulated_{}_{word}", id.simple())
}

/// Refuses a caller in the live environment: nobody has paid.
pub fn check_environment(environment: Environment) -> Result<()> {
    match environment {
        Environment::Test => Ok(()),
        Environment::Live => Err(Error::TestEnvironmentOnly),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::super::session::samples::*;
    use super::*;

    #[test]
    fn a_scenario_is_a_word_with_a_code_if_it_needs_one() {
        let parse = |text| Scenario::parse("scenario", text);
        assert_eq!(parse("complete"), Ok(Scenario::Complete));
        assert_eq!(parse("decline:insufficient_funds"), Ok(Scenario::Decline("insufficient_funds")));
        assert_eq!(parse("decline:a:b"), Ok(Scenario::Decline("a:b")));
        assert_eq!(parse("error:503"), Ok(Scenario::Error(503)));
        let long = format!("decline:{}", "x".repeat(256));
        for wrong in
            ["", "Complete", " complete", "decline", "decline:", "decline: ", &long, "error:200", "error:+50", "slow:1"]
        {
            let error = parse(wrong).expect_err("refused");
            assert_eq!(error.sqlstate(), "22023", "{wrong}");
            assert!(error.to_string().contains("wrong_amount"), "{error}");
        }
    }

    #[test]
    fn a_request_asks_for_one_in_a_header() {
        let of = |headers: serde_json::Value| {
            let headers = headers.as_object().expect("an object").clone();
            Scenario::of_headers(&headers).map(|found| found.map(|scenario| format!("{scenario:?}")))
        };
        assert_eq!(of(json!({})), Ok(None));
        assert_eq!(of(json!({"x-scenario-key": "late"})), Ok(Some("Late".into())));
        for wrong in ["", "s", &"s".repeat(1_001)] {
            assert_eq!(of(json!({"x-scenario-key": wrong})).expect_err("refused").sqlstate(), "22023");
        }
    }

    #[test]
    fn what_has_happened_does_not_happen_again() {
        let complete = Session { status: Status::Complete, ..open() };
        for (scenario, session) in [
            (Scenario::Complete, complete.clone()),
            (Scenario::Slow, complete),
            (Scenario::Fail, Session { status: Status::Failed, ..open() }),
        ] {
            assert_eq!(scenario.steps(&session, now()), Ok(vec![]), "{scenario:?}");
        }
    }

    #[test]
    fn a_slow_payment_begins_and_then_succeeds() {
        assert_eq!(Scenario::Slow.steps(&open(), now()), Ok(vec![Step::Begin]));
        assert_eq!(Scenario::Slow.steps(&leased(now() + TimeDelta::minutes(1)), now()), Ok(vec![Step::Succeed]));
        assert_eq!(Scenario::Slow.steps(&leased(now()), now()), Ok(vec![Step::Begin]), "its lease has ended");
    }

    #[test]
    fn money_is_late_when_the_clock_says_so() {
        assert_eq!(Scenario::Late.steps(&open(), now()), Ok(vec![Step::Expire, Step::SucceedAsWell("late")]));
        for expired in [overdue(), swept()] {
            assert_eq!(Scenario::Late.steps(&expired, now()), Ok(vec![Step::SucceedAsWell("late")]));
        }
    }

    #[test]
    fn a_scenario_fits_the_state_of_its_session() {
        use Scenario::*;
        let refused = |scenario: Scenario, status| {
            scenario.steps(&Session { status, ..open() }, now())
                == Err(crate::Error::SessionNotOpen { status: status.as_str() })
        };
        for scenario in [Complete, Fail, Decline("x"), Late, Twice, WrongAmount, Slow, Refund] {
            assert!(!refused(scenario, Status::Open), "{scenario:?}");
            let of_complete = matches!(scenario, Complete | Twice | Slow | Refund);
            assert_eq!(refused(scenario, Status::Complete), !of_complete, "{scenario:?}");
            assert_eq!(refused(scenario, Status::Failed), scenario != Fail, "{scenario:?}");
            assert_eq!(refused(scenario, Status::Expired), scenario != Late, "{scenario:?}");
        }
        assert_eq!(Error(503).steps(&open(), now()), Err(crate::Error::Simulated { status: 503 }));
    }

    #[test]
    fn each_attempt_is_a_payment_of_its_own() {
        let id = Uuid::from_u128(7);
        let first = payment_id(id, &open());
        assert_eq!(first, "simulated_00000000000000000000000000000007_1");
        assert_ne!(payment_id(id, &Session { attempts: 1, ..open() }), first);
    }
}
