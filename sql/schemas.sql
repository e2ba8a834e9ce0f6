\echo Use "CREATE EXTENSION checkout_sessions" to load this file. \quit

-- The schemas, and the domains that tables of several subjects share.

-- Every name and operator below is looked up in pg_catalog alone.
SET LOCAL search_path TO pg_catalog, pg_temp;
-- The catalogs keep the text of what functions set.
SET LOCAL quote_all_identifiers TO off;

DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE feature_not_supported USING MESSAGE = 'checkout_sessions needs a database whose encoding is UTF8';
    END IF;
END
$$;

-- Plain CREATE SCHEMA fails where a schema of that name exists. It must not be adopted: its owner keeps rights in it.
CREATE SCHEMA checkout;
COMMENT ON SCHEMA checkout IS 'Checkout sessions: the functions that applications call.';

CREATE SCHEMA checkout_data;
COMMENT ON SCHEMA checkout_data IS
    'Checkout sessions: storage. Applications have no rights here; they call the functions of schema checkout.';

-- A domain checks a single value. The server keeps a domain's checks in memory, but reads those of a table again from
-- their stored text in every statement that inserts or updates. A dozen of those took a fifth of the time of a create.
-- What indexes contain is compared byte by byte (COLLATE "C"): the order of other collations changes with the C library,
-- and a unique index that was built in another order lets duplicates in.
-- The primary key is the last index of its table. Before the first ANALYZE, indexes look alike to the planner, and then
-- it takes the newest: otherwise it would look up a row by its key in all rows of the organization.
CREATE DOMAIN checkout_data.environment AS text COLLATE "C" CHECK (VALUE IN ('live', 'test'));
CREATE DOMAIN checkout_data.identifier AS text COLLATE "C" CHECK (char_length(VALUE) BETWEEN 1 AND 255);
CREATE DOMAIN checkout_data.count AS integer CHECK (VALUE >= 0);
CREATE DOMAIN checkout_data.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN checkout_data.currency_code AS text CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN checkout_data.sha256 AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN checkout_data.json_object AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');

-- lower() would fold the letters of ASCII alone, or those that the machine's locale knows. Leakproof, so that conditions
-- with it are looked up in indexes before row-level security: it tells nothing of an address.
CREATE FUNCTION checkout_data.folded(email text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'folded_wrapper';
COMMENT ON FUNCTION checkout_data.folded IS 'Returns an email address in lower case, letters beyond ASCII included.';
