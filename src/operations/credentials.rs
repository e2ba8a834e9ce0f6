//! Finds the credential that a caller presents.

use rules::access::credential::Credential;
use rules::access::{api_key, http_credential};
use rules::{Error, Result, validate};

use crate::shared::api_key_uses;
use crate::store::{api_keys, organizations};
use crate::{datum, gucs, postgrest, tenant};

/// The credential of an API key; `None` if the key is unknown, wrong, revoked or expired.
pub fn of_api_key(text: &str, http: bool) -> Result<Option<Credential>> {
    let Some(presented) = api_key::parse(text) else {
        return Ok(None);
    };
    let now = datum::now();
    let stored = api_keys::find(presented.api_key_id)?;
    // The digests are compared in any case, so that an unknown key takes as long as a wrong one.
    let known = api_key::matches(&presented.digest, stored.as_ref().map(|key| &key.digest));
    let Some(key) = stored.filter(|key| known && key.active_at(now)) else {
        return Ok(None);
    };
    api_key_uses::note_use(presented.api_key_id, now);
    Ok(Some(Credential {
        tenant: key.tenant,
        kind: key.kind,
        name: Some(presented.api_key_id.to_owned()),
        payment_methods: key.payment_methods,
        http,
    }))
}

/// The credential in the claims of the request's token, if they name an organization.
pub fn of_token() -> Result<Option<Credential>> {
    let Some(claims) = postgrest::claims()? else {
        return Ok(None);
    };
    let paths = gucs::jwt_organization_claim()?.unwrap_or_default();
    let Some((tenant, kind)) = http_credential::tenant(&claims, &paths, gucs::environment())? else {
        return Ok(None);
    };
    if !tenant::trusts_claims()? {
        let reason = "the token's claims are not believed: the session user has no authenticator access";
        return Err(Error::unauthorized(reason));
    }
    if organizations::settings(tenant.organization_id)?.is_none() {
        return Err(Error::unauthorized("the token's organization does not exist"));
    }
    let subject = http_credential::subject(&claims)
        .map(|subject| validate::text("sub", subject, validate::SHORT_TEXT))
        .transpose()
        .map_err(|_| Error::unauthorized("the token's subject is not a text of at most 255 characters"))?;
    Ok(Some(Credential { tenant, kind, name: subject.map(str::to_owned), payment_methods: None, http: true }))
}
