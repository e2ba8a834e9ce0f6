//! The call of a hook: as its owner, for the tenant of the session, in a subtransaction, and not for longer than
//! `checkout_sessions.hook_timeout`.

#![expect(unsafe_code, reason = "calls a function, and interrupts it")]

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;
use rules::Result;
use rules::checkout::hook::Failure;

use super::callers::Hidden;
use super::subtransaction::{self, Refusal};
use crate::datum::{Composite, Session};
use crate::shared::unending_hooks;
use crate::tenant::{self, Tenant};
use crate::{gucs, role};

/// A function, and the role that it runs as.
#[derive(Clone, Copy)]
pub struct Callable {
    pub function: pg_sys::Oid,
    pub owner: pg_sys::Oid,
}

/// Calls a function with a session. What it changes is rolled back if it fails. The owner's rights begin and end inside of
/// the subtransaction, so that its end puts our own back. An interrupt by anybody else is raised, and no failure.
pub fn call(tenant: Tenant, callable: Callable, session: &Session) -> Result<std::result::Result<(), Failure>> {
    if unending_hooks::is_noted(callable.function) {
        return Ok(Err(Failure::new(
            "57014",
            "the hook has ended a connection by catching every cancel: mend it, and call set_hook",
        )));
    }
    let argument = session.datum();
    let _hidden = Hidden::begin()?;
    let _running = Running::begin(callable.function);
    let timer = Timer::start();
    let work = || {
        tenant::as_hook(tenant, callable.owner, || {
            // SAFETY: a function of one argument of this type, within a transaction that has a snapshot.
            role::as_hook_owner(callable.owner, || unsafe { invoke(callable.function, argument) });
        })?;
        if timer.has_interrupted() {
            // The hook has caught that.
            ereport!(ERROR, PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "the time of the hook is over");
        }
        Ok(())
    };
    let called = subtransaction::undone_if_it_fails(work, |refusal| is_failure(refusal, timer.outermost));
    let timed_out = timer.end();
    Ok(match called? {
        Ok(()) => Ok(()),
        Err(_) if timed_out => Err(Failure::new("57014", "the hook did not end within checkout_sessions.hook_timeout")),
        Err(refusal) => Err(Failure::new(refusal.sqlstate, &refusal.message)),
    })
}

/// The hook that this process calls, until it is dropped.
struct Running {
    before: pg_sys::Oid,
}

impl Running {
    fn begin(function: pg_sys::Oid) -> Self {
        Self { before: unending_hooks::running(function) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        unending_hooks::running(self.before);
    }
}

/// Calls a function of one argument, which is not NULL. The server's own way takes a result of NULL for an error, and some
/// languages have no other for void.
///
/// # Safety
/// The function exists, and takes one argument of the type that the datum has.
unsafe fn invoke(function: pg_sys::Oid, argument: pg_sys::Datum) {
    let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + size_of::<pg_sys::NullableDatum>();
    // SAFETY: as the server's FunctionCall1Coll does it. Errors of the function pass through the guard.
    unsafe {
        let found = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info(function, found);
        let call = pg_sys::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
        (*call).flinfo = found;
        (*call).nargs = 1;
        let arguments = (*call).args.as_mut_ptr();
        (*arguments).value = argument;
        if let Some(address) = (*found).fn_addr {
            pg_sys::ffi::pg_guard_ffi_boundary(|| address(call));
        }
    }
}

/// A cancelled statement is a failure of its hook if the timer has cancelled it, and this call has set the timer. So is an
/// error that only looks like a cancel, such as that of another server: only one function ends statements here.
fn is_failure(refusal: &Refusal, outermost: bool) -> bool {
    let interrupted = refusal.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
        && refusal.raised_by.as_deref() == Some("ProcessInterrupts");
    !interrupted || (outermost && FIRED.load(Ordering::Relaxed) > 0)
}

/// How often the timer has interrupted the hook.
static FIRED: AtomicI32 = AtomicI32::new(0);
/// A connection ends when a hook has gone on this often after an interrupt: it would never end.
const PATIENCE: i32 = 3;

/// The time that a hook has, and those that it leads to.
struct Timer {
    outermost: bool,
}

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    static TIMEOUT: Cell<Option<c_int>> = const { Cell::new(None) };
}

// The server's timeouts. pgrx does not have them. SetLatch is called by a signal handler, so without pgrx's guard.
unsafe extern "C-unwind" {
    fn RegisterTimeout(id: c_int, handler: unsafe extern "C-unwind" fn()) -> c_int;
    fn enable_timeout_every(id: c_int, at: i64, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn SetLatch(latch: *mut pg_sys::Latch);
}
/// `USER_TIMEOUT` in utils/timeout.h: the server gives a number from there on.
#[cfg(any(feature = "pg15", feature = "pg16"))]
const USER_TIMEOUT: c_int = 12;
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
const USER_TIMEOUT: c_int = 13;

impl Timer {
    fn start() -> Self {
        let outermost = !RUNNING.replace(true);
        if outermost {
            FIRED.store(0, Ordering::Relaxed);
            let timeout = gucs::HOOK_TIMEOUT.get();
            // SAFETY: registered once; the handler only sets variables that are made for it. It fires again for hooks that
            // go on after an interrupt.
            unsafe {
                let id = TIMEOUT.get().unwrap_or_else(|| RegisterTimeout(USER_TIMEOUT, interrupt));
                TIMEOUT.set(Some(id));
                enable_timeout_every(id, crate::backend::now() + i64::from(timeout) * 1_000, timeout);
            }
        }
        Self { outermost }
    }

    fn has_interrupted(&self) -> bool {
        self.outermost && FIRED.load(Ordering::Relaxed) > 0
    }

    /// Returns true if the timer has interrupted the hook.
    fn end(self) -> bool {
        self.outermost && stop()
    }
}

impl Drop for Timer {
    /// Also if an error passes.
    fn drop(&mut self) {
        if self.outermost {
            stop();
            RUNNING.set(false);
        }
    }
}

fn stop() -> bool {
    // SAFETY: the timeout was registered. An interrupt that came as the hook ended must not cancel what comes after it.
    unsafe {
        if let Some(id) = TIMEOUT.get() {
            disable_timeout(id, false);
        }
        let fired = FIRED.load(Ordering::Relaxed) > 0;
        if fired {
            pg_sys::QueryCancelPending = 0;
        }
        fired
    }
}

unsafe extern "C-unwind" fn interrupt() {
    let fired = FIRED.fetch_add(1, Ordering::Relaxed) + 1;
    // SAFETY: what the server's own handlers of timeouts do.
    unsafe {
        if fired >= PATIENCE {
            unending_hooks::give_up();
            pg_sys::ProcDiePending = 1;
        }
        pg_sys::QueryCancelPending = 1;
        pg_sys::InterruptPending = 1;
        SetLatch(pg_sys::MyLatch);
    }
}
