//! What a path stands for.

use rules::dialects::{self, Dialect};

pub const DIALECTS: [&str; 5] = ["kobo", "lomi", "paygate", "flutterwave", "yuno"];

#[derive(Clone, Copy)]
pub enum Target<'p> {
    Health,
    OpenApi,
    Function(&'p str),
    View(&'p str),
    /// The buyer's page of a session.
    Pay(&'p str),
    Dashboard,
    /// A file below /pages/.
    File(&'p str),
    /// A dialect, and the path that it is documented with.
    Dialect(&'static Dialect, &'p str),
    Nothing,
}

impl<'p> Target<'p> {
    /// `alone` is the dialect that is served at the root.
    pub fn of(path: &'p str, alone: Option<&'static Dialect>) -> Self {
        let (first, rest) = split(path);
        match (first, rest) {
            ("healthz", "") => Self::Health,
            ("openapi.json", "") => Self::OpenApi,
            ("rpc", _) => Self::one(rest).map_or(Self::Nothing, Self::Function),
            ("views", _) => Self::one(rest).map_or(Self::Nothing, Self::View),
            ("pay", _) => Self::one(rest).map_or(Self::File(""), Self::Pay),
            ("dashboard", "" | "/") => Self::Dashboard,
            ("pages", _) => Self::File(rest.strip_prefix('/').unwrap_or_default()),
            _ => match alone {
                Some(dialect) => Self::Dialect(dialect, path),
                None if DIALECTS.contains(&first) => {
                    dialects::find(first).map_or(Self::Nothing, |dialect| Self::Dialect(dialect, rest))
                }
                None => Self::Nothing,
            },
        }
    }

    /// The only segment of `/SEGMENT`.
    fn one(rest: &'p str) -> Option<&'p str> {
        rest.strip_prefix('/').filter(|segment| !segment.is_empty() && !segment.contains('/'))
    }

    /// The word for metrics.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Health => "healthz",
            Self::OpenApi => "openapi",
            Self::Function(_) => "rpc",
            Self::View(_) => "views",
            Self::Pay(_) | Self::Dashboard | Self::File(_) => "pages",
            Self::Dialect(dialect, _) => dialect.name,
            Self::Nothing => "nothing",
        }
    }

    pub fn is_page(self) -> bool {
        matches!(self, Self::Pay(_) | Self::Dashboard | Self::File(_))
    }
}

/// `/first/rest`: `first` and `/rest`.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str, alone: Option<&'static Dialect>) -> String {
        match Target::of(path, alone) {
            Target::Function(name) | Target::View(name) => format!("call {name}"),
            Target::Pay(id) => format!("pay {id}"),
            Target::File(path) => format!("file {path}"),
            Target::Dialect(dialect, path) => format!("{} {path}", dialect.name),
            other => other.kind().to_owned(),
        }
    }

    #[test]
    fn each_dialect_is_below_its_name_or_alone_at_the_root() {
        let paygate = dialects::find("paygate").ok();
        for (path, among_all, alone) in [
            ("/lomi/checkout-sessions", "lomi /checkout-sessions", "paygate /lomi/checkout-sessions"),
            ("/lomi", "lomi ", "paygate /lomi"),
            ("/LOMI/x", "nothing", "paygate /LOMI/x"),
            ("/", "nothing", "paygate /"),
            ("/toString/x", "nothing", "paygate /toString/x"),
            ("/rpc/get_checkout_session", "call get_checkout_session", "call get_checkout_session"),
            ("/rpc/a/b", "nothing", "nothing"),
            ("/rpc", "nothing", "nothing"),
            ("/views/payments", "call payments", "call payments"),
            ("/pay/1", "pay 1", "pay 1"),
            ("/pay/1/2", "file ", "file "),
            ("/pages", "file ", "file "),
            ("/pages/pay/pay.js", "file pay/pay.js", "file pay/pay.js"),
            ("/dashboard", "pages", "pages"),
            ("/healthz", "healthz", "healthz"),
            ("/openapi.json", "openapi", "openapi"),
        ] {
            assert_eq!((words(path, None).as_str(), words(path, paygate).as_str()), (among_all, alone), "{path}");
        }
    }
}
