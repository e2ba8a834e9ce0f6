//! URLs, kept as given: a normalized URL would escape `{CHECKOUT_SESSION_ID}`.

use ::url::Url;

use super::{RETURN_URL, URL, app_link, text};
use crate::{Error, Result};

/// An absolute http or https URL.
pub fn http_url<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    text(argument, value, URL)?;
    absolute(argument, value, &[])
}

/// Where hosted payment pages are. The id of a session comes behind a slash, or where the URL says
/// `{CHECKOUT_SESSION_ID}`; a query and a fragment have no room behind them. The client secret comes behind a `#`, or
/// where the fragment says `{CLIENT_SECRET}`: a fragment is not sent to servers.
pub fn base_url<'a>(argument: &'static str, value: &'a str) -> Result<&'a str> {
    http_url(argument, value)?;
    if value.contains(['?', '#']) && with_session_id(value, "").is_none() {
        return Err(Error::invalid(argument, "must have {CHECKOUT_SESSION_ID} if it has a query or a fragment"));
    }
    let (page, fragment) = value.split_once('#').map_or((value, None), |(page, fragment)| (page, Some(fragment)));
    if fragment.is_some_and(|fragment| filled(fragment, "CLIENT_SECRET", "").is_none()) {
        return Err(Error::invalid(argument, "must have {CLIENT_SECRET} in its fragment if it has one"));
    }
    if filled(page, "CLIENT_SECRET", "").is_some() {
        return Err(Error::invalid(
            argument,
            "must have {CLIENT_SECRET} in its fragment only, which servers do not see",
        ));
    }
    Ok(value)
}

/// The page of a session below a base URL.
pub fn page_url(base: &str, id: &str, client_secret: &str) -> String {
    let page = with_session_id(base, id).unwrap_or_else(|| format!("{}/{id}", base.trim_end_matches('/')));
    filled(&page, "CLIENT_SECRET", client_secret).unwrap_or_else(|| format!("{page}#{client_secret}"))
}

/// A URL with an id in the place of `{CHECKOUT_SESSION_ID}`, whose braces may be percent-encoded; `None` without such a
/// place.
pub fn with_session_id(url: &str, id: &str) -> Option<String> {
    filled(url, "CHECKOUT_SESSION_ID", id)
}

fn filled(url: &str, place: &str, value: &str) -> Option<String> {
    let filled = ["{", "%7B", "%7b"].iter().fold(url.to_owned(), |url, open| {
        ["}", "%7D", "%7d"].iter().fold(url, |url, close| url.replace(&format!("{open}{place}{close}"), value))
    });
    (filled != url).then_some(filled)
}

/// Where a buyer returns to: an http or https URL, or an app link with one of the organization's schemes.
pub fn return_url<'a>(argument: &'static str, value: &'a str, schemes: &[String]) -> Result<&'a str> {
    text(argument, value, RETURN_URL)?;
    absolute(argument, value, schemes)
}

const ORIGINS: usize = 50;

/// Origins of web pages, as browsers write them: scheme, host, and a port that is not the scheme's own.
pub fn origins(argument: &'static str, origins: &[Option<String>]) -> Result<Vec<String>> {
    if origins.len() > ORIGINS {
        return Err(Error::invalid(argument, format!("must have at most {ORIGINS} elements")));
    }
    let mut checked: Vec<String> = Vec::with_capacity(origins.len());
    for origin in origins {
        let origin = origin.as_deref().ok_or_else(|| Error::invalid(argument, "must not have null elements"))?;
        let fault = || Error::invalid(argument, "must have origins such as https://shop.example, without a path");
        let url = http_url(argument, origin).ok().and_then(|url| Url::parse(url).ok()).ok_or_else(fault)?;
        if url.path() != "/" || origin.ends_with('/') || origin.contains(['?', '#']) {
            return Err(fault());
        }
        let origin = url.origin().ascii_serialization();
        if !checked.contains(&origin) {
            checked.push(origin);
        }
    }
    Ok(checked)
}

fn absolute<'a>(argument: &'static str, value: &'a str, schemes: &[String]) -> Result<&'a str> {
    let Some((scheme, rest)) = app_link::split(value) else {
        return Err(Error::invalid(argument, "is not a valid URL"));
    };
    let web = matches!(scheme.as_str(), "http" | "https");
    let app = !web && schemes.contains(&scheme);
    let fault = match Url::parse(value) {
        // The parser repairs the mistakes that browsers repair; a merchant's URL must be correct as it stands.
        _ if value.chars().any(|c| c.is_whitespace() || c == '\\') => "is not a valid URL",
        _ if !web && !app && schemes.is_empty() => "must be an http or https URL",
        _ if !web && !app => "must be an http or https URL, or have a scheme of the organization's app_link_schemes",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "must not contain a user name or password",
        Ok(_) if app && !rest.is_empty() => return Ok(value),
        Ok(url) if web && has_authority(rest) && url.has_host() => return Ok(value),
        _ => "is not a valid URL",
    };
    Err(Error::invalid(argument, fault))
}

fn has_authority(after_scheme: &str) -> bool {
    after_scheme.strip_prefix("//").is_some_and(|rest| !rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::testing::{all_ok, all_refused};

    #[test]
    fn urls_are_http_and_kept_as_given() {
        let check = |value| http_url("success_url", value);
        all_ok(
            check,
            &[
                "https://example.com/success",
                "http://localhost:3000/",
                "https://example.com/{CHECKOUT_SESSION_ID}?id={CHECKOUT_SESSION_ID}",
                "HTTPS://EXAMPLE.com/caf%C3%A9#x",
            ],
        );
        all_refused(
            check,
            &[
                "",
                "example.com",
                "/relative",
                "javascript:alert(1)",
                "data:text/html,x",
                "ftp://example.com",
                "https://",
                "https:example.com",
                "https:///example.com",
                "https://user:secret@example.com",
                "https://exa mple.com",
                "https://example.com\\@evil.example",
                " https://example.com",
                "https://example.com/\u{1}",
            ],
        );
    }

    #[test]
    fn a_base_url_has_a_place_for_the_id() {
        let check = |value| base_url("base_url", value);
        all_ok(
            check,
            &[
                "https://pay.example",
                "https://pay.example/c/",
                "https://pay.example/c?k=1&id={CHECKOUT_SESSION_ID}",
                "https://pay.example/#/pay/%7bCHECKOUT_SESSION_ID%7D/{CLIENT_SECRET}",
                "https://pay.example/{CHECKOUT_SESSION_ID}#{CLIENT_SECRET}",
            ],
        );
        all_refused(
            check,
            &[
                "https://pay.example/c?k=1",
                "https://pay.example/c?",
                "https://pay.example/#f",
                "https://pay.example/#/pay/{CHECKOUT_SESSION_ID}",
                "https://pay.example/c?id={CHECKOUT_SESSION_ID}&secret={CLIENT_SECRET}",
                "https://pay.example/{CLIENT_SECRET}/{CHECKOUT_SESSION_ID}#{CLIENT_SECRET}",
                "https://pay.example/c?id={CHECKOUT_SESSION}",
                "ftp://pay.example",
            ],
        );
        let filled = with_session_id("https://a.example/{CHECKOUT_SESSION_ID}?%7BCHECKOUT_SESSION_ID%7d", "1");
        assert_eq!(filled.as_deref(), Some("https://a.example/1?1"));
    }

    #[test]
    fn the_secret_of_a_page_is_in_its_fragment() {
        for (base, url) in [
            ("https://pay.example", "https://pay.example/1#s"),
            ("https://pay.example/c/", "https://pay.example/c/1#s"),
            ("https://pay.example/c?id={CHECKOUT_SESSION_ID}", "https://pay.example/c?id=1#s"),
            ("https://a.example/#/p/{CHECKOUT_SESSION_ID}/%7BCLIENT_SECRET%7D", "https://a.example/#/p/1/s"),
        ] {
            assert_eq!(page_url(base, "1", "s"), url);
        }
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        let check = |origin: &str| origins("allowed_origins", &[Some(origin.to_owned())]);
        for (given, kept) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.example:443", "https://shop.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(check(given), Ok(vec![kept.to_owned()]));
        }
        let shop = Some("https://shop.example".to_owned());
        assert_eq!(origins("allowed_origins", &[shop.clone(), shop]).map(|origins| origins.len()), Ok(1));
        for bad in [
            "*",
            "null",
            "",
            "shop.example",
            "https://shop.example/",
            "https://shop.example/pay",
            "https://shop.example?",
            "https://*.example/",
            "myapp://shop",
            "https://user@shop.example",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(origins("allowed_origins", &[None]).is_err());
        assert!(origins("allowed_origins", &vec![Some("https://shop.example".to_owned()); 51]).is_err());
        assert_eq!(origins("allowed_origins", &[]), Ok(vec![]));
    }

    #[test]
    fn an_organization_names_the_schemes_of_its_apps() {
        let schemes = ["myapp".to_owned(), "com.example.shop".to_owned()];
        let check = |value| return_url("success_url", value, &schemes);
        all_ok(
            check,
            &[
                "myapp://done",
                "MyApp://done?id={CHECKOUT_SESSION_ID}",
                "com.example.shop:/paid",
                "myapp:done",
                "https://example.com/",
            ],
        );
        all_refused(
            check,
            &[
                "otherapp://done",
                "javascript:alert(1)",
                "javascript:alert('myapp://')",
                "myapp",
                "myapp:",
                "my\tapp://done",
                "myapp://do ne",
                "myapp://user:secret@done",
                "myapp://done\u{1}",
                "://done",
            ],
        );
        assert_eq!(
            check("other://done"),
            Err(Error::invalid(
                "success_url",
                "must be an http or https URL, or have a scheme of the organization's app_link_schemes"
            ))
        );
        assert_eq!(
            return_url("success_url", "myapp://done", &[]),
            Err(Error::invalid("success_url", "must be an http or https URL"))
        );
    }

    #[test]
    fn a_return_url_may_be_longer_than_others() {
        let url = |length: usize| format!("{:x<length$}", "https://example.com/");
        assert!(return_url("success_url", &url(5_000), &[]).is_ok());
        assert!(return_url("success_url", &url(5_001), &[]).is_err());
        assert!(http_url("base_url", &url(2_048)).is_ok());
        assert!(http_url("base_url", &url(2_049)).is_err());
    }
}
