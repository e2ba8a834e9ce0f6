//! The consumer that gets the events. It exists while the program runs.

use rules::validate::SHORT_TEXT;
use url::Url;
use uuid::Uuid;

use crate::api_key::Holder;
use crate::database_error::DatabaseError;
use crate::sqlx::postgres::PgRow;
use crate::sqlx::{self, Row};

// Of one that was killed, the events that wait are dropped with it: nobody listened.
const DELETE: &str = "SELECT count(checkout.delete_webhook_consumer(c.name, discard_undelivered => true))
    FROM checkout.list_webhook_consumers() AS c WHERE c.name = $1 AND ($2 IS NULL OR c.webhook_consumer_id = $2)";
const CREATE: &str = "SELECT webhook_consumer_id FROM checkout.create_webhook_consumer($1, $2)";
const FIND: &str = "SELECT webhook_consumer_id FROM checkout.list_webhook_consumers() WHERE name = $1";
// Longer than the forwarding of so many events.
const CLAIM: &str = "SELECT event_id, event_type, body, lease_token
    FROM checkout.claim_webhook_events($1, batch_size => 10, lease => '10 minutes')";
const ACKNOWLEDGE: &str = "SELECT checkout.ack_webhook_events($1, ARRAY[$2], $3)";
const PUT_OFF: &str = "SELECT status FROM checkout.nack_webhook_event($1, $2, $3, $4, retry_after => '5 seconds')";

pub struct Event {
    pub id: String,
    pub event_type: String,
    pub body: String,
    lease_token: Uuid,
}

pub struct Consumer {
    holder: Holder,
    name: String,
    id: Uuid,
}

impl Consumer {
    /// Registers the consumer, in the place of an earlier one of its name.
    pub async fn register(mut holder: Holder, name: String, events: Vec<String>) -> Result<Self, DatabaseError> {
        let registered = holder.transaction(async |transaction| {
            sqlx::query(DELETE).bind(&name).bind(None::<Uuid>).execute(&mut *transaction).await?;
            sqlx::query_scalar(CREATE).bind(&name).bind(events).fetch_one(transaction).await
        });
        let id = registered.await?;
        Ok(Self { holder, name, id })
    }

    /// Claims events; `None` if the consumer is gone, or another has its name.
    pub async fn claim(&mut self) -> Result<Option<Vec<Event>>, DatabaseError> {
        let Self { holder, name, id } = self;
        let claimed = holder.transaction(async |transaction| {
            let found: Option<Uuid> = sqlx::query_scalar(FIND).bind(&*name).fetch_optional(&mut *transaction).await?;
            if found != Some(*id) {
                return Ok(None);
            }
            let rows = sqlx::query(CLAIM).bind(&*name).fetch_all(transaction).await?;
            rows.iter().map(event).collect::<sqlx::Result<_>>().map(Some)
        });
        claimed.await
    }

    pub async fn acknowledge(&mut self, event: &Event) -> Result<(), DatabaseError> {
        let Self { holder, name, .. } = self;
        let query = sqlx::query(ACKNOWLEDGE).bind(&*name).bind(&event.id).bind(event.lease_token);
        holder.transaction(async |transaction| query.execute(transaction).await.map(|_| ())).await
    }

    /// Returns true if the event comes again.
    pub async fn put_off(&mut self, event: &Event, error: &str) -> Result<bool, DatabaseError> {
        let Self { holder, name, .. } = self;
        let query = sqlx::query_scalar(PUT_OFF).bind(&*name).bind(&event.id).bind(event.lease_token).bind(error);
        let status: String = holder.transaction(async |transaction| query.fetch_one(transaction).await).await?;
        Ok(status != "dead")
    }

    /// Deletes it, unless another has its name by now.
    pub async fn delete(mut self) -> Result<(), DatabaseError> {
        let query = sqlx::query(DELETE).bind(&self.name).bind(Some(self.id));
        self.holder.transaction(async |transaction| query.execute(transaction).await.map(|_| ())).await
    }
}

fn event(row: &PgRow) -> sqlx::Result<Event> {
    let [id, event_type, body] = ["event_id", "event_type", "body"].map(|name| row.try_get(name));
    Ok(Event { id: id?, event_type: event_type?, body: body?, lease_token: row.try_get("lease_token")? })
}

/// The same for the same command on the same machine. So a start takes the place of one that was killed, and commands for
/// two servers get all events each. Without the query, which may have a token.
pub fn name_of(machine: &str, forward_to: &Url) -> String {
    let mut url = forward_to.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that have no host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    format!("listen on {machine}: {url}").chars().take(SHORT_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_commands_apart_and_no_secrets() {
        let name = |url: &str| name_of("laptop", &Url::parse(url).expect("a URL"));
        assert_eq!(name("http://me:pw@localhost:3000/a?token=t#f"), "listen on laptop: http://localhost:3000/a");
        assert_ne!(name("http://localhost:3000/a"), name("http://localhost:3001/a"));
        assert_eq!(name(&format!("http://localhost/{}", "x".repeat(999))).chars().count(), SHORT_TEXT);
    }
}
