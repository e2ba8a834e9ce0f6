-- Persons and organizations that are forgotten: erase_customer, export_customer and delete_organization.

CREATE TYPE checkout.customer_record AS (
    kind text,
    record jsonb
);
COMMENT ON TYPE checkout.customer_record IS 'One thing that is stored about a customer.';
COMMENT ON COLUMN checkout.customer_record.kind IS
    'The view that has it: checkout_sessions, session_lines, session_terms, session_visits, payments, refunds, '
    'subscriptions or webhook_events.';
COMMENT ON COLUMN checkout.customer_record.record IS 'The row of the view; of an event with its snapshot.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.export_customer(
    customer_id text DEFAULT NULL,
    customer_email text DEFAULT NULL
) RETURNS SETOF checkout.customer_record
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'export_customer_wrapper';
COMMENT ON FUNCTION checkout.export_customer IS
$$Returns what the organization has stored about a customer, in the environment of the caller.

What receivers of webhooks answered, messages of hooks, and redeemed coupons are not among it.

With both arguments, what either finds. Case does not matter in an email address.

Errors:
- 22004, 22023: both arguments are missing, or one is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.$$;

CREATE FUNCTION checkout.erase_customer(
    customer_id text DEFAULT NULL,
    customer_email text DEFAULT NULL
) RETURNS TABLE (
    kind text,
    row_count integer
)
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'erase_customer_wrapper';
COMMENT ON FUNCTION checkout.erase_customer IS
$$Erases what is personal about a customer from the organization's rows, in the environment of the caller.

Erased are the names, email addresses and telephone numbers of sessions; the members of metadata that the organization's
personal_metadata_keys names; billing addresses; reasons of cancellations and refunds and messages of failed payments,
which are free texts; what receivers of webhooks answered, and said of failures; and the hashes of requests. The bodies of
events follow, also of those that were sent. A subscription or a coupon's redemption that knows only an email address gets a random one at
erased.invalid in its place. Amounts, dates and ids stay, also the customer_id.

Returns a row for each kind of thing, with the number of rows that it changed. With both arguments, what either finds.
Case does not matter in an email address.

Errors:
- 22004, 22023: both arguments are missing, or one is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT409: the customer has open sessions, or a subscription that has not ended.$$;

-- for administrators ----------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.delete_organization(
    organization_id uuid,
    confirm text,
    batch integer DEFAULT 1000
) RETURNS boolean
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'delete_organization_wrapper';
COMMENT ON FUNCTION checkout.delete_organization IS
$$Deletes an organization with all its rows, in pieces. Nothing of it can be had back.

The first call only ends it: from its commit on nothing is created for the organization any more, but reports of payments
and refunds are taken. Once all transactions of the database have ended that began before that, also those that only
read, each further call removes about batch sessions, or other rows of a kind, and returns true once nothing is left;
the first of them removes the API keys, and from then on nobody acts for the organization. Until then the calls return
false. Call it, each time in a transaction of its own. If money is open by then, the call takes the end back, warns, and
returns false; the next one is refused.

- confirm: the name of the organization.
- batch: 1 to 100000.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong.
- PT404: the organization does not exist.
- PT409: money is open: the organization has open sessions, payments to refund, pending refunds or subscriptions that have
  not ended.$$;
