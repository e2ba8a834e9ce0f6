//! Hooks: functions that are called when sessions end.

use pgrx::prelude::*;
use pgrx::{Uuid, pg_sys};
use rules::Error;
use rules::checkout::hook::HookEvent;
use rules::validate::required;

use crate::datum::{self, Hook, Rows, Text, required_text};
use crate::report::or_raise;
use crate::store::{hooks, organizations};

#[pg_extern(sql = false)]
fn set_hook(organization_id: Option<Uuid>, event: Option<Text>, function: Option<pg_sys::Oid>) {
    or_raise(|| {
        let organization_id = datum::from_uuid(required("organization_id", organization_id)?);
        let event = HookEvent::parse(required_text("event", &event)?)?;
        organizations::lock(organization_id)?.ok_or(Error::OrganizationNotFound { organization_id })?;
        match function {
            Some(function) => hooks::set(organization_id, event, function),
            None => hooks::remove(organization_id, event),
        }
    })
}

#[pg_extern(sql = false)]
fn list_hooks(organization_id: Option<Uuid>) -> Rows<Hook> {
    Rows(or_raise(|| hooks::list(organization_id.map(datum::from_uuid))))
}
