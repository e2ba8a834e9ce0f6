//! The client secret, with which a buyer's page reads one session.
//!
//! It is not stored. It is the HMAC-SHA256 of the session's key under a secret of the organization, together with the
//! organization's id and environment, so that it can be checked before any session is looked up. A new secret of the
//! organization ends all of its client secrets.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::credential::{Environment, Tenant};

/// The secret of an organization.
pub type Key = [u8; 32];

pub const PREFIX: &str = "cs_secret_";
const MAC: usize = 32;
const LENGTH: usize = 16 + 1 + MAC;

/// A client secret as a caller presents it.
pub struct ClientSecret {
    pub tenant: Tenant,
    mac: [u8; MAC],
}

/// The client secret of a session.
pub fn derive(key: &Key, tenant: Tenant, checkout_session_id: Uuid) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(tenant.organization_id.as_bytes());
    bytes.push(letter(tenant.environment));
    bytes.extend(mac(key, tenant, checkout_session_id).finalize().into_bytes());
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl ClientSecret {
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; LENGTH] = bytes.try_into().ok()?;
        let environment = match bytes[16] {
            b'l' => Environment::Live,
            b't' => Environment::Test,
            _ => return None,
        };
        Some(Self {
            tenant: Tenant { organization_id: Uuid::from_slice(&bytes[..16]).ok()?, environment },
            mac: bytes[17..].try_into().ok()?,
        })
    }

    /// Returns true if it is the session's. The time does not depend on where it differs.
    pub fn opens(&self, key: &Key, checkout_session_id: Uuid) -> bool {
        mac(key, self.tenant, checkout_session_id).verify_slice(&self.mac).is_ok()
    }
}

fn letter(environment: Environment) -> u8 {
    environment.as_str().as_bytes()[0]
}

fn mac(key: &Key, tenant: Tenant, checkout_session_id: Uuid) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC takes keys of any length") };
    mac.update(b"checkout_sessions client_secret");
    mac.update(tenant.organization_id.as_bytes());
    mac.update(&[letter(tenant.environment)]);
    mac.update(checkout_session_id.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1; 32];
    const SESSION: Uuid = Uuid::from_bytes([9; 16]);

    fn tenant() -> Tenant {
        Tenant { organization_id: Uuid::from_bytes([7; 16]), environment: Environment::Live }
    }

    #[test]
    fn it_opens_its_session_and_nothing_else() {
        let text = derive(&KEY, tenant(), SESSION);
        assert_eq!(text.len(), 76);
        let secret = ClientSecret::parse(&text).expect("as derived");
        assert_eq!(secret.tenant, tenant());
        assert!(secret.opens(&KEY, SESSION));
        assert!(!secret.opens(&KEY, Uuid::from_bytes([8; 16])), "another session");
        assert!(!secret.opens(&[2; 32], SESSION), "after the organization's secret has changed");
    }

    #[test]
    fn who_changes_the_tenant_in_it_opens_nothing() {
        let secret = ClientSecret::parse(&derive(&KEY, tenant(), SESSION)).expect("as derived");
        let elsewhere = Tenant { organization_id: Uuid::from_bytes([6; 16]), ..tenant() };
        assert!(!ClientSecret { tenant: elsewhere, ..secret }.opens(&KEY, SESSION));
        let secret = ClientSecret::parse(&derive(&KEY, tenant(), SESSION)).expect("as derived");
        let test = Tenant { environment: Environment::Test, ..tenant() };
        assert!(!ClientSecret { tenant: test, ..secret }.opens(&KEY, SESSION));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = derive(&KEY, tenant(), SESSION);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            let opens = ClientSecret::parse(&changed)
                .is_some_and(|secret| secret.tenant == tenant() && secret.opens(&KEY, SESSION));
            assert!(!opens, "{at}");
        }
        for text in ["", PREFIX, "cs_secret_AAAA", &text[..75], &format!("{text}A")] {
            assert!(ClientSecret::parse(text).is_none(), "{text}");
        }
    }
}
