//! Which sites may show the buyer's page of a session in a frame.

use std::time::Duration;

use moka::future::Cache;
use url::Url;
use uuid::Uuid;

use crate::gateway::connections::Connections;
use crate::sqlx;

const MOST_KEPT: u64 = 10_000;
const KEPT_FOR: Duration = Duration::from_secs(10);
const ASK: &str = "SELECT embedding_origins FROM checkout.page_policy($1)";

pub struct PagePolicies(Cache<Uuid, String>);

impl PagePolicies {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_KEPT).time_to_live(KEPT_FOR).build())
    }

    /// The value of frame-ancestors. Nobody, if the database cannot be asked.
    pub async fn frame_ancestors(&self, session: &str, connections: &Connections) -> String {
        let Ok(session) = Uuid::try_parse(session) else { return nobody() };
        let ask = async {
            let mut connection = connections.acquire().await.ok()?;
            let origins: Option<Vec<String>> =
                sqlx::query_scalar(ASK).bind(session).fetch_one(&mut *connection).await.ok()?;
            Some(written(&origins.unwrap_or_default()))
        };
        self.0.optionally_get_with(session, ask).await.unwrap_or_else(nobody)
    }
}

fn nobody() -> String {
    "'none'".to_owned()
}

/// Only origins: nothing else may get into the header.
fn written(origins: &[String]) -> String {
    let origins: Vec<String> = origins.iter().filter_map(|origin| origin_of(origin)).collect();
    if origins.is_empty() { nobody() } else { origins.join(" ") }
}

fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_get_into_the_header() {
        let header = |origins: &[&str]| written(&origins.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>());
        assert_eq!(header(&[]), "'none'");
        assert_eq!(header(&["https://a.example", "http://localhost:3000"]), "https://a.example http://localhost:3000");
        assert_eq!(header(&["*", "'self'", "javascript:x", "https://a.example/;script-src *"]), "https://a.example");
    }
}
