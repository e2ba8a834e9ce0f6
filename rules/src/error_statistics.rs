//! What statistics say of an error: its message, without the values of a call.

use uuid::Uuid;

use crate::Error;

/// What stands for a value.
const HIDDEN: &str = "…";

/// Stands for an id until the message is written.
const NO_ID: Uuid = Uuid::max();

impl Error {
    /// The message without what the caller has named or the database has stored, for statistics.
    pub fn without_values(&self) -> String {
        let mut error = self.clone();
        error.hide_values();
        error.to_string().replace(&NO_ID.to_string(), HIDDEN)
    }

    /// Hides the values that the message repeats.
    fn hide_values(&mut self) {
        match self {
            Self::InvalidArgument { fault, .. }
            | Self::OutOfRange { fault, .. }
            | Self::Malformed { fault, .. }
            | Self::InvalidSetting { fault, .. }
            | Self::Misconfigured { fault, .. } => *fault = without_quoted(fault),
            Self::RefundConflict { refund_id, fault } => {
                HIDDEN.clone_into(refund_id);
                *fault = without_numbers(fault);
            }
            Self::UnknownParameter { name: value, .. }
            | Self::ConsumerNotFound { name: value }
            | Self::ConsumerHasUndelivered { name: value, .. }
            | Self::ApiKeyNotFound { api_key_id: value }
            | Self::ApiKeyNotActive { api_key_id: value, .. }
            | Self::NoSuchSession { id: value }
            | Self::NotInCatalog { id: value, .. }
            | Self::NotSold { id: value, .. }
            | Self::EventNotFound { event_id: value }
            | Self::LeaseLost { event_id: value }
            | Self::PaymentConflict { payment_id: value, .. }
            | Self::PaymentNotFound { payment_id: value }
            | Self::NotTracked { product_id: value }
            | Self::SoldOut { product_id: value }
            | Self::Internal(value) => HIDDEN.clone_into(value),
            Self::DeliveryNotFound { event_id, webhook_endpoint_id } => {
                HIDDEN.clone_into(event_id);
                *webhook_endpoint_id = NO_ID;
            }
            Self::SessionNotFound { checkout_session_id: id }
            | Self::OrganizationNotFound { organization_id: id }
            | Self::OrganizationExists { organization_id: id }
            | Self::EndpointNotFound { webhook_endpoint_id: id }
            | Self::EndpointHasUndelivered { webhook_endpoint_id: id, .. } => *id = NO_ID,
            _ => {}
        }
    }
}

/// Hides what is quoted in a fault: what a library repeats of its input.
fn without_quoted(fault: &str) -> String {
    ['"', '`'].into_iter().fold(fault.to_owned(), |fault, mark| {
        let parts = fault.split(mark).enumerate().map(|(at, part)| if at % 2 == 1 { HIDDEN } else { part });
        parts.collect::<Vec<_>>().join(&mark.to_string())
    })
}

fn without_numbers(fault: &str) -> String {
    let has_digit = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    fault.split(' ').map(|word| if has_digit(word) { HIDDEN } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_have_messages_without_values() {
        let id = Uuid::from_u128(7);
        for (error, message) in [
            (Error::SessionNotFound { checkout_session_id: id }, "checkout session … not found or access denied"),
            (Error::NoSuchSession { id: "order 66".into() }, "checkout session … not found or access denied"),
            (Error::PaymentNotFound { payment_id: "a".into() }, "payment \"…\" not found or access denied"),
            (Error::NoSuchSession { id: "session".into() }, "checkout session … not found or access denied"),
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
