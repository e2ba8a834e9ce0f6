//! The settings of an organization for its sessions.

use chrono::TimeDelta;
use uuid::Uuid;

use super::lifetime::Lifetime;
use super::reference::ReferencePolicy;
use crate::access::client_secret;
use crate::access::credential::Tenant;

/// The settings of an organization that affect its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub lifetime: Lifetime,
    pub max_retry_attempts: i32,
    pub reference_policy: ReferencePolicy,
    pub sub_minor_amounts: bool,
    pub payment_methods: Vec<String>,
    pub base_url: Option<String>,
    pub expiring_notice: Option<TimeDelta>,
    /// The secret from which the client secrets of its sessions are derived.
    pub client_secret_key: client_secret::Key,
}

impl Settings {
    /// The client secret of a session.
    pub fn client_secret(&self, tenant: Tenant, checkout_session_id: Uuid) -> String {
        client_secret::derive(&self.client_secret_key, tenant, checkout_session_id)
    }
}

/// The settings of a new organization, before its key is made.
impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: Lifetime {
                default: TimeDelta::minutes(60),
                minimum: TimeDelta::seconds(1),
                maximum: TimeDelta::hours(48),
            },
            max_retry_attempts: 3,
            reference_policy: ReferencePolicy::None,
            sub_minor_amounts: false,
            payment_methods: vec!["bank_transfer".into(), "payid".into()],
            base_url: None,
            expiring_notice: None,
            client_secret_key: [0; 32],
        }
    }
}
