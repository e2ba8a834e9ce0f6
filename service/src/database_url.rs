//! The address of the database.

use crate::sqlx::ConnectOptions;
use crate::sqlx::postgres::PgConnectOptions;

/// Where to connect to: `url`, or PGHOST and its like. The error does not repeat the URL, which may have a password.
pub fn connect_options(url: Option<&str>, application_name: &str) -> Result<PgConnectOptions, &'static str> {
    let options = match url.filter(|url| !url.is_empty()) {
        None => PgConnectOptions::new(),
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            with_host(url).parse().map_err(|_| "--database-url is not a valid PostgreSQL URL")?
        }
        Some(_) => return Err("--database-url must begin with postgres:// or postgresql://"),
    };
    Ok(options.application_name(application_name).disable_statement_logging())
}

/// libpq accepts `postgres://user@/database?host=/folder`; the URL standard requires a host after a user. A host in the
/// query comes later, and has precedence.
fn with_host(url: &str) -> String {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let host = if url[authority..end].ends_with('@') { "localhost" } else { "" };
    [&url[..end], host, &url[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_may_be_named_in_a_url() {
        let options =
            connect_options(Some("postgresql://relay@/shop?host=/run/pg&port=5433"), "checkout-sessions-relay")
                .expect("taken");
        assert_eq!(options.get_socket().map(|path| path.as_path()), Some("/run/pg".as_ref()));
        assert_eq!((options.get_username(), options.get_port(), options.get_database()), ("relay", 5433, Some("shop")));
        assert_eq!(options.get_application_name(), Some("checkout-sessions-relay"));
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for bad in [
            "postgres://relay:hunter2@host:x/",
            "postgres://relay:hunter2@h/?sslmode=hunter2",
            "hunter2",
            "mysql://:hunter2@h/",
        ] {
            let error = connect_options(Some(bad), "relay").expect_err("refused");
            assert!(error.starts_with("--database-url") && !error.contains("hunter2"), "{error}");
        }
    }
}
