//! The tenant and the arguments of the statistics. SQL computes these; here a wrong call is refused, and counted, as all
//! others are.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use rules::validate::{one_of, period};

use crate::datum::{self, Text, required_text, text};
use crate::report::or_raise;
use crate::tenant;

const BUCKETS: [&str; 4] = ["hour", "day", "week", "month"];
const DIMENSIONS: [&str; 5] = ["currency", "method", "product", "country", "environment"];

#[pg_extern(sql = false)]
fn session_funnel(
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    bucket: Option<Text>,
    by: Option<Text>,
) -> pgrx::Uuid {
    or_raise(|| {
        let organization_id = tenant::reader()?.organization_id;
        period(created_after, created_before)?;
        one_of("bucket", required_text("bucket", &bucket)?, &BUCKETS)?;
        text("by", &by)?.map(|by| one_of("by", by, &DIMENSIONS)).transpose()?;
        Ok(datum::uuid(organization_id))
    })
}

#[pg_extern(sql = false)]
fn coupon_performance(
    code: Option<Text>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
) -> pgrx::Uuid {
    or_raise(|| {
        let organization_id = tenant::reader()?.organization_id;
        text("code", &code)?;
        period(created_after, created_before)?;
        Ok(datum::uuid(organization_id))
    })
}
