//! The files of the buyer's page and of the dashboard.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::gateway::failure::Failure;
use crate::gateway::request::Head;

const ALLOW: &str = "GET, HEAD, OPTIONS";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ";
/// Nothing but payment.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
    fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(self), \
    picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()";

pub struct Pages {
    /// Without symbolic links.
    folder: Option<PathBuf>,
}

impl Pages {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// A file below the folder. `path` is as it was sent.
    pub async fn serve(&self, path: &str, head: &Head) -> Result<Response<Body>, Failure> {
        let not_found = || Failure::not_found(head.method.as_str(), &head.path);
        if !head.reads() {
            return Err(Failure::method_not_allowed(ALLOW));
        }
        let file = self.find(path).await.ok_or_else(not_found)?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = if head.method == Method::HEAD { Method::HEAD } else { Method::GET };
        for name in ["if-modified-since", "if-unmodified-since"] {
            if let Some(value) = head.header(name).and_then(|value| HeaderValue::from_str(value).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        let Ok(response) = ServeFile::new(file).oneshot(request).await;
        match response.status() {
            StatusCode::NOT_FOUND => Err(not_found()),
            status if status.is_server_error() => Err(Failure::internal("58030", "a page cannot be read")),
            _ => Ok(response.map(Body::new)),
        }
    }

    /// The file of a path that has neither hidden names nor steps upwards, and leads out of the folder by no symbolic
    /// link.
    async fn find(&self, path: &str) -> Option<PathBuf> {
        let folder = self.folder.as_deref()?;
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['\\', '\0', ':']);
        if !path.split('/').all(plain) {
            return None;
        }
        let file = tokio::fs::canonicalize(folder.join(Path::new(&*path))).await.ok()?;
        let is_file = tokio::fs::metadata(&file).await.is_ok_and(|found| found.is_file());
        (file.starts_with(folder) && is_file).then_some(file)
    }
}

/// The headers of every page and file, also of those that are not there.
pub fn add_headers(headers: &mut HeaderMap, frame_ancestors: &str, is_page: bool) {
    let policy = HeaderValue::try_from(format!("{POLICY}{frame_ancestors}"));
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    // A file is asked for again, and not sent again if it is the same.
    let caching = if is_page { "no-store" } else { "no-cache" };
    for (name, value) in [
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, caching),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !is_page {
        // A shop's own page takes the module embed.js from here. The files are the same for everyone.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn only_plain_files_below_the_folder_are_found() {
        let outside = std::env::temp_dir().join(format!("checkout-sessions-pages-{}", std::process::id()));
        let folder = outside.join("pages");
        std::fs::create_dir_all(folder.join("pay")).expect("a folder");
        for file in ["secret", "pages/pay.html", "pages/pay/pay.js", "pages/.hidden", "pages/pay/a b.js"] {
            std::fs::write(outside.join(file), file).expect("a file");
        }
        symlink(outside.join("secret"), folder.join("out.html")).expect("a link");
        symlink(folder.join("pay.html"), folder.join("in.html")).expect("a link");
        let pages = Pages::new(folder.canonicalize().ok());
        let mut found = Vec::new();
        for path in [
            "pay.html",
            "pay/pay.js",
            "pay/a%20b.js",
            "in.html",
            "out.html",
            ".hidden",
            "pay",
            "pay/",
            "",
            "../secret",
            "pay/../../secret",
            "%2e%2e/secret",
            "pay%2f..%2f..%2fsecret",
            "..\\secret",
            "/etc/passwd",
            "%2Fetc%2Fpasswd",
            "pay.html%00",
            "%ff",
            "none.js",
        ] {
            if pages.find(path).await.is_some() {
                found.push(path);
            }
        }
        std::fs::remove_dir_all(outside).expect("removed");
        assert_eq!(found, ["pay.html", "pay/pay.js", "pay/a%20b.js", "in.html"]);
    }
}
