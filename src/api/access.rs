//! Who calls: API keys and tokens presented at the beginning of a transaction; and the buyer, who presents a session's secret.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::datum::{self, PublicSession, Text, required_text};
use crate::domain::client_secret::ClientSecret;
use crate::domain::credential::Credential;
use crate::domain::validate::{self, required};
use crate::domain::{self, Error, Result, api_key};
use crate::report::or_raise;
use crate::store::{api_keys, organizations, sessions};
use crate::tenant::{self, Lasting};
use crate::{gucs, postgrest, worker};

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
    let credential = or_raise((|| {
        let credential = credential_of(required_text("api_key", &api_key)?, false)?.ok_or(Error::InvalidApiKey)?;
        tenant::establish(&credential, Lasting::Transaction)?;
        Ok(credential)
    })());
    TableIterator::once((
        datum::uuid(credential.tenant.organization_id),
        credential.tenant.environment.as_str(),
        credential.kind.as_str(),
        credential.name,
    ))
}

/// The credential that an API key is; `None` for one that is unknown, wrong, revoked or expired.
pub(super) fn credential_of(text: &str, http: bool) -> Result<Option<Credential>> {
    let Some(presented) = api_key::parse(text) else {
        return Ok(None);
    };
    let now = datum::now();
    let stored = api_keys::find(presented.api_key_id)?;
    // The digests are compared in any case, so that a key that does not exist takes as long as a wrong one.
    let known = api_key::matches(&presented.digest, stored.as_ref().map(|key| &key.digest));
    let Some(key) = stored.filter(|key| known && key.active_at(now)) else {
        return Ok(None);
    };
    worker::note_use(presented.api_key_id, now);
    Ok(Some(Credential {
        tenant: key.tenant,
        kind: key.kind,
        name: Some(presented.api_key_id.to_owned()),
        payment_methods: key.payment_methods,
        http,
    }))
}

#[pg_extern(sql = false)]
fn pre_request() {
    or_raise((|| {
        let headers = postgrest::headers()?.unwrap_or_default();
        if let Some(trace_id) = domain::http_credential::trace_id(&headers) {
            postgrest::respond("X-Trace-Id", trace_id)?;
        }
        let by_key = match domain::http_credential::api_key(&headers)? {
            Some(text) => Some(credential_of(text, true)?.ok_or_else(|| Error::unauthorized("invalid API key"))?),
            None => None,
        };
        let by_token = credential_of_token()?;
        match (by_key, by_token) {
            (Some(key), Some(token)) if key.tenant != token.tenant => {
                Err(Error::unauthorized("the API key and the token are of different tenants"))
            }
            (Some(credential), _) | (None, Some(credential)) => tenant::establish(&credential, Lasting::Transaction),
            (None, None) => Ok(()),
        }
    })());
}

/// The credential that the claims of the request's token are, if they name an organization.
fn credential_of_token() -> Result<Option<Credential>> {
    let Some(claims) = postgrest::claims()? else {
        return Ok(None);
    };
    let paths = gucs::jwt_organization_claim()?.unwrap_or_default();
    let Some((tenant, kind)) = domain::http_credential::tenant(&claims, &paths, gucs::environment())? else {
        return Ok(None);
    };
    if !tenant::trusts_claims()? {
        return Err(Error::unauthorized(
            "the token's claims are not believed: the session user has no authenticator access",
        ));
    }
    if organizations::settings(tenant.organization_id)?.is_none() {
        return Err(Error::unauthorized("the token's organization does not exist"));
    }
    let subject = domain::http_credential::subject(&claims)
        .map(|subject| validate::text("sub", subject, validate::SHORT_TEXT))
        .transpose()
        .map_err(|_| Error::unauthorized("the token's subject is not a text of at most 255 characters"))?;
    Ok(Some(Credential { tenant, kind, name: subject.map(str::to_owned), payment_methods: None, http: true }))
}

#[pg_extern(sql = false)]
fn public_checkout_session(checkout_session_id: Option<Uuid>, client_secret: Option<Text>) -> PublicSession {
    or_raise((|| {
        let id = datum::from_uuid(required("checkout_session_id", checkout_session_id)?);
        let secret =
            ClientSecret::parse(required_text("client_secret", &client_secret)?).ok_or(Error::PublicSessionNotFound)?;
        let settings = organizations::settings(secret.tenant.organization_id)?.ok_or(Error::PublicSessionNotFound)?;
        if !secret.opens(&settings.client_secret_key, id) {
            return Err(Error::PublicSessionNotFound);
        }
        sessions::get_public(secret.tenant, id, datum::now())?.ok_or(Error::PublicSessionNotFound)
    })())
}
