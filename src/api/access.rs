//! Credentials: API keys and tokens, which a caller presents at the beginning of a transaction; and the secret of a
//! session, which a buyer presents.

use pgrx::Uuid;
use pgrx::prelude::*;
use rules::Error;
use rules::access::client_secret::ClientSecret;
use rules::access::http_credential;
use rules::validate::required;

use crate::datum::{self, Credential, PublicSession, Text, required_text};
use crate::operations::credentials;
use crate::postgrest;
use crate::report::or_raise;
use crate::store::{organizations, sessions};
use crate::tenant::{self, Lasting};

#[pg_extern(sql = false)]
fn authenticate(
    api_key: Option<Text>,
) -> TableIterator<
    'static,
    (
        name!(organization_id, Uuid),
        name!(environment, &'static str),
        name!(kind, &'static str),
        name!(api_key_id, Option<String>),
    ),
> {
    let credential = or_raise(|| {
        let credential =
            credentials::of_api_key(required_text("api_key", &api_key)?, false)?.ok_or(Error::InvalidApiKey)?;
        tenant::establish(&credential, Lasting::Transaction)?;
        Ok(credential)
    });
    TableIterator::once((
        datum::uuid(credential.tenant.organization_id),
        credential.tenant.environment.as_str(),
        credential.kind.as_str(),
        credential.name,
    ))
}

#[pg_extern(sql = false)]
fn pre_request() {
    or_raise(|| {
        let headers = postgrest::headers()?.unwrap_or_default();
        if let Some(trace_id) = http_credential::trace_id(&headers) {
            postgrest::respond("X-Trace-Id", trace_id)?;
        }
        let by_key = match http_credential::api_key(&headers)? {
            Some(text) => {
                Some(credentials::of_api_key(text, true)?.ok_or_else(|| Error::unauthorized("invalid API key"))?)
            }
            None => None,
        };
        let by_token = credentials::of_token()?;
        match (by_key, by_token) {
            (Some(key), Some(token)) if key.tenant != token.tenant => {
                Err(Error::unauthorized("the API key and the token are of different tenants"))
            }
            (Some(credential), _) | (None, Some(credential)) => tenant::establish(&credential, Lasting::Transaction),
            (None, None) => Ok(()),
        }
    });
}

#[pg_extern(sql = false)]
fn public_checkout_session(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> PublicSession {
    or_raise(|| {
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let secret =
            ClientSecret::parse(required_text("client_secret", &client_secret)?).ok_or(Error::PublicSessionNotFound)?;
        let settings = organizations::settings(secret.tenant.organization_id)?.ok_or(Error::PublicSessionNotFound)?;
        if !secret.opens(&settings.client_secret_key, id) {
            return Err(Error::PublicSessionNotFound);
        }
        sessions::get_public(secret.tenant, id, datum::now())?.ok_or(Error::PublicSessionNotFound)
    })
}

#[pg_extern(sql = false)]
fn current_credential() -> Credential {
    or_raise(|| organizations::credential(&tenant::caller()?)?.ok_or(tenant::NO_ORGANIZATION))
}

// No search path of their own: they look up no names, and policies call them in every statement.
#[pg_extern(sql = false)]
fn current_organization_id() -> pgrx::Uuid {
    datum::uuid(or_raise(tenant::current).organization_id)
}

#[pg_extern(sql = false)]
fn current_environment() -> &'static str {
    or_raise(tenant::current).environment.as_str()
}

/// For functions in SQL and views: the organization of the caller, if its credential may read.
#[pg_extern(sql = false)]
fn reader_organization_id() -> pgrx::Uuid {
    datum::uuid(or_raise(tenant::reader).organization_id)
}
