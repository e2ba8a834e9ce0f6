//! The HTTP status of an error in SQL: PostgREST's, except that the caller's part and the server's are told apart.

use axum::http::StatusCode;
use sqlx_postgres::PgDatabaseError;

use crate::gateway::failure::Failure;
use crate::sqlx::Error;

/// Who may retry, and when, depends on whose fault it is.
pub fn failure(error: &Error, has_credential: bool) -> Failure {
    let cause = error.to_string();
    match error {
        Error::Database(refused) => match refused.try_downcast_ref::<PgDatabaseError>() {
            Some(refused) => refusal(refused, has_credential),
            None => Failure::internal("XX000", cause),
        },
        Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => Failure::unavailable(cause),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => Failure::unavailable(cause),
        _ => Failure::internal("XX000", cause),
    }
}

fn refusal(refused: &PgDatabaseError, has_credential: bool) -> Failure {
    let (code, message) = (refused.code(), refused.message());
    let cause = || format!("{code}: {message}");
    match status_of(code, has_credential) {
        // What a scenario of the test environment asks for is told as it is.
        Some(status) if !status.is_server_error() || code.starts_with("PT") => Failure {
            details: refused.detail().map(Box::from),
            hint: refused.hint().map(Box::from),
            cause: status.is_server_error().then(|| cause().into()),
            ..Failure::new(status, code, message)
        },
        Some(StatusCode::GATEWAY_TIMEOUT) => Failure::too_slow(cause()),
        Some(StatusCode::SERVICE_UNAVAILABLE) => Failure::unavailable(cause()),
        _ => Failure::internal(code, cause()),
    }
}

/// `None`: a fault of the server, or of the gateway.
fn status_of(code: &str, has_credential: bool) -> Option<StatusCode> {
    if let Some(status) = code.strip_prefix("PT") {
        return status.parse().ok().and_then(|status: u16| StatusCode::from_u16(status).ok());
    }
    let status = match code {
        "42501" if has_credential => StatusCode::FORBIDDEN,
        "42501" => StatusCode::UNAUTHORIZED,
        "42883" | "42P01" => StatusCode::NOT_FOUND,
        "23503" | "23505" => StatusCode::CONFLICT,
        "25006" => StatusCode::METHOD_NOT_ALLOWED,
        "54001" | "54011" | "54023" => StatusCode::PAYLOAD_TOO_LARGE,
        "57014" => StatusCode::GATEWAY_TIMEOUT,
        "42P17" | "53400" => return None,
        _ => match code.get(..2)? {
            "28" | "0L" | "0P" => StatusCode::FORBIDDEN,
            // A lock that was not to be had, a deadlock, a server that stops: later it may go well.
            "08" | "40" | "53" | "55" | "57" => StatusCode::SERVICE_UNAVAILABLE,
            "09" | "25" | "2D" | "38" | "39" | "3B" | "54" | "58" | "F0" | "HV" | "P0" | "XX" if code != "P0001" => {
                return None;
            }
            _ => StatusCode::BAD_REQUEST,
        },
    };
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_has_postgrest_s_status() {
        let status = |code| status_of(code, true).map(|status| status.as_u16());
        for (code, expected) in [
            ("PT401", 401),
            ("PT404", 404),
            ("PT429", 429),
            ("PT599", 599),
            ("28000", 403),
            ("42501", 403),
            ("42703", 400),
            ("22P02", 400),
            ("P0001", 400),
            ("23505", 409),
            ("25006", 405),
            ("55P03", 503),
            ("57P01", 503),
            ("57014", 504),
        ] {
            assert_eq!(status(code), Some(expected), "{code}");
        }
        assert_eq!(status_of("42501", false), Some(StatusCode::UNAUTHORIZED));
        for code in ["XX000", "58030", "25P02", "PTabc", "PT99"] {
            assert_eq!(status(code), None, "{code}");
        }
    }
}
