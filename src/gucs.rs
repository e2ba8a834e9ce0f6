//! The settings, `checkout_sessions.*`.

#![expect(unsafe_code, reason = "defines settings with checks, and reserves their prefix")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use chrono::TimeDelta;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum, pg_sys};
use uuid::Uuid;

use crate::backend;
use rules::access::credential::Environment;
use rules::access::http_credential;
use rules::webhooks::endpoint;
use rules::{Error, Result, validate};

#[derive(Clone, Copy, PostgresGucEnum)]
pub enum EnvironmentSetting {
    #[name = c"live"]
    Live,
    #[name = c"test"]
    Test,
}

pub fn environment() -> Environment {
    match ENVIRONMENT.get() {
        EnvironmentSetting::Live => Environment::Live,
        EnvironmentSetting::Test => Environment::Test,
    }
}

/// The value of a setting; `None` if it is not set, or empty. A value that a client gives at its start is unchecked.
fn text(setting: &GucSetting<Option<CString>>, name: &'static str) -> Result<Option<String>> {
    match setting.get().map(CString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Err(_)) => Err(Error::NotUtf8 { what: "setting", name }),
    }
}

pub fn organization_id() -> Result<Option<String>> {
    text(&ORGANIZATION_ID, "checkout_sessions.organization_id")
}

pub fn credential() -> Result<Option<String>> {
    text(&CREDENTIAL, "checkout_sessions.credential")
}

pub fn jwt_organization_claim() -> Result<Option<String>> {
    text(&JWT_ORGANIZATION_CLAIM, "checkout_sessions.jwt_organization_claim")
}

pub fn base_url() -> Result<Option<String>> {
    text(&BASE_URL, "checkout_sessions.base_url")
}

pub fn webhook_allowed_ranges() -> Result<Option<String>> {
    text(&WEBHOOK_ALLOWED_RANGES, "checkout_sessions.webhook_allowed_ranges")
}

/// The least time that sessions are kept after their end, whatever their organization wants.
pub fn minimum_retention() -> TimeDelta {
    TimeDelta::minutes(MINIMUM_RETENTION.get().into())
}

/// The longest time; `None`: for ever.
pub fn maximum_retention() -> Option<TimeDelta> {
    let minutes = MAXIMUM_RETENTION.get();
    (minutes >= 0).then(|| TimeDelta::minutes(minutes.into()))
}

static ORGANIZATION_ID: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static ENVIRONMENT: GucSetting<EnvironmentSetting> = GucSetting::<EnvironmentSetting>::new(EnvironmentSetting::Live);
static CREDENTIAL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static JWT_ORGANIZATION_CLAIM: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"organization_id, app_metadata.organization_id"));
static BASE_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static IDEMPOTENCY_KEY_LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(24 * 60);
pub static PUBLISHABLE_SESSION_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(10_000);
pub static OUTBOX_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 60);
static MINIMUM_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(31 * 24 * 60);
static MAXIMUM_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(-1);
pub static WEBHOOK_NOTIFY: GucSetting<bool> = GucSetting::<bool>::new(true);
static WEBHOOK_ALLOWED_RANGES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static DELIVERIES_ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
pub static WORKER_ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
pub static WORKER_DATABASE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static WORKER_BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1_000);
pub static HOOK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);
pub static WORKER_SHARE: GucSetting<i32> = GucSetting::<i32>::new(50);

/// What the server keeps of a name.
const NAME_BYTES: usize = pg_sys::NAMEDATALEN as usize - 1;

/// Defines what the server asks before it takes a value of a text setting: wherever the value comes from, it is refused at
/// once, and not by whom it disturbs later. An empty text is always taken, and stands for no value.
macro_rules! checked {
    ($hook:ident, $setting:literal, $check:expr) => {
        #[pg_guard]
        unsafe extern "C-unwind" fn $hook(
            value: *mut *mut c_char,
            _extra: *mut *mut c_void,
            _source: pg_sys::GucSource::Type,
        ) -> bool {
            // SAFETY: the server passes a pointer to the new value, which is NULL or NUL-terminated.
            unsafe { is_taken(*value, $setting, $check) }
        }
    };
}

checked!(check_organization_id, "checkout_sessions.organization_id", |setting, text| {
    let fault = || Error::InvalidSetting { setting, fault: "must be a UUID".into() };
    Uuid::try_parse(text).map(|_| ()).map_err(|_| fault())
});
checked!(check_jwt_organization_claim, "checkout_sessions.jwt_organization_claim", http_credential::check_claim_paths);
checked!(check_base_url, "checkout_sessions.base_url", |setting, text| {
    validate::base_url(setting, text).map(|_| ()).map_err(|error| error.of_setting(setting))
});
checked!(check_webhook_allowed_ranges, "checkout_sessions.webhook_allowed_ranges", endpoint::check_allowed_ranges);
// Whether the database exists, nobody knows before the server has started.
checked!(check_worker_database, "checkout_sessions.worker_database", |setting, text| {
    if text.len() > NAME_BYTES {
        return Err(Error::InvalidSetting { setting, fault: format!("must have at most {NAME_BYTES} bytes") });
    }
    validate::text(setting, text, NAME_BYTES).map(|_| ()).map_err(|error| error.of_setting(setting))
});

/// Returns whether a value is taken. If not, the server reports our message, which does not repeat the value: an ERROR for
/// who sets it, a WARNING at a start or a connection, which goes on with the value that the setting had before.
///
/// # Safety
/// `value` is NULL or NUL-terminated. Called by the server's check of a setting.
unsafe fn is_taken(
    value: *const c_char,
    setting: &'static str,
    check: impl Fn(&'static str, &str) -> Result<()>,
) -> bool {
    // SAFETY: the caller's. The message is copied into the memory where the server keeps its own messages of a check.
    unsafe {
        if value.is_null() {
            return true;
        }
        let checked = match CStr::from_ptr(value).to_str() {
            Ok("") => Ok(()),
            Ok(text) => check(setting, text),
            Err(_) => Err(Error::NotUtf8 { what: "setting", name: setting }),
        };
        let Err(error) = checked else { return true };
        if matches!(error, Error::NotUtf8 { .. }) {
            pg_sys::GUC_check_errcode(PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE as c_int);
        }
        let message = CString::new(error.to_string()).unwrap_or_default();
        pg_sys::GUC_check_errmsg_string = pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, message.as_ptr());
        false
    }
}

/// Defines a text setting that is checked.
fn define_checked(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
    check: pg_sys::GucStringCheckHook,
) {
    let flags = GucFlags::default();
    // SAFETY: the hook is guarded, and lives as long as the library.
    unsafe { GucRegistry::define_string_guc_with_hooks(name, short, long, setting, context, flags, check, None, None) };
}

const MONTH_IN_MINUTES: i32 = 30 * 24 * 60;
const YEAR_IN_MINUTES: i32 = 365 * 24 * 60;

pub fn init() {
    // The tenant: ordinary roles cannot set these two. PGC_SUSET also discards values that were given before the
    // library was loaded.
    define_checked(
        c"checkout_sessions.organization_id",
        c"Sets the organization on whose behalf the functions act.",
        c"A UUID. Only a superuser, or a role that was granted SET on it, can change it; ALTER ROLE ... SET binds a role to it.",
        &ORGANIZATION_ID,
        GucContext::Suset,
        Some(check_organization_id),
    );
    GucRegistry::define_enum_guc(
        c"checkout_sessions.environment",
        c"Sets the environment on which the functions act: live or test.",
        c"The two never see each other. Only a superuser, or a role that was granted SET on it, can change it.",
        &ENVIRONMENT,
        GucContext::Suset,
        GucFlags::default(),
    );
    // The result of authenticate() and pre_request(). It is a setting, so that it ends with the transaction and is
    // rolled back with a savepoint. It is internal, so that not even a superuser can set it.
    GucRegistry::define_string_guc(
        c"checkout_sessions.credential",
        c"Shows the credential of the current transaction.",
        c"Set by checkout.authenticate() and checkout.pre_request().",
        &CREDENTIAL,
        GucContext::Internal,
        GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE,
    );
    define_checked(
        c"checkout_sessions.jwt_organization_claim",
        c"Sets which claims of a token name the organization.",
        c"Paths of members joined by dots, or JSON Pointers, separated by commas. Claims count only if the session user has authenticator access.",
        &JWT_ORGANIZATION_CLAIM,
        GucContext::Suset,
        Some(check_jwt_organization_claim),
    );
    define_checked(
        c"checkout_sessions.base_url",
        c"Sets the base URL of the hosted payment pages of organizations without their own base_url.",
        c"A session's url is this, a slash and its id, or this with its id for {CHECKOUT_SESSION_ID}. If empty, such sessions have no url.",
        &BASE_URL,
        GucContext::Suset,
        Some(check_base_url),
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.idempotency_key_lifetime",
        c"Sets how long an idempotency key is kept.",
        c"1 minute to 30 days.",
        &IDEMPOTENCY_KEY_LIFETIME,
        1,
        MONTH_IN_MINUTES,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.publishable_session_limit",
        c"Sets how many open sessions a publishable API key can have.",
        c"Counted per organization and environment; -1 sets no limit. The key is in browsers, where anyone can use it.",
        &PUBLISHABLE_SESSION_LIMIT,
        -1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.outbox_retention",
        c"Sets how long delivered webhook events are kept.",
        c"Up to 365 days; -1 keeps them for ever. Undelivered events are never removed.",
        &OUTBOX_RETENTION,
        -1,
        YEAR_IN_MINUTES,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.minimum_session_retention",
        c"Sets how long sessions are kept at least after their end.",
        c"31 days to 100 years. An organization whose session_retention is shorter keeps them so long.",
        &MINIMUM_RETENTION,
        MONTH_IN_MINUTES + 24 * 60,
        100 * YEAR_IN_MINUTES,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.maximum_session_retention",
        c"Sets how long sessions are kept at most after their end.",
        c"Up to 100 years; -1 keeps those of organizations without a session_retention for ever. The minimum comes first.",
        &MAXIMUM_RETENTION,
        -1,
        100 * YEAR_IN_MINUTES,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_bool_guc(
        c"checkout_sessions.webhook_notify",
        c"Sets whether the background worker notifies relays of webhook events.",
        c"If off, relays look for deliveries only at their own poll interval.",
        &WEBHOOK_NOTIFY,
        GucContext::Sighup,
        GucFlags::default(),
    );
    define_checked(
        c"checkout_sessions.webhook_allowed_ranges",
        c"Sets the private addresses that webhooks may be sent to.",
        c"Addresses and CIDR ranges, separated by commas. If empty, webhooks of the only organization's test environment may go to localhost, too; none forbids that.",
        &WEBHOOK_ALLOWED_RANGES,
        GucContext::Suset,
        Some(check_webhook_allowed_ranges),
    );
    // Not PGC_SIGHUP, so that ALTER DATABASE can set these two. The launcher has the server's value, and the worker that of
    // its database.
    GucRegistry::define_bool_guc(
        c"checkout_sessions.deliveries_enabled",
        c"Sets whether webhook events can be claimed.",
        c"If off, relays and consumers get none. ALTER DATABASE ... SET counts at once, for open connections, too.",
        &DELIVERIES_ENABLED,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"checkout_sessions.worker_enabled",
        c"Sets whether the background worker expires sessions.",
        c"If off, overdue sessions still count as expired for every reader and payment, but no event reports it. Off for the server or for the database counts.",
        &WORKER_ENABLED,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.worker_batch_size",
        c"Sets how many rows the background worker changes in one transaction.",
        c"1 to 100000.",
        &WORKER_BATCH_SIZE,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.worker_share",
        c"Sets the percentage of time that the background worker may work while others write.",
        c"If much is due at once, the worker rests between batches, unless nobody else writes to the server.",
        &WORKER_SHARE,
        1,
        100,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"checkout_sessions.hook_timeout",
        c"Sets how long a hook may run.",
        c"10 ms to 10 minutes. A hook that takes longer is cancelled, and has failed; its session goes on.",
        &HOOK_TIMEOUT,
        10,
        600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    // The server accepts such settings only from preloaded libraries.
    if backend::is_preloading() {
        define_checked(
            c"checkout_sessions.worker_database",
            c"Sets the database in which a background worker stays.",
            c"Parallel queries cannot take the slot of this worker. Other databases have a worker only while work is due.",
            &WORKER_DATABASE,
            GucContext::Postmaster,
            Some(check_worker_database),
        );
    }
    // SAFETY: the prefix is a NUL-terminated constant. A misspelt setting becomes an error instead of a placeholder.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"checkout_sessions".as_ptr()) };
}
