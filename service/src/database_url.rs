//! The address of the database: one server, or several, as libpq writes them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::form_urlencoded::{Serializer, parse};

use crate::servers::{Servers, Wanted};
use crate::sqlx::ConnectOptions;
use crate::sqlx::postgres::PgConnectOptions;

const NOT_VALID: &str = "--database-url is not a valid PostgreSQL URL";

/// Where to connect to: `url`, or PGHOST and its like. The error does not repeat the URL, which may have a password.
pub fn connect_options(url: Option<&str>, application_name: &str) -> Result<Servers, &'static str> {
    let variable = |name: &str| std::env::var(name).ok();
    let url = url.filter(|url| !url.is_empty()).unwrap_or("postgres://");
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("--database-url must begin with postgres:// or postgresql://");
    }
    let (urls, wanted) = each(url, variable)?;
    let options = urls.iter().map(|url| {
        let options: PgConnectOptions = with_host(url).parse().map_err(|_| NOT_VALID)?;
        Ok::<_, &str>(options.application_name(application_name).disable_statement_logging())
    });
    Ok(Servers::new(options.collect::<Result<_, _>>()?, wanted))
}

/// Returns a URL for each server, and what is wanted of it. Hosts and ports may be lists with commas, in the URL as in
/// PGHOST and PGPORT: as many ports as hosts, or one.
fn each(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<(Vec<String>, Wanted), &'static str> {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let (path, query) = url[end..].split_once('?').unwrap_or((&url[end..], ""));
    let servers = url[authority..end].rfind('@').map_or(authority, |at| authority + at + 1);

    let (mut hosts, mut ports, mut attributes) = (None, None, variable("PGTARGETSESSIONATTRS"));
    let mut others = Serializer::new(String::new());
    for (name, value) in parse(query.as_bytes()) {
        match &*name {
            "host" => hosts = Some(value.into_owned()),
            "port" => ports = Some(value.into_owned()),
            "target_session_attrs" => attributes = Some(value.into_owned()),
            _ => _ = others.append_pair(&name, &value),
        }
    }
    let others = others.finish();
    let with_query = |start: &str, query: &str| match query {
        "" => format!("{start}{path}"),
        query => format!("{start}{path}?{query}"),
    };

    let in_url: Vec<_> = url[servers..end].split(',').map(host_and_port).collect();
    let said = |list: Option<String>, variable: Option<String>, is_in_url: bool| match list {
        None if !is_in_url => variable,
        list => list,
    };
    let hosts = said(hosts, variable("PGHOST"), servers < end);
    let ports = said(ports, variable("PGPORT"), in_url.iter().any(|(_, port)| port.is_some()));
    let hosts: Vec<_> = match &hosts {
        Some(list) => list.split(',').map(Cow::from).collect(),
        None => in_url.iter().map(|(host, _)| percent_decode_str(host).decode_utf8_lossy()).collect(),
    };
    let ports: Vec<_> = match &ports {
        Some(list) => list.split(',').map(Some).collect(),
        None => in_url.iter().map(|(_, port)| *port).collect(),
    };
    let wanted = Wanted::read(attributes.as_deref(), hosts.len())?;
    if let ([_], [_]) = (&*hosts, &*ports) {
        // As it came: without a host in it, it is the variables', or the socket.
        let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("target_session_attrs=")).collect();
        return Ok((vec![with_query(&url[..end], &kept.join("&"))], wanted));
    }
    if ports.len() != 1 && ports.len() != hosts.len() {
        return Err("--database-url: there must be one port, or as many as hosts");
    }
    let urls = hosts.iter().enumerate().map(|(number, host)| {
        if host.is_empty() {
            return Err("--database-url: each of several hosts must have a name");
        }
        let mut query = Serializer::new(others.clone());
        query.append_pair("host", host);
        if let Some(port) = ports[number % ports.len()] {
            query.append_pair("port", port);
        }
        Ok(with_query(&format!("{}localhost", &url[..servers]), &query.finish()))
    });
    Ok((urls.collect::<Result<_, _>>()?, wanted))
}

/// `host`, `host:port`, or an address of IPv6 in brackets.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// libpq accepts `postgres://user@/database?host=/folder`; the URL standard requires a host after a user. A host in the
/// query comes later, and has precedence.
fn with_host(url: &str) -> Cow<'_, str> {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    match url[authority..end].ends_with('@') {
        true => format!("{}localhost{}", &url[..end], &url[end..]).into(),
        false => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hosts and ports of each server.
    fn servers(url: &str, variables: &[(&str, &str)]) -> (Vec<(String, u16)>, Wanted) {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let (urls, wanted) = each(url, variable).expect("taken");
        let servers = urls.iter().map(|url| {
            let options: PgConnectOptions = with_host(url).parse().expect("a URL");
            let socket = options.get_socket().map(|path| path.display().to_string());
            (socket.unwrap_or_else(|| options.get_host().to_owned()), options.get_port())
        });
        (servers.collect(), wanted)
    }

    #[test]
    fn a_unix_socket_may_be_named_in_a_url() {
        let url = Some("postgresql://relay@/shop?host=/run/pg&port=5433");
        let servers = connect_options(url, "checkout-sessions-relay").expect("taken");
        let options = &servers.each()[0];
        assert_eq!(options.get_socket().map(|path| path.as_path()), Some("/run/pg".as_ref()));
        assert_eq!((options.get_username(), options.get_port(), options.get_database()), ("relay", 5433, Some("shop")));
        assert_eq!(options.get_application_name(), Some("checkout-sessions-relay"));
    }

    #[test]
    fn several_servers_may_be_named_wherever_one_may() {
        for (url, variables) in [
            ("postgres://me:p%2Cw@a:1,b:2/shop?sslmode=require", &[][..]),
            ("postgres:///shop?host=a,b&port=1,2", &[]),
            ("postgres://me@/shop?host=a,b", &[("PGPORT", "1,2")]),
            ("postgres://", &[("PGHOST", "a,b"), ("PGPORT", "1,2")]),
            ("postgres://a,b/shop?port=1,2", &[("PGHOST", "c"), ("PGPORT", "3")]),
        ] {
            let (found, wanted) = servers(url, variables);
            assert_eq!(found, [("a".to_owned(), 1), ("b".to_owned(), 2)], "{url}");
            assert_eq!(wanted, Wanted::ReadWrite, "{url}");
        }
        let (found, _) = servers("postgres://[::1]:1,[::2]:2/shop", &[]);
        assert_eq!(found, [("[::1]".to_owned(), 1), ("[::2]".to_owned(), 2)]);
        for url in ["postgres:///shop?host=/run/a,/run/b&port=7", "postgres://%2Frun%2Fa:7,%2Frun%2Fb:7/shop"] {
            assert_eq!(servers(url, &[]).0, [("/run/a".to_owned(), 7), ("/run/b".to_owned(), 7)]);
        }
    }

    #[test]
    fn the_rest_of_a_url_holds_for_each_of_its_servers() {
        let url = "postgres://me:p%2C%40w@a,b/shop?sslmode=require&options=-c%20a%3Db";
        for options in connect_options(Some(url), "relay").expect("taken").each() {
            assert_eq!((options.get_username(), options.get_database()), ("me", Some("shop")));
            assert!(matches!(options.get_ssl_mode(), crate::sqlx::postgres::PgSslMode::Require));
            assert_eq!(options.get_options(), Some("-c a=b"));
        }
    }

    #[test]
    fn one_server_is_taken_as_it_is_unless_more_is_said() {
        let wanted = |url, variables: &[_]| servers(url, variables).1;
        assert_eq!(wanted("postgres://a/shop", &[]), Wanted::Any);
        assert_eq!(wanted("postgres://a/shop?target_session_attrs=read-write&x=y", &[]), Wanted::ReadWrite);
        assert_eq!(wanted("postgres://a/shop", &[("PGTARGETSESSIONATTRS", "primary")]), Wanted::Primary);
        assert_eq!(wanted("postgres://a,b/shop?target_session_attrs=any", &[]), Wanted::Any);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in ["postgres://a,b/?port=1,2,3", "postgres://a,,b/", "postgres://a/?target_session_attrs=standby"] {
            assert!(each(wrong, |_| None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for bad in [
            "postgres://relay:hunter2@host:x/",
            "postgres://relay:hunter2@a:1,b:hunter2/",
            "postgres://relay:hunter2@h/?sslmode=hunter2",
            "postgres://relay:hunter2@h/?target_session_attrs=hunter2",
            "hunter2",
            "mysql://:hunter2@h/",
        ] {
            let error = connect_options(Some(bad), "relay").err().expect("refused");
            assert!(error.starts_with("--database-url") && !error.contains("hunter2"), "{error}");
        }
    }
}
