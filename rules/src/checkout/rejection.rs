//! Why a session cannot accept money that was taken.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    SessionExpired,
    SessionFailed,
    AlreadyPaid,
    AmountMismatch,
    CurrencyMismatch,
    OutOfStock,
    TrialUsed,
    AlreadyRenewed,
    SubscriptionCanceled,
}

impl Rejection {
    #[rustfmt::skip]
    pub const ALL: [Self; 9] = [
        Self::SessionExpired, Self::SessionFailed, Self::AlreadyPaid, Self::AmountMismatch, Self::CurrencyMismatch,
        Self::OutOfStock, Self::TrialUsed, Self::AlreadyRenewed, Self::SubscriptionCanceled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionExpired => "session_expired",
            Self::SessionFailed => "session_failed",
            Self::AlreadyPaid => "already_paid",
            Self::AmountMismatch => "amount_mismatch",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::OutOfStock => "out_of_stock",
            Self::TrialUsed => "trial_used",
            Self::AlreadyRenewed => "already_renewed",
            Self::SubscriptionCanceled => "subscription_canceled",
        }
    }
}
