-- Organizations: the tenants and their settings.

CREATE DOMAIN checkout_data.retries AS integer CHECK (VALUE BETWEEN 0 AND 10);
CREATE DOMAIN checkout_data.secret_key AS bytea CHECK (octet_length(VALUE) = 32);

CREATE TABLE checkout_data.organizations (
    organization_id uuid PRIMARY KEY,
    name checkout_data.identifier NOT NULL,
    default_lifetime interval NOT NULL DEFAULT '60 minutes',
    minimum_lifetime interval NOT NULL DEFAULT '1 second' CHECK (minimum_lifetime >= '1 second'),
    maximum_lifetime interval NOT NULL DEFAULT '48 hours' CHECK (maximum_lifetime <= '30 days'),
    max_retry_attempts checkout_data.retries NOT NULL DEFAULT 3,
    reference_policy text NOT NULL DEFAULT 'none'
        CHECK (reference_policy IN ('none', 'unique', 'error', 'return_existing', 'expire_previous')),
    sub_minor_amounts boolean NOT NULL DEFAULT false,
    payment_methods text[] NOT NULL DEFAULT '{bank_transfer,payid}' CHECK (cardinality(payment_methods) > 0),
    base_url text CHECK (base_url ~* '^https?://'),
    expiring_notice interval CHECK (expiring_notice BETWEEN '1 second' AND '30 days'),
    maximum_lease interval NOT NULL DEFAULT '15 minutes' CHECK (maximum_lease BETWEEN '1 second' AND '30 days'),
    payment_method_leases checkout_data.json_object NOT NULL DEFAULT '{}',
    require_payment_amount boolean NOT NULL DEFAULT false,
    app_link_schemes text[] NOT NULL DEFAULT '{}',
    strict_parameters boolean NOT NULL DEFAULT false,
    allowed_origins text[] NOT NULL DEFAULT '{}',
    uses_catalog boolean NOT NULL DEFAULT false,
    publishable_amounts boolean NOT NULL DEFAULT true,
    embedding_origins text[] NOT NULL DEFAULT '{}',
    payment_method_urls checkout_data.json_object NOT NULL DEFAULT '{}',
    allow_restart boolean NOT NULL DEFAULT false,
    cancel_expires boolean NOT NULL DEFAULT false,
    time_zone checkout_data.identifier NOT NULL DEFAULT 'UTC',
    renewal_grace_period interval NOT NULL DEFAULT '3 days'
        CHECK (renewal_grace_period BETWEEN '0' AND '366 days'),
    renewal_notice interval CHECK (renewal_notice BETWEEN '1 second' AND '366 days'),
    hooks_required boolean NOT NULL DEFAULT false,
    session_retention interval CHECK (session_retention BETWEEN '1 day' AND '36525 days'),
    personal_metadata_keys text[] NOT NULL DEFAULT '{}',
    request_failure_threshold integer CHECK (request_failure_threshold > 0),
    client_secret_key checkout_data.secret_key NOT NULL,
    deletion_began xid8,
    removal_began boolean NOT NULL DEFAULT false CHECK (deletion_began IS NOT NULL OR NOT removal_began),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organizations_lifetime_check CHECK (default_lifetime BETWEEN minimum_lifetime AND maximum_lifetime)
);
COMMENT ON TABLE checkout_data.organizations IS 'The tenants and their settings.';
COMMENT ON COLUMN checkout_data.organizations.default_lifetime IS
    'How long a session stays open when create_checkout_session is given neither expires_at nor expires_in.';
COMMENT ON COLUMN checkout_data.organizations.max_retry_attempts IS
    'How often a failed payment of a session may be retried, unless create_checkout_session is given another number.';
COMMENT ON COLUMN checkout_data.organizations.reference_policy IS
    'none: references may repeat. unique: one session per reference, as long as it is kept. error, return_existing, expire_previous: '
    'one open session per reference; the value says what create_checkout_session does when there is one.';
COMMENT ON COLUMN checkout_data.organizations.sub_minor_amounts IS
    'True allows amounts with up to 4 decimals in every currency.';
COMMENT ON COLUMN checkout_data.organizations.payment_methods IS
    'The payment methods of sessions that are created without any.';
COMMENT ON COLUMN checkout_data.organizations.base_url IS
    'The address of the hosted payment pages. The url of a session is this with the session''s id for '
    '{CHECKOUT_SESSION_ID}, or else this, a slash and the id; its client_secret follows behind a #, or is in the place of '
    '{CLIENT_SECRET}. NULL: the setting checkout_sessions.base_url.';
COMMENT ON COLUMN checkout_data.organizations.expiring_notice IS
    'How long before the deadline the event checkout.session.expiring is written. NULL: never.';
COMMENT ON COLUMN checkout_data.organizations.maximum_lease IS
    'How long a payment may hold its session open: the most that begin_payment accepts as lease.';
COMMENT ON COLUMN checkout_data.organizations.payment_method_leases IS
    'The maximum_lease of single payment methods, such as {"bank_transfer": "3 days"}.';
COMMENT ON COLUMN checkout_data.organizations.require_payment_amount IS
    'True makes record_payment refuse a success without an amount. Otherwise such a payment counts as paid in full.';
COMMENT ON COLUMN checkout_data.organizations.app_link_schemes IS
    'The schemes other than http and https that success_url and cancel_url may have.';
COMMENT ON COLUMN checkout_data.organizations.strict_parameters IS
    'True makes the dialects refuse parameters that they do not know. Otherwise they ignore them.';
COMMENT ON COLUMN checkout_data.organizations.allowed_origins IS
    'The origins of the pages that may read the answers of the dialects in a browser.';
COMMENT ON COLUMN checkout_data.organizations.uses_catalog IS
    'True looks up the product_id and price_id of new sessions in the catalog.';
COMMENT ON COLUMN checkout_data.organizations.publishable_amounts IS
    'False lets publishable credentials create sessions by price only.';
COMMENT ON COLUMN checkout_data.organizations.embedding_origins IS
    'The origins of the pages that may show a hosted payment page in a frame.';
COMMENT ON COLUMN checkout_data.organizations.payment_method_urls IS
    'Where the hosted payment page sends the buyer to pay, by payment method.';
COMMENT ON COLUMN checkout_data.organizations.allow_restart IS
    'True lets the buyer of an expired session start it again.';
COMMENT ON COLUMN checkout_data.organizations.cancel_expires IS 'True ends a session when its buyer cancels.';
COMMENT ON COLUMN checkout_data.organizations.time_zone IS
    'The IANA time zone in which the periods of new subscriptions are counted.';
COMMENT ON COLUMN checkout_data.organizations.renewal_grace_period IS
    'How long after its period a subscription may still be renewed as if in time. Then it has ended.';
COMMENT ON COLUMN checkout_data.organizations.renewal_notice IS
    'How long before the end of a period the event subscription.renewal_due is written. NULL: never.';
COMMENT ON COLUMN checkout_data.organizations.hooks_required IS
    'True refuses calls that end a session, other than reports of money, if its hook fails.';
COMMENT ON COLUMN checkout_data.organizations.session_retention IS
    'How long a session is kept after its end, within the bounds of the server. NULL: as long as the server keeps any.';
COMMENT ON COLUMN checkout_data.organizations.personal_metadata_keys IS
    'The members of metadata that erase_customer erases.';
COMMENT ON COLUMN checkout_data.organizations.request_failure_threshold IS
    'How many refused calls in five minutes write the event requests.failing. NULL: it is never written.';
COMMENT ON COLUMN checkout_data.organizations.client_secret_key IS
    '32 random bytes. The client secrets of the organization''s sessions are derived from them.';

COMMENT ON COLUMN checkout_data.organizations.deletion_began IS
    'The transaction since which nothing is created for the organization: see delete_organization. NULL: it lives.';
COMMENT ON COLUMN checkout_data.organizations.removal_began IS
    'True if its rows are being removed, and nobody acts for it: by then it was seen that no money is open.';

CREATE TYPE checkout.organization AS (
    organization_id uuid,
    name text,
    default_lifetime interval,
    minimum_lifetime interval,
    maximum_lifetime interval,
    max_retry_attempts integer,
    reference_policy text,
    sub_minor_amounts boolean,
    payment_methods text[],
    base_url text,
    expiring_notice interval,
    maximum_lease interval,
    payment_method_leases jsonb,
    require_payment_amount boolean,
    app_link_schemes text[],
    strict_parameters boolean,
    allowed_origins text[],
    uses_catalog boolean,
    publishable_amounts boolean,
    embedding_origins text[],
    payment_method_urls jsonb,
    allow_restart boolean,
    cancel_expires boolean,
    time_zone text,
    renewal_grace_period interval,
    renewal_notice interval,
    hooks_required boolean,
    session_retention interval,
    personal_metadata_keys text[],
    request_failure_threshold integer,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.organization IS 'A tenant and its settings.';

CREATE FUNCTION checkout_data.organization_of(o checkout_data.organizations) RETURNS checkout.organization
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        o.organization_id, o.name, o.default_lifetime, o.minimum_lifetime, o.maximum_lifetime, o.max_retry_attempts,
        o.reference_policy, o.sub_minor_amounts, o.payment_methods, o.base_url, o.expiring_notice, o.maximum_lease,
        o.payment_method_leases, o.require_payment_amount, o.app_link_schemes, o.strict_parameters, o.allowed_origins,
        o.uses_catalog, o.publishable_amounts, o.embedding_origins, o.payment_method_urls, o.allow_restart,
        o.cancel_expires, o.time_zone, o.renewal_grace_period, o.renewal_notice, o.hooks_required,
        o.session_retention, o.personal_metadata_keys, o.request_failure_threshold, o.created_at, o.updated_at
    )::checkout.organization
    $$;
COMMENT ON FUNCTION checkout_data.organization_of IS 'Returns an organization as administrators see it.';

CREATE FUNCTION checkout_data.organizations_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'organizations_changed_wrapper';
COMMENT ON FUNCTION checkout_data.organizations_changed IS
    'Trigger function: makes every backend drop its cached settings when the change is committed.';

CREATE TRIGGER organizations_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON checkout_data.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION checkout_data.organizations_changed();

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_organization(
    name text,
    default_lifetime interval DEFAULT NULL,
    minimum_lifetime interval DEFAULT NULL,
    maximum_lifetime interval DEFAULT NULL,
    max_retry_attempts integer DEFAULT NULL,
    reference_policy text DEFAULT NULL,
    sub_minor_amounts boolean DEFAULT NULL,
    payment_methods text[] DEFAULT NULL,
    base_url text DEFAULT NULL,
    expiring_notice interval DEFAULT NULL,
    maximum_lease interval DEFAULT NULL,
    payment_method_leases jsonb DEFAULT NULL,
    require_payment_amount boolean DEFAULT NULL,
    app_link_schemes text[] DEFAULT NULL,
    strict_parameters boolean DEFAULT NULL,
    allowed_origins text[] DEFAULT NULL,
    uses_catalog boolean DEFAULT NULL,
    publishable_amounts boolean DEFAULT NULL,
    embedding_origins text[] DEFAULT NULL,
    payment_method_urls jsonb DEFAULT NULL,
    allow_restart boolean DEFAULT NULL,
    cancel_expires boolean DEFAULT NULL,
    time_zone text DEFAULT NULL,
    renewal_grace_period interval DEFAULT NULL,
    renewal_notice interval DEFAULT NULL,
    hooks_required boolean DEFAULT NULL,
    session_retention interval DEFAULT NULL,
    personal_metadata_keys text[] DEFAULT NULL,
    request_failure_threshold integer DEFAULT NULL,
    organization_id uuid DEFAULT NULL
) RETURNS uuid
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_organization_wrapper';
COMMENT ON FUNCTION checkout.create_organization IS
$$Creates an organization and returns its id.

The first organization of a new database activates it: see activate_database.

- default_lifetime: how long a session stays open. Default: 60 minutes.
- minimum_lifetime, maximum_lifetime: the bounds of the lifetime of a session. Defaults: 1 second and 48 hours. The
  maximum is at most 30 days.
- max_retry_attempts: how often a failed payment of a session may be retried, 0 to 10. Default: 3.
- reference_policy: none (references may repeat), unique (one session per reference, as long as it is kept), or one
  open session per reference, and create_checkout_session then fails (error), returns that session (return_existing)
  or expires it (expire_previous). Default: none.
- sub_minor_amounts: true allows amounts with up to 4 decimals in every currency. Default: false.
- payment_methods: the payment methods of sessions that are created without any. Default: {bank_transfer,payid}.
- base_url: the address of the hosted payment pages. The id of a session comes behind a slash, or in the place of
  {CHECKOUT_SESSION_ID}, which a base URL with a query or a fragment must have. The client secret comes behind a #, or
  in the place of {CLIENT_SECRET}, which a fragment must have. Default: the setting checkout_sessions.base_url.
- expiring_notice: how long before the deadline the event checkout.session.expiring is written. Default: never.
- maximum_lease: how long a payment may hold its session open, 1 second to 30 days. Default: 15 minutes.
- payment_method_leases: the maximum_lease of single payment methods, for those that settle later, such as
  {"bank_transfer": "3 days"}. Default: none.
- require_payment_amount: true makes record_payment refuse a success without an amount. Default: false, and such a
  payment counts as paid in full.
- app_link_schemes: schemes that success_url and cancel_url may have beside http and https, such as {myapp}. Default:
  none.
- strict_parameters: true makes the dialects refuse parameters that they do not know. Default: false, and they ignore
  them.
- allowed_origins: the origins of the pages that may use the dialects in a browser, such as {https://shop.example}, at
  most 50. Default: none.
- uses_catalog: true looks up the product_id and price_id of a session in the catalog; an amount beside them must equal
  what the catalog says. Default: false, and they are stored as they are.
- publishable_amounts: false lets publishable credentials create sessions by price only. Default: true.
- embedding_origins: the origins of the pages that may show a hosted payment page in a frame, such as
  {https://shop.example}, at most 50. Default: none.
- payment_method_urls: where the hosted payment page sends the buyer to pay, by payment method, such as
  {"card": "https://pay.example/start?session={CHECKOUT_SESSION_ID}"}. The id is filled in. Default: none.
- allow_restart: true lets the buyer of an expired session start it again. Default: false.
- cancel_expires: true ends a session when its buyer cancels. Default: false, and the buyer may come back.
- time_zone: the IANA time zone in which the periods of new subscriptions are counted, such as Africa/Dakar. Default: UTC.
- renewal_grace_period: how long after the end of its period a subscription may still be renewed as if in time, at most
  366 days; then it has ended. For the periods that are paid after it is set. Default: 3 days.
- renewal_notice: how long before the end of a period the event subscription.renewal_due is written, at most 366 days.
  For the periods that are paid after it is set. Default: never.
- hooks_required: true refuses calls that end or create sessions, if a hook fails: see set_hook. Default: false.
- session_retention: how long a session is kept after its end, with its payments and events, 1 day to 100 years; the
  server's minimum_session_retention (31 days unless it says otherwise) and maximum_session_retention bound it. Default: as
  long as the server keeps any.
- personal_metadata_keys: the members of metadata that are personal, at most 50: erase_customer erases them. Default: none.
- request_failure_threshold: how many refused calls in five minutes write the event requests.failing: see the view
  request_failures. Default: it is never written.
- organization_id: for an organization that comes from another database: its id there. Default: a random id.

Errors:
- 22004: name is missing.
- 22003, 22023: an argument is out of its bounds, or organization_id is the nil UUID.
- PT409: there is an organization with this organization_id.$$;

CREATE FUNCTION checkout.update_organization(
    organization_id uuid,
    name text DEFAULT NULL,
    default_lifetime interval DEFAULT NULL,
    minimum_lifetime interval DEFAULT NULL,
    maximum_lifetime interval DEFAULT NULL,
    max_retry_attempts integer DEFAULT NULL,
    reference_policy text DEFAULT NULL,
    sub_minor_amounts boolean DEFAULT NULL,
    payment_methods text[] DEFAULT NULL,
    base_url text DEFAULT NULL,
    expiring_notice interval DEFAULT NULL,
    maximum_lease interval DEFAULT NULL,
    payment_method_leases jsonb DEFAULT NULL,
    require_payment_amount boolean DEFAULT NULL,
    app_link_schemes text[] DEFAULT NULL,
    strict_parameters boolean DEFAULT NULL,
    allowed_origins text[] DEFAULT NULL,
    uses_catalog boolean DEFAULT NULL,
    publishable_amounts boolean DEFAULT NULL,
    embedding_origins text[] DEFAULT NULL,
    payment_method_urls jsonb DEFAULT NULL,
    allow_restart boolean DEFAULT NULL,
    cancel_expires boolean DEFAULT NULL,
    time_zone text DEFAULT NULL,
    renewal_grace_period interval DEFAULT NULL,
    renewal_notice interval DEFAULT NULL,
    hooks_required boolean DEFAULT NULL,
    session_retention interval DEFAULT NULL,
    personal_metadata_keys text[] DEFAULT NULL,
    request_failure_threshold integer DEFAULT NULL
) RETURNS checkout.organization
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'update_organization_wrapper';
COMMENT ON FUNCTION checkout.update_organization IS
$$Changes settings of an organization and returns it.

The arguments are those of create_organization. A setting whose argument is NULL stays as it is. An empty base_url,
payment_method_leases, app_link_schemes, allowed_origins, embedding_origins, payment_method_urls or
personal_metadata_keys and a zero expiring_notice, renewal_notice, session_retention or request_failure_threshold remove
the setting. Existing sessions do not change; their pages do. Subscriptions take
the new settings with their next period, but keep their time zone.

Errors:
- 22004: organization_id is missing.
- 22003, 22023: an argument is out of its bounds.
- PT404: the organization does not exist.$$;

CREATE FUNCTION checkout.list_organizations() RETURNS SETOF checkout.organization
    LANGUAGE c STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_organizations_wrapper';
COMMENT ON FUNCTION checkout.list_organizations IS
$$Returns all organizations and their settings.$$;

CREATE FUNCTION checkout.rotate_client_secrets(
    organization_id uuid
) RETURNS checkout.organization
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'rotate_client_secrets_wrapper';
COMMENT ON FUNCTION checkout.rotate_client_secrets IS
$$Makes the client_secret of every session of an organization invalid, and returns the organization.

get_checkout_session then returns new ones.

Errors:
- 22004: organization_id is missing.
- PT404: the organization does not exist.$$;
