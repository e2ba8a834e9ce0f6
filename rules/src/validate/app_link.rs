//! The schemes of an organization's apps: `myapp` in `myapp://done`.

use crate::validate::APP_LINK_SCHEMES;
use crate::{Error, Result};

const ARGUMENT: &str = "app_link_schemes";
const LENGTH: usize = 64;

/// Schemes that a browser or an operating system opens itself: with code, with files, or with another program than an
/// organization's. http and https need no permission.
const NEVER: [&str; 40] = [
    "about",
    "android-app",
    "blob",
    "chrome",
    "chrome-extension",
    "cid",
    "content",
    "data",
    "devtools",
    "edge",
    "facetime",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "http",
    "https",
    "intent",
    "itms-services",
    "jar",
    "javascript",
    "ldap",
    "livescript",
    "mailto",
    "mhtml",
    "mocha",
    "moz-extension",
    "ms-msdt",
    "res",
    "resource",
    "search-ms",
    "shell",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
    "wyciwyg",
];

/// The schemes of app links in lower case, each once. RFC 3986, section 3.1: a letter, then letters, digits and + - .
pub fn app_link_schemes(schemes: &[Option<String>]) -> Result<Vec<String>> {
    if schemes.len() > APP_LINK_SCHEMES {
        return Err(Error::invalid(ARGUMENT, format!("must have at most {APP_LINK_SCHEMES} elements")));
    }
    let mut checked: Vec<String> = Vec::with_capacity(schemes.len());
    for scheme in schemes {
        let scheme = scheme.as_deref().ok_or_else(|| Error::invalid(ARGUMENT, "must not have null elements"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(Error::invalid(ARGUMENT, "must have schemes of URLs, such as myapp, without a colon"));
        }
        if NEVER.contains(&scheme.as_str()) {
            return Err(Error::invalid(ARGUMENT, "must not have a scheme that browsers or systems open themselves"));
        }
        if checked.contains(&scheme) {
            return Err(Error::invalid(ARGUMENT, "must not name a scheme twice"));
        }
        checked.push(scheme);
    }
    Ok(checked)
}

/// The scheme of a URL in lower case, and what follows the colon.
pub(super) fn split(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    is_scheme(&scheme).then_some((scheme, rest))
}

fn is_scheme(text: &str) -> bool {
    text.len() <= LENGTH
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schemes: &[&str]) -> Result<Vec<String>> {
        app_link_schemes(&schemes.iter().map(|scheme| Some((*scheme).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn schemes_are_kept_in_lower_case() {
        assert_eq!(check(&[]), Ok(vec![]));
        assert_eq!(
            check(&["MyApp", "com.example.app", "a+b-c.1"]),
            Ok(vec!["myapp".to_owned(), "com.example.app".to_owned(), "a+b-c.1".to_owned()])
        );
        let many: Vec<_> = (0..=APP_LINK_SCHEMES).map(|at| format!("app{at}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(check(&many[..APP_LINK_SCHEMES]).is_ok());
        assert_eq!(check(&many), Err(Error::invalid(ARGUMENT, "must have at most 20 elements")));
    }

    #[test]
    fn what_is_no_scheme_of_an_app_is_refused() {
        for scheme in ["", " ", "1app", "my_app", "myapp:", "myapp://", "my app", "мой", "-a", &"a".repeat(65)] {
            let fault = "must have schemes of URLs, such as myapp, without a colon";
            assert_eq!(check(&[scheme]), Err(Error::invalid(ARGUMENT, fault)), "{scheme}");
        }
        for scheme in NEVER.into_iter().chain(["JavaScript", "HTTPS", "View-Source"]) {
            let fault = "must not have a scheme that browsers or systems open themselves";
            assert_eq!(check(&[scheme]), Err(Error::invalid(ARGUMENT, fault)), "{scheme}");
        }
        assert_eq!(check(&["app", "APP"]), Err(Error::invalid(ARGUMENT, "must not name a scheme twice")));
        assert_eq!(app_link_schemes(&[None]), Err(Error::invalid(ARGUMENT, "must not have null elements")));
    }
}
