//! `checkout-sessions trigger`: plays the buyer and the payment provider with one session.

use clap::Args;
use uuid::Uuid;

use crate::api_key::{Holder, KeyOptions, refusal};
use crate::run_error::RunError;
use crate::runtime;
use crate::sqlx::{self, Row};

const SIMULATE: &str = "SELECT status, payment_status FROM checkout.simulate_payment($1, $2)";

/// Simulates a payment of a session in the test environment
///
/// Connects as a role with request access: SELECT checkout.grant_access('web', 'request'). Exit status: 0 done; 1 refused,
/// or the database could not be reached; 2 wrong arguments.
#[derive(Clone, Args)]
pub struct Options {
    /// The session's checkout_session_id, a UUID (checkout.session_id('cs_...') makes it of the id in a dialect)
    #[arg(value_name = "SESSION")]
    session: Uuid,

    /// complete, fail, decline:CODE, late, twice, wrong_amount, slow, expire or refund
    #[arg(value_name = "SCENARIO")]
    scenario: String,

    #[command(flatten)]
    key: KeyOptions,
}

pub fn start(options: Options) -> Result<(), RunError> {
    runtime::run(1, run(options))
}

async fn run(Options { session, scenario, key }: Options) -> Result<(), RunError> {
    let mut holder = Holder::new(&key, "checkout-sessions-trigger")?;
    let simulated = holder.transaction(async |transaction| {
        let row = sqlx::query(SIMULATE).bind(session).bind(&scenario).fetch_one(transaction).await?;
        Ok((row.try_get::<String, _>("status")?, row.try_get::<String, _>("payment_status")?))
    });
    let (status, payment_status) = simulated.await.map_err(refusal)?;
    println!("Trigger succeeded! Checkout session {session} is {status}, {payment_status}");
    Ok(())
}
