"""Every name in the five documents, copied from them: a name without a row would be a gap in the table."""

NAMES = {
    "kobo": {
        "operation": "verify",
        "parameter": "amount email customer_name reference callback_url payment_methods metadata",
        "status": "active completed failed expired",
    },
    "lomi": {
        "parameter": """amount currency_code title description customer_id customer_email customer_name customer_phone
            product_id price_id subscription_id allow_quantity quantity success_url cancel_url allow_coupon_code
            require_billing_address metadata""",
        "field": """checkout_session_id organization_id amount currency_code status title description customer_id
            customer_email customer_name customer_phone product_id price_id subscription_id allow_quantity quantity
            success_url cancel_url allow_coupon_code require_billing_address payment_link_id is_spi is_pos expires_at
            metadata environment created_at created_by updated_at""",
        "header": "x-api-key",
        "status": "open complete expired",
        "event": "checkout.session.completed checkout.session.expired",
        "error": "400 401 404",
    },
    "paygate": {
        "parameter": """amount currency success_url cancel_url customer customer_email customer_phone
            payment_method_types metadata expires_at limit starting_after status customer payment""",
        "field": """id object status url amount currency payment payment_status customer customer_email success_url
            cancel_url metadata expires_at created_at""",
        "header": "Authorization",
        "rule": "{CHECKOUT_SESSION_ID}",
        "status": "open complete expired",
        "event": "checkout.session.completed checkout.session.expired",
    },
    "flutterwave": {
        "header": "Authorization X-Trace-Id X-Idempotency-Key X-Scenario-Key",
        "parameter": "amount currency customer_id redirect_url reference max_retry_attempts session_duration",
        "field": """status message data data.id data.amount data.currency data.customer_id data.checkout_url
            data.redirect_url data.reference data.created_datetime data.max_retry_attempts data.session_duration""",
    },
    "yuno": {
        "parameter": """customer_id merchant_order_id payment_description callback_url country amount amount.currency
            amount.value metadata metadata[].key metadata[].value""",
        "field": """checkout_session customer_id merchant_order_id payment_description callback_url country created_at
            amount metadata""",
    },
}


def missing(rows):
    """The names that have no row."""
    there = {(row.dialect, row.kind, row.name) for row in rows}
    kinds = [(dialect, kind, names) for dialect, kinds in NAMES.items() for kind, names in kinds.items()]
    wanted = [(dialect, kind, name) for dialect, kind, names in kinds for name in names.split()]
    return [name for name in wanted if name not in there]
