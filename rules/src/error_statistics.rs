//! What statistics say of an error: its message, without the values of a call.

use crate::Error;

/// What stands for a value.
const HIDDEN: &str = "…";

impl Error {
    /// The message without what the caller has named or the database has stored, for statistics.
    pub fn without_values(&self) -> String {
        let mut message = self.to_string();
        for value in self.values().iter().filter(|value| !value.is_empty()) {
            message = message.replace(value.as_str(), HIDDEN);
        }
        message
    }

    /// The values that the message repeats.
    fn values(&self) -> Vec<String> {
        match self {
            Self::InvalidArgument { fault, .. }
            | Self::OutOfRange { fault, .. }
            | Self::Malformed { fault, .. }
            | Self::InvalidSetting { fault, .. }
            | Self::Misconfigured { fault, .. } => quoted(fault),
            Self::UnknownParameter { name, .. } | Self::ConsumerNotFound { name } => vec![name.clone()],
            Self::ConsumerHasUndelivered { name, .. } => vec![name.clone()],
            Self::ApiKeyNotFound { api_key_id } | Self::ApiKeyNotActive { api_key_id, .. } => vec![api_key_id.clone()],
            Self::SessionNotFound { checkout_session_id } => vec![checkout_session_id.to_string()],
            Self::NoSuchSession { id } | Self::NotInCatalog { id, .. } | Self::NotSold { id, .. } => vec![id.clone()],
            Self::OrganizationNotFound { organization_id } | Self::OrganizationExists { organization_id } => {
                vec![organization_id.to_string()]
            }
            Self::EventNotFound { event_id } | Self::LeaseLost { event_id } => vec![event_id.clone()],
            Self::DeliveryNotFound { event_id, webhook_endpoint_id } => {
                vec![event_id.clone(), webhook_endpoint_id.to_string()]
            }
            Self::EndpointNotFound { webhook_endpoint_id }
            | Self::EndpointHasUndelivered { webhook_endpoint_id, .. } => vec![webhook_endpoint_id.to_string()],
            Self::PaymentConflict { payment_id, .. } | Self::PaymentNotFound { payment_id } => vec![payment_id.clone()],
            Self::RefundConflict { refund_id, fault } => std::iter::once(refund_id.clone())
                .chain(fault.split(' ').filter(|word| word.contains(|c: char| c.is_ascii_digit())).map(str::to_owned))
                .collect(),
            Self::NotTracked { product_id } | Self::SoldOut { product_id } => vec![product_id.clone()],
            Self::Internal(message) => vec![message.clone()],
            _ => Vec::new(),
        }
    }
}

/// The parts of a fault that are quoted: what a library repeats of its input.
fn quoted(fault: &str) -> Vec<String> {
    ['"', '`'].iter().flat_map(|mark| fault.split(*mark).skip(1).step_by(2)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn statistics_have_messages_without_values() {
        let id = Uuid::from_u128(7);
        for (error, message) in [
            (Error::SessionNotFound { checkout_session_id: id }, "checkout session … not found or access denied"),
            (Error::NoSuchSession { id: "order 66".into() }, "checkout session … not found or access denied"),
            (Error::PaymentNotFound { payment_id: "pay_1".into() }, "payment \"…\" not found or access denied"),
            (Error::invalid("amount", "must be greater than 0"), "argument \"amount\" must be greater than 0"),
            (
                Error::invalid("at", "invalid type: string \"Ada\", expected `u8`"),
                "argument \"at\" invalid type: string \"…\", expected `…`",
            ),
            (
                Error::RefundConflict {
                    refund_id: "re_1".into(),
                    fault: "is more than what is left to refund: 12.50 EUR".into(),
                },
                "refund \"…\" is more than what is left to refund: … EUR",
            ),
            (Error::SoldOut { product_id: "tea".into() }, "product \"…\" is sold out, or has fewer units left"),
            (
                Error::UnknownParameter { name: "emial".into(), nearest: Some("email") },
                "… is not a parameter; did you mean email?",
            ),
        ] {
            assert_eq!(error.without_values(), message);
        }
    }
}
