//! What the developer sees, on standard output.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use url::Url;

use crate::listen::consumer::Event;

pub fn ready(secret: &str) -> io::Result<()> {
    line(format_args!("> Ready! Your webhook signing secret is {secret} (^C to quit)"))
}

pub fn event(event: &Event) -> io::Result<()> {
    line(format_args!("{} --> {} [{}]", now(), event.event_type, event.id))
}

pub fn answer(status: u16, url: &Url, event: &Event, again: &str) -> io::Result<()> {
    line(format_args!("{} <-- [{status}] POST {url} [{}]{again}", now(), event.id))
}

pub fn no_answer(error: &str, url: &Url, event: &Event, again: &str) -> io::Result<()> {
    line(format_args!("{} <-- [ERROR] POST {url} [{}]: {error}{again}", now(), event.id))
}

fn now() -> impl Display {
    DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An error means that nobody reads any more.
fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
