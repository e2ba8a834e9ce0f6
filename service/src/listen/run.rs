//! Forwards events until it is told to stop.

use std::io;
use std::time::Duration;

use rules::webhooks::endpoint::secret_of;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::api_key::{Holder, refusal};
use crate::back_off::BackOff;
use crate::database_error::DatabaseError;
use crate::listen::consumer::{Consumer, Event, name_of};
use crate::listen::forwarder::Forwarder;
use crate::listen::options::Options;
use crate::listen::screen;
use crate::run_error::RunError;
use crate::shutdown::stop_at_signal;
use crate::{runtime, sqlx};

/// How often to look for events.
const POLL: Duration = Duration::from_millis(300);

pub fn start(options: Options) -> Result<(), RunError> {
    runtime::run(4, run(options))
}

async fn run(options: Options) -> Result<(), RunError> {
    let name = name_of(&machine(), &options.forward_to);
    // The same after a restart, so that the server that gets the events can keep it.
    let secret = secret_of(&options.key.api_key, &name);
    let forwarder = Forwarder::new(options.forward_to, options.signature_scheme, secret).map_err(RunError::Failed)?;
    let mut holder = Holder::new(&options.key, "checkout-sessions-listen")?;
    if holder.environment().await.map_err(refusal)? != "test" {
        return Err(RunError::Usage("the API key is of the live environment: take one of the test environment".into()));
    }
    let stop = CancellationToken::new();
    stop_at_signal(stop.clone(), "the event that is being forwarded")?;
    let mut consumer = Consumer::register(holder, name, options.events).await.map_err(refusal)?;
    let listened = match screen::ready(&forwarder.secret) {
        Ok(()) => listen(&mut consumer, &forwarder, &stop).await,
        Err(_) => Ok(()),
    };
    let deleted = consumer.delete().await.map_err(refusal);
    listened.and(deleted)
}

async fn listen(consumer: &mut Consumer, forwarder: &Forwarder, stop: &CancellationToken) -> Result<(), RunError> {
    let mut back_off = BackOff::new();
    while !stop.is_cancelled() {
        let pause = match turn(consumer, forwarder, stop).await {
            Ok(Turn::More) => continue,
            Ok(Turn::Wait) => {
                back_off = BackOff::new();
                POLL
            }
            Ok(Turn::Replaced) => {
                let replaced = "the consumer of this command was deleted: has the command been started again?";
                return Err(RunError::Failed(replaced.into()));
            }
            Err(Interruption::Screen) => return Ok(()),
            Err(Interruption::Database(error)) if is_absent(&error) => {
                eprintln!("the database does not answer: {error}");
                back_off.next()
            }
            Err(Interruption::Database(error)) => return Err(refusal(error)),
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

enum Turn {
    More,
    Wait,
    /// Another consumer has the name.
    Replaced,
}

enum Interruption {
    Database(DatabaseError),
    /// Nobody reads the output.
    Screen,
}

impl From<DatabaseError> for Interruption {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Interruption {
    fn from(_: io::Error) -> Self {
        Self::Screen
    }
}

async fn turn(consumer: &mut Consumer, forwarder: &Forwarder, stop: &CancellationToken) -> Result<Turn, Interruption> {
    let Some(events) = consumer.claim().await? else { return Ok(Turn::Replaced) };
    if events.is_empty() {
        return Ok(Turn::Wait);
    }
    for event in &events {
        if stop.is_cancelled() {
            break;
        }
        forward(consumer, forwarder, event).await?;
    }
    Ok(Turn::More)
}

async fn forward(consumer: &mut Consumer, forwarder: &Forwarder, event: &Event) -> Result<(), Interruption> {
    screen::event(event)?;
    let answered = forwarder.forward(event).await;
    if let Ok(status @ 200..300) = answered {
        screen::answer(status, &forwarder.url, event, "")?;
        return Ok(consumer.acknowledge(event).await?);
    }
    let error = match &answered {
        Ok(status) => format!("status {status}"),
        Err(error) => error.clone(),
    };
    let again = match consumer.put_off(event, &error).await? {
        true => ", again in 5 seconds",
        false => ", given up",
    };
    match answered {
        Ok(status) => screen::answer(status, &forwarder.url, event, again)?,
        Err(error) => screen::no_answer(&error, &forwarder.url, event, again)?,
    }
    Ok(())
}

/// Returns true if the database may be back soon: an error of the connection, or of a server that starts or stops.
fn is_absent(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Sql(sqlx::Error::Database(_)) => {
            error.sqlstate().is_some_and(|code| ["08", "53", "57"].iter().any(|class| code.starts_with(class)))
        }
        DatabaseError::Sql(_) | DatabaseError::Timeout | DatabaseError::ReadOnly => true,
        DatabaseError::Pooler => false,
    }
}

/// The machine's name, or a word for it.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("this machine").to_owned()
}
