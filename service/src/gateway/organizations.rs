//! The organizations of API keys, for the log.

use std::time::Duration;

use moka::future::Cache;
use rules::access::api_key::Digest;
use rules::access::http_credential;
use serde_json::{Map, Value};
use tokio::time::timeout;
use uuid::Uuid;

use crate::gateway::connections::Connections;
use crate::gateway::credential::ApiKey;
use crate::sqlx;

const MOST_KEPT: u64 = 10_000;
/// A key never changes its organization; this lets revoked ones go.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// The answer is there, and waits for this.
const PATIENCE: Duration = Duration::from_millis(200);
const ORGANIZATION: &str = "SELECT organization_id FROM checkout.authenticate($1)";

pub struct Organizations(Cache<Digest, Uuid>);

impl Organizations {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_KEPT).time_to_live(KEPT_FOR).build())
    }

    /// Asks once for each key. `None`: the key is not valid, or cannot be looked up now.
    pub async fn of(&self, key: &ApiKey, headers: &Map<String, Value>, connections: &Connections) -> Option<Uuid> {
        let text = http_credential::api_key(headers).ok()??;
        let ask = async {
            let mut connection = connections.acquire().await.ok()?;
            sqlx::query_scalar(ORGANIZATION).bind(text).fetch_one(&mut *connection).await.ok()
        };
        let found = self.0.optionally_get_with(key.digest, ask);
        timeout(PATIENCE, found).await.ok().flatten()
    }
}
