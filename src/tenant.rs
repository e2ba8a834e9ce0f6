//! Who is calling, for which organization, and with which rights. This is the one place that decides it.
//!
//! The tenant is two settings that an ordinary role cannot change. Policies and functions read them only through this
//! module: a call of one of these functions loads the library, and loading it discards values that were smuggled in
//! before. The tenant comes from a credential presented in this transaction, and then nothing else may contradict it;
//! or from the role, and then the role's access says what it may do.

#![expect(unsafe_code, reason = "looks up roles and rights")]

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use uuid::Uuid;

use crate::{backend, gucs, postgrest};
pub use rules::access::credential::Tenant;
use rules::access::credential::{Credential, Kind};
use rules::{Error, Result};

/// The error of a tenant without an organization: a missing credential.
pub const NO_ORGANIZATION: Error =
    Error::NotAuthenticated { reason: "checkout_sessions.organization_id names no organization" };

/// Who makes a call.
pub struct Caller {
    pub tenant: Tenant,
    pub kind: Kind,
    /// The mark on its sessions: the API key, the token's subject, or the role.
    pub name: String,
    /// The payment methods of sessions whose create names none, if the caller's API key sets them.
    pub payment_methods: Option<Vec<String>>,
    /// True if the call came with an HTTP request.
    pub http: bool,
}

/// Returns the tenant of this call. Without one: 28000.
pub fn current() -> Result<Tenant> {
    tenant_of(presented()?.as_ref())
}

/// Returns the tenant of a call that requires a secret credential. Without a tenant: 28000; without a secret
/// credential: 42501.
pub fn secret() -> Result<Tenant> {
    having(Kind::may_act)
}

/// Returns the tenant of a call that only reads: a restricted credential is enough. Errors as of `secret`.
pub fn reader() -> Result<Tenant> {
    having(Kind::may_read)
}

fn having(may: fn(Kind) -> bool) -> Result<Tenant> {
    let credential = presented()?;
    let tenant = tenant_of(credential.as_ref())?;
    allowed(kind_of(credential.as_ref())?, may).map(|_| tenant)
}

fn allowed(kind: Kind, may: fn(Kind) -> bool) -> Result<()> {
    if may(kind) { Ok(()) } else { Err(Error::NotAllowed { kind }) }
}

/// Who may act for all tenants, in a call that has none.
#[derive(Clone, Copy)]
pub enum Operator {
    Admin,
    Relay,
    AdminOrRelay,
}

/// Returns the tenant of a call that requires a secret credential, and the name of the caller. Where no tenant is set
/// and no credential was presented, an operator acts for all tenants: `None`.
pub fn secret_or(operator: Operator) -> Result<(Option<Tenant>, String)> {
    having_or(Kind::may_act, operator)
}

/// As `secret_or`, in a call that only reads: a restricted credential is enough.
pub fn reader_or(operator: Operator) -> Result<Option<Tenant>> {
    having_or(Kind::may_read, operator).map(|(tenant, _)| tenant)
}

fn having_or(may: fn(Kind) -> bool, operator: Operator) -> Result<(Option<Tenant>, String)> {
    if presented()?.is_none() && setting()?.is_none() {
        let accesses = match operator {
            Operator::Admin => &[c"admin_access"][..],
            Operator::Relay => &[c"relay_access"],
            Operator::AdminOrRelay => &[c"admin_access", c"relay_access"],
        };
        // SAFETY: reads a variable of this backend, as in `kind_of`.
        let role_oid = unsafe { pg_sys::GetOuterUserId() };
        for access in accesses {
            if has_access(access, role_oid)? {
                return Ok((None, role()));
            }
        }
    }
    let caller = caller()?;
    allowed(caller.kind, may)?;
    Ok((Some(caller.tenant), caller.name))
}

/// Returns the caller who creates a session. Any credential may that is not restricted to reading; without one: 28000.
pub fn creator() -> Result<Caller> {
    let caller = caller()?;
    allowed(caller.kind, |kind| kind != Kind::Restricted)?;
    Ok(caller)
}

/// Returns the caller, with any credential; without one: 28000.
pub fn caller() -> Result<Caller> {
    let credential = presented()?;
    let tenant = tenant_of(credential.as_ref())?;
    let kind = kind_of(credential.as_ref())?;
    let (name, payment_methods, http) =
        credential.map_or((None, None, false), |presented| (presented.name, presented.payment_methods, presented.http));
    Ok(Caller { tenant, kind, name: name.unwrap_or_else(role), payment_methods, http })
}

/// The name of the credential that was presented in this transaction.
pub fn credential_name() -> Result<Option<String>> {
    Ok(presented()?.and_then(|credential| credential.name))
}

/// How long a credential lasts.
#[derive(Clone, Copy)]
pub enum Lasting {
    /// Until the transaction ends, or is rolled back to an earlier savepoint.
    Transaction,
    /// Until the current subtransaction ends.
    Subtransaction,
}

/// Returns true if the credential of this transaction came with an HTTP request.
pub fn calls_by_http() -> bool {
    presented().is_ok_and(|credential| credential.is_some_and(|credential| credential.http))
}

/// Makes a credential the current transaction's.
pub fn establish(credential: &Credential, lasting: Lasting) -> Result<()> {
    if hook_depth() > 0 {
        return Err(Error::NotAuthenticated { reason: "a hook keeps the credential that it is called with" });
    }
    if setting()?.is_some_and(|tenant| tenant != credential.tenant) {
        return Err(contradiction(credential.http));
    }
    enter(credential, lasting)
}

fn enter(credential: &Credential, lasting: Lasting) -> Result<()> {
    let text = serde_json::to_string(credential)
        .map_err(|error| Error::Internal(format!("a credential has no text: {error}")))?;
    let organization_id = credential.tenant.organization_id.to_string();
    let environment = credential.tenant.environment.as_str();
    set(c"checkout_sessions.organization_id", &organization_id, pg_sys::GucContext::PGC_SUSET, lasting);
    set(c"checkout_sessions.environment", environment, pg_sys::GucContext::PGC_SUSET, lasting);
    set(c"checkout_sessions.credential", &text, pg_sys::GucContext::PGC_INTERNAL, lasting);
    Ok(())
}

/// Does `work` for a tenant that the caller has proved another way, as the least of its credentials. What the caller had
/// presented applies again afterwards; an error puts it back when it ends the transaction or subtransaction.
pub fn within<T>(tenant: Tenant, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: within a transaction.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    let credential = Credential { tenant, kind: Kind::Publishable, name: None, payment_methods: None, http: false };
    enter(&credential, Lasting::Subtransaction)?;
    let result = work()?;
    // SAFETY: the level that was begun above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    Ok(result)
}

thread_local! {
    /// The number of hooks that are running: each is called by what the one before it does.
    static HOOKS: Cell<usize> = const { Cell::new(0) };
}

/// How deep in hooks this call is.
pub fn hook_depth() -> usize {
    HOOKS.get()
}

/// Does the work of a hook of the tenant, as a credential of the kind that its owner has access for. All settings that the
/// hook changes are put back afterwards; an error puts them back when it ends the subtransaction.
pub fn as_hook(tenant: Tenant, owner: pg_sys::Oid, work: impl FnOnce()) -> Result<()> {
    struct Deeper;
    impl Drop for Deeper {
        fn drop(&mut self) {
            HOOKS.set(HOOKS.get() - 1);
        }
    }
    let kind = if has_access(c"secret_access", owner)? {
        Kind::Secret
    } else if has_access(c"restricted_access", owner)? {
        Kind::Restricted
    } else {
        Kind::Publishable
    };
    // SAFETY: within a transaction.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    let credential = Credential { tenant, kind, name: Some(name_of(owner)), payment_methods: None, http: false };
    enter(&credential, Lasting::Subtransaction)?;
    let save = pg_sys::GucAction::GUC_ACTION_SAVE;
    backend::set(c"search_path", c"pg_catalog, pg_temp", pg_sys::GucContext::PGC_USERSET, save);
    postgrest::hide_request(save);
    HOOKS.set(HOOKS.get() + 1);
    let deeper = Deeper;
    work();
    drop(deeper);
    // SAFETY: the level that was begun above. As after an error, so that what the hook has SET ends, too.
    unsafe { pg_sys::AtEOXact_GUC(false, level) };
    Ok(())
}

/// Returns true if the claims of a request can be trusted: a session user with authenticator access verifies them.
pub fn trusts_claims() -> Result<bool> {
    // SAFETY: reads a variable of this backend.
    has_access(c"authenticator_access", unsafe { pg_sys::GetSessionUserId() })
}

fn contradiction(http: bool) -> Error {
    let reason = "the credential is of another tenant than checkout_sessions.organization_id and environment";
    if http { Error::unauthorized(reason) } else { Error::NotAuthenticated { reason } }
}

/// The credential that was presented in this transaction. Parallel workers do not get internal settings, so it is
/// absent there; the functions of policies, which run there, do without it.
fn presented() -> Result<Option<Credential>> {
    let Some(text) = gucs::credential()? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Error::Internal(format!("checkout_sessions.credential is malformed: {error}")))
}

/// The tenant in the settings.
fn setting() -> Result<Option<Tenant>> {
    let Some(text) = gucs::organization_id()? else { return Ok(None) };
    let organization_id = Uuid::try_parse(&text)
        .map_err(|_| Error::NotAuthenticated { reason: "checkout_sessions.organization_id is not a UUID" })?;
    Ok(Some(Tenant { organization_id, environment: gucs::environment() }))
}

fn tenant_of(credential: Option<&Credential>) -> Result<Tenant> {
    match (setting()?, credential) {
        (Some(tenant), None) => Ok(tenant),
        (Some(tenant), Some(credential)) if tenant == credential.tenant => Ok(tenant),
        // The settings were changed since, for example by RESET ALL.
        (_, Some(credential)) => Err(contradiction(credential.http)),
        (None, None) => Err(Error::NotAuthenticated { reason: "no organization is set" }),
    }
}

fn kind_of(credential: Option<&Credential>) -> Result<Kind> {
    if let Some(credential) = credential {
        return Ok(credential.kind);
    }
    // SAFETY: reads a variable of this backend. It is the role that the client has taken, not the owner of this
    // function.
    let role = unsafe { pg_sys::GetOuterUserId() };
    if has_access(c"secret_access", role)? {
        Ok(Kind::Secret)
    } else if has_access(c"restricted_access", role)? {
        Ok(Kind::Restricted)
    } else if has_access(c"publishable_access", role)? {
        Ok(Kind::Publishable)
    } else {
        Err(Error::NotAuthenticated {
            reason: "no credential was presented in this transaction, and the role has no secret, restricted or publishable access",
        })
    }
}

/// Returns true if a role has an access: if it may execute the function of `checkout_data` that stands for it.
fn has_access(marker: &CStr, role: pg_sys::Oid) -> Result<bool> {
    // SAFETY: look-ups in the catalog, within a transaction; a function that is not there has no OID.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"checkout_data".as_ptr(), true);
        let no_arguments = pg_sys::buildoidvector(std::ptr::null(), 0);
        let function = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(marker.as_ptr()),
            pg_sys::Datum::from(no_arguments),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::from(0),
        );
        if function == pg_sys::InvalidOid {
            return Err(Error::Internal(format!("function {} does not exist", marker.to_string_lossy())));
        }
        let mode = pg_sys::ACL_EXECUTE as pg_sys::AclMode;
        #[cfg(feature = "pg15")]
        let answer = pg_sys::pg_proc_aclcheck(function, role, mode);
        #[cfg(not(feature = "pg15"))]
        let answer = pg_sys::object_aclcheck(pg_sys::ProcedureRelationId, function, role, mode);
        Ok(answer == pg_sys::AclResult::ACLCHECK_OK)
    }
}

/// The role that makes the call, as `SET ROLE` left it.
pub fn role() -> String {
    // SAFETY: reads a variable of this backend.
    name_of(unsafe { pg_sys::GetOuterUserId() })
}

fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: with noerr a dropped role gives NULL, which is handled.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return String::new();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

fn set(name: &CStr, value: &str, context: pg_sys::GucContext::Type, lasting: Lasting) {
    let action = match lasting {
        Lasting::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
        Lasting::Subtransaction => pg_sys::GucAction::GUC_ACTION_SAVE,
    };
    let value = CString::new(value.replace('\0', "")).unwrap_or_default();
    backend::set(name, &value, context, action);
}
