//! Running as the restricted role that sees every tenant.

#![expect(unsafe_code, reason = "switches the user")]

use pgrx::pg_sys;

use rules::{Error, Result};

/// Runs `work` as the role that owns the maintenance functions. The worker does so because it must not be the bootstrap
/// superuser: a trigger on a table runs with these rights, too. Callers whose tenant is not known yet do so as well.
pub fn as_worker_role<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: within a transaction. If `work` raises an error, the abort restores the user.
    unsafe {
        let role = pg_sys::get_role_oid(c"checkout_sessions_worker".as_ptr(), true);
        if role == pg_sys::InvalidOid {
            return Err(Error::Internal("role checkout_sessions_worker does not exist".into()));
        }
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
        pg_sys::SetUserIdAndSecContext(role, context | restricted as i32);
    }
    let result = work();
    // SAFETY: as it was before.
    unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
    result
}

/// Runs `work` as the owner of a hook, within a subtransaction. Restricted: it cannot take another role, and leaves nothing
/// behind that would run at the end of the transaction, when the user is another.
pub fn as_hook_owner(owner: pg_sys::Oid, work: impl FnOnce()) {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    // SAFETY: if `work` raises an error, the end of the subtransaction restores the user.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        pg_sys::SetUserIdAndSecContext(owner, context | restricted as i32);
        work();
        pg_sys::SetUserIdAndSecContext(user, context);
    }
}
