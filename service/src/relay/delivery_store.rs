//! The deliveries in PostgreSQL: one function for each statement.

use std::sync::Arc;
use std::time::Duration;

use crate::servers::Servers;
use crate::sqlx::postgres::PgRow;
use crate::sqlx::{self, Row, raw_sql};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::Connection;
use crate::database_error::DatabaseError;
use crate::health::Health;
use crate::relay::attempt::Attempt;
use crate::relay::consequence::Consequence;
use crate::relay::delivery::{Delivery, DeliveryKey, Recorded};
use crate::relay::metrics::Metrics;
use crate::relay::recorder::AttemptStore;
use crate::relay::response::beginning;

/// The time limit for many rows: enough for short transactions, but not for one that an operator has left open.
const GROUP_PATIENCE: &str = "SET lock_timeout = '500ms'";
/// The time limit for one row: it is tried again, and keeps others waiting meanwhile.
const SINGLE_PATIENCE: &str = "SET lock_timeout = '50ms'";
/// A little longer than the server's own limit, which is the better way to end a statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

const CLAIM: &str =
    "SELECT event_id, webhook_endpoint_id, organization_id, url, headers::text, body, attempt, lease_token, to_localhost
    FROM checkout.claim_webhook_deliveries($1, make_interval(secs => $2), $3, $4, $5)";

const RECORD: &str =
    "SELECT event_id, webhook_endpoint_id, status FROM checkout.record_webhook_attempts($1::text::jsonb)";

const RELEASE: &str =
    "SELECT count(*) FILTER (WHERE checkout.release_webhook_delivery(a.event_id, a.endpoint, a.token))
    FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS a (event_id, endpoint, token)";

/// By the server's clock, so the relay's does not matter.
const NEXT: &str = "SELECT (extract(epoch FROM at) - extract(epoch FROM clock_timestamp()))::float8
    FROM checkout.next_webhook_attempt_at(coalesce(clock_timestamp() - make_interval(secs => $1), '-infinity')) AS at";

const RANGES: &str = "SELECT coalesce(current_setting('checkout_sessions.webhook_allowed_ranges', true), '')";

/// The role of a store's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Claims,
    Records,
}

impl Purpose {
    /// The name by which the health check knows the connection.
    fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Records => "records",
        }
    }
}

/// Holds a connection. After an error it makes a new one when it is needed.
pub struct DeliveryStore {
    purpose: Purpose,
    servers: Servers,
    connection: Option<Connection>,
    /// The lock timeout that was set last on this connection.
    patience: Option<&'static str>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl DeliveryStore {
    pub fn new(purpose: Purpose, servers: Servers, health: Arc<Health>, metrics: Arc<Metrics>) -> Self {
        Self { purpose, servers, connection: None, patience: None, health, metrics }
    }

    /// Returns true if the next statement makes a connection first.
    pub fn is_new(&self) -> bool {
        self.connection.is_none()
    }

    pub async fn claim(
        &mut self,
        count: usize,
        lease: Duration,
        per_endpoint: u32,
        in_flight: Vec<Uuid>,
        except_organizations: Vec<Uuid>,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        let query = sqlx::query(CLAIM)
            .bind(i32::try_from(count).unwrap_or(i32::MAX))
            .bind(lease.as_secs_f64())
            .bind(i32::try_from(per_endpoint).unwrap_or(i32::MAX))
            .bind(in_flight)
            .bind(except_organizations);
        let mut connection = self.take().await?;
        let rows = timeout(STATEMENT_TIMEOUT, query.fetch_all(&mut connection.inner)).await;
        let deliveries = self.settle(connection, rows)?.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        self.health.works(self.purpose.name());
        self.metrics.claims.inc();
        self.metrics.claimed.inc_by(deliveries.len() as u64);
        Ok(deliveries)
    }

    async fn be_patient(&mut self, patience: &'static str) -> Result<(), DatabaseError> {
        // A new connection has the server's.
        let mut connection = self.take().await?;
        if self.patience == Some(patience) {
            self.connection = Some(connection);
            return Ok(());
        }
        let set = timeout(STATEMENT_TIMEOUT, raw_sql(patience).execute(&mut connection.inner)).await;
        self.settle(connection, set)?;
        self.patience = Some(patience);
        Ok(())
    }

    /// Returns in how many seconds the next work is due (that was not due `since` ago). A negative number means now;
    /// `None`: nothing is scheduled.
    pub async fn next_due(&mut self, since: Option<Duration>) -> Result<Option<f64>, DatabaseError> {
        let query = sqlx::query_scalar(NEXT).bind(since.map(|since| since.as_secs_f64()));
        let mut connection = self.take().await?;
        let next = timeout(STATEMENT_TIMEOUT, query.fetch_one(&mut connection.inner)).await;
        self.settle(connection, next)
    }

    /// Returns the setting. A session knows it only after calling a function of the extension.
    pub async fn allowed_ranges(&mut self) -> Result<String, DatabaseError> {
        self.next_due(Some(Duration::ZERO)).await?;
        let mut connection = self.take().await?;
        let ranges = timeout(STATEMENT_TIMEOUT, sqlx::query_scalar(RANGES).fetch_one(&mut connection.inner)).await;
        self.settle(connection, ranges)
    }

    async fn take(&mut self) -> Result<Connection, DatabaseError> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_current().await.map_err(|error| self.failed(error))?
        {
            return Ok(connection);
        }
        self.patience = None;
        Connection::open(&self.servers).await.map_err(|error| self.failed(error))
    }

    /// Keeps the connection if it is still good. After an error that another connection may not have, it is closed.
    fn settle<T, E>(&mut self, connection: Connection, answer: Result<sqlx::Result<T>, E>) -> Result<T, DatabaseError> {
        let answer = answer.map_or(Err(DatabaseError::Timeout), |answer| answer.map_err(DatabaseError::from));
        match answer {
            Ok(answer) => {
                self.connection = Some(connection);
                self.health.answered();
                Ok(answer)
            }
            Err(error) if is_about_a_delivery(&error) => {
                self.connection = Some(connection);
                match self.purpose {
                    Purpose::Claims => Err(self.failed(error)),
                    // The error is about a delivery, so attempts can be recorded.
                    Purpose::Records => {
                        self.health.works(self.purpose.name());
                        Err(error)
                    }
                }
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: DatabaseError) -> DatabaseError {
        self.health.failed(self.purpose.name(), &error);
        self.metrics.database_errors.inc();
        error
    }
}

impl AttemptStore for DeliveryStore {
    async fn record(&mut self, attempts: &[(&DeliveryKey, &Attempt)]) -> Result<Vec<Recorded>, DatabaseError> {
        self.be_patient(if attempts.len() > 1 { GROUP_PATIENCE } else { SINGLE_PATIENCE }).await?;
        let query = sqlx::query(RECORD).bind(reports(attempts));
        let mut connection = self.take().await?;
        let rows = timeout(STATEMENT_TIMEOUT, query.fetch_all(&mut connection.inner)).await;
        let rows = self.settle(connection, rows)?;
        self.health.works(self.purpose.name());
        let recorded = |row: &PgRow| {
            let [event_id, status] = ["event_id", "status"].map(|name| row.try_get(name));
            Ok(Recorded {
                event_id: event_id?,
                webhook_endpoint_id: row.try_get("webhook_endpoint_id")?,
                status: status?,
            })
        };
        Ok(rows.iter().map(recorded).collect::<Result<_, sqlx::Error>>()?)
    }

    async fn release(&mut self, keys: &[DeliveryKey]) -> Result<u64, DatabaseError> {
        let query = sqlx::query_scalar::<_, i64>(RELEASE)
            .bind(keys.iter().map(|key| key.event_id.clone()).collect::<Vec<_>>())
            .bind(keys.iter().map(|key| key.webhook_endpoint_id).collect::<Vec<_>>())
            .bind(keys.iter().map(|key| key.lease_token).collect::<Vec<_>>());
        self.be_patient(GROUP_PATIENCE).await?;
        let mut connection = self.take().await?;
        let count = timeout(STATEMENT_TIMEOUT, query.fetch_one(&mut connection.inner)).await;
        let count = self.settle(connection, count)?;
        self.health.works(self.purpose.name());
        Ok(count.unsigned_abs())
    }
}

fn is_about_a_delivery(error: &DatabaseError) -> bool {
    matches!(Consequence::from(error), Consequence::Argument | Consequence::Busy)
}

/// Attempts as JSON. jsonb has no NUL characters.
fn reports(attempts: &[(&DeliveryKey, &Attempt)]) -> String {
    let report = |(key, attempt): &(&DeliveryKey, &Attempt)| {
        json!({
            "event_id": key.event_id,
            "webhook_endpoint_id": key.webhook_endpoint_id.to_string(),
            "lease_token": key.lease_token.to_string(),
            "status_code": attempt.status,
            "error": attempt.error.as_deref().map(beginning),
            "duration": attempt.duration.as_secs_f64(),
            "response_body": attempt.response_body.as_deref().map(beginning),
            "retry_after": attempt.retry_after.map(|wait| wait.as_secs_f64()),
        })
    };
    attempts.iter().map(report).collect::<Value>().to_string()
}

fn delivery(row: &PgRow) -> Result<Delivery, sqlx::Error> {
    let key = DeliveryKey {
        event_id: row.try_get("event_id")?,
        webhook_endpoint_id: row.try_get("webhook_endpoint_id")?,
        lease_token: row.try_get("lease_token")?,
    };
    let [url, headers, body] = ["url", "headers", "body"].map(|name| row.try_get(name));
    Ok(Delivery {
        key,
        organization_id: row.try_get("organization_id")?,
        url: url?,
        headers: headers?,
        body: body?,
        attempt: row.try_get("attempt")?,
        to_this_machine: row.try_get("to_localhost")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::attempt::{Outcome, SendError};

    #[test]
    fn reports_have_what_the_database_asks_for_and_no_nul_characters() {
        let key = DeliveryKey {
            event_id: "evt_1".into(),
            webhook_endpoint_id: Uuid::from_u128(1),
            lease_token: Uuid::from_u128(2),
        };
        let failed = Attempt::from(SendError::new(Outcome::Closed, "closed\0 \u{1}\""));
        let answered = Attempt {
            status: Some(503),
            error: None,
            duration: Duration::from_millis(1500),
            response_body: Some("é".repeat(2000)),
            retry_after: Some(Duration::from_secs(120)),
            ..failed.clone()
        };
        let text = reports(&[(&key, &failed), (&key, &answered)]);
        assert!(!text.contains("\\u0000"), "{text}");
        let report = |status_code, error, duration, response_body, retry_after| {
            json!({
                "event_id": "evt_1",
                "webhook_endpoint_id": "00000000-0000-0000-0000-000000000001",
                "lease_token": "00000000-0000-0000-0000-000000000002",
                "status_code": status_code,
                "error": error,
                "duration": duration,
                "response_body": response_body,
                "retry_after": retry_after,
            })
        };
        let none = Value::Null;
        let expected = json!([
            report(none.clone(), json!("closed \u{1}\""), 0.0, none.clone(), none.clone()),
            report(json!(503), none, 1.5, json!("é".repeat(1000)), json!(120.0)),
        ]);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), expected);
    }
}
