//! The arguments of the statistics. SQL computes these; here a wrong call is refused, and counted, as all others are.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use rules::validate::{one_of, period};

use crate::datum::{Text, required_text, text};
use crate::report::or_raise;

const BUCKETS: [&str; 4] = ["hour", "day", "week", "month"];
const DIMENSIONS: [&str; 5] = ["currency", "method", "product", "country", "environment"];

#[pg_extern(sql = false)]
fn session_funnel(
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    bucket: Option<Text>,
    by: Option<Text>,
) {
    or_raise(|| {
        period(created_after, created_before)?;
        one_of("bucket", required_text("bucket", &bucket)?, &BUCKETS)?;
        text("by", &by)?.map(|by| one_of("by", by, &DIMENSIONS)).transpose().map(|_| ())
    });
}

#[pg_extern(sql = false)]
fn coupon_performance(
    code: Option<Text>,
    created_after: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
) {
    or_raise(|| {
        text("code", &code)?;
        period(created_after, created_before)
    });
}
