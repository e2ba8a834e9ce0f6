//! What a merchant's developer does: each transaction presents an API key.

use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use crate::database::Connection;
use crate::database_error::DatabaseError;
use crate::database_url::connect_options;
use crate::options::DatabaseOptions;
use crate::run_error::RunError;
use crate::servers::Servers;
use crate::sqlx::{self, Connection as _, PgConnection};

const TIMEOUT: Duration = Duration::from_secs(30);
const AUTHENTICATE: &str = "SELECT environment FROM checkout.authenticate($1)";

#[derive(Clone, Args)]
#[command(next_help_heading = "Database and API key")]
pub struct KeyOptions {
    /// A secret API key of the test environment (sk_test_...). Put it into the environment: others see arguments
    #[arg(long, value_name = "KEY", env = "CHECKOUT_SESSIONS_API_KEY", hide_env_values = true)]
    pub api_key: String,

    #[command(flatten)]
    pub database: DatabaseOptions,
}

/// The holder of an API key, connected as a role with request access. No `Debug`: it would show the key.
pub struct Holder {
    servers: Servers,
    api_key: String,
    connection: Option<Connection>,
}

impl Holder {
    pub fn new(options: &KeyOptions, application_name: &str) -> Result<Self, RunError> {
        let url = options.database.database_url.as_deref();
        let servers = connect_options(url, application_name).map_err(|error| RunError::Usage(error.into()))?;
        Ok(Self { servers, api_key: options.api_key.clone(), connection: None })
    }

    /// Does `work` in a transaction with the key's rights. After an error there is a new connection.
    pub async fn transaction<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, DatabaseError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.servers).await?,
        };
        let done = timeout(TIMEOUT, async {
            let mut transaction = connection.inner.begin().await?;
            sqlx::query(AUTHENTICATE).bind(&self.api_key).execute(&mut *transaction).await?;
            let done = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(done)
        });
        let done = done.await.map_err(|_| DatabaseError::Timeout)??;
        self.connection = Some(connection);
        Ok(done)
    }

    /// The environment of the key: live or test.
    pub async fn environment(&mut self) -> Result<String, DatabaseError> {
        let environment = "SELECT checkout.current_environment()";
        self.transaction(async |transaction| sqlx::query_scalar(environment).fetch_one(transaction).await).await
    }
}

/// Why a subcommand ends: the database's own words, if it has refused something.
pub fn refusal(error: DatabaseError) -> RunError {
    match error {
        DatabaseError::Sql(sqlx::Error::Database(refused)) => RunError::Failed(refused.message().to_owned()),
        error => error.into(),
    }
}
