-- Credentials: how a caller presents one, and which organization and environment it acts for.

CREATE FUNCTION checkout.authenticate(
    api_key text
) RETURNS TABLE (
    organization_id uuid,
    environment text,
    kind text,
    api_key_id text
)
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'authenticate_wrapper';
COMMENT ON FUNCTION checkout.authenticate IS
$$Presents an API key for the rest of the transaction, and returns its organization, environment and kind.

Until the transaction ends, functions act for the organization and environment of the key and allow what its kind
allows. A rollback to an earlier savepoint takes the credential back. Works in READ ONLY transactions and on a
standby.

Pass the key as a parameter of the statement, so that it does not appear in the statement's text. Unknown, mistyped,
revoked and expired keys all give the same error.

Errors:
- 22004: api_key is missing.
- 28000: the key is not valid, or belongs to another tenant than the credential that is already set.$$;

CREATE FUNCTION checkout.pre_request() RETURNS void
    LANGUAGE c STRICT SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'pre_request_wrapper';
COMMENT ON FUNCTION checkout.pre_request IS
$$Presents the credential of an HTTP request. For PostgREST's setting db-pre-request.

The credential is an API key in the header x-api-key or in Authorization: Bearer, or a token. The claims of a token
name the organization (at checkout_sessions.jwt_organization_claim), the environment (default: the setting
checkout_sessions.environment) and the kind (default: secret). They are believed if the session user has authenticator
access. A request without credential is anonymous, and may only call what takes a client_secret.

Errors:
- PT401 (HTTP status 401): a credential is not valid, or two credentials contradict each other.$$;

CREATE TYPE checkout.credential AS (
    organization_id uuid,
    organization_name text,
    environment text,
    kind text,
    name text
);
COMMENT ON TYPE checkout.credential IS 'Whom a caller acts for, and with which rights.';
COMMENT ON COLUMN checkout.credential.environment IS 'live or test.';
COMMENT ON COLUMN checkout.credential.kind IS 'secret, restricted (only reads) or publishable.';
COMMENT ON COLUMN checkout.credential.name IS 'The id of the API key, the subject of the token, or the role.';

CREATE FUNCTION checkout.current_credential() RETURNS checkout.credential
    LANGUAGE c STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'current_credential_wrapper';
COMMENT ON FUNCTION checkout.current_credential IS
$$Returns whom the caller acts for, and with which rights.

Errors:
- 28000: the caller is not authenticated.$$;

-- These two have no search path of their own: they look up no names, and policies call them in every statement. Because of
-- their cost, the planner prefers an index, which calls them once, to a filter, which calls them for each row.

CREATE FUNCTION checkout.current_organization_id() RETURNS uuid
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
    AS 'MODULE_PATHNAME', 'current_organization_id_wrapper';
COMMENT ON FUNCTION checkout.current_organization_id IS
$$Returns the organization that the caller acts for.

That is the organization of the credential presented in this transaction, or else the setting
checkout_sessions.organization_id. The policies call this function.

Errors:
- 28000: no organization is set, the setting is not a UUID, or it contradicts the credential.$$;

CREATE FUNCTION checkout.current_environment() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
    AS 'MODULE_PATHNAME', 'current_environment_wrapper';
COMMENT ON FUNCTION checkout.current_environment IS
$$Returns the environment that the caller acts in, live or test.

That is the environment of the credential presented in this transaction, or else the setting
checkout_sessions.environment.

Errors:
- 28000: no organization is set.$$;

CREATE FUNCTION checkout_data.reader_organization_id() RETURNS uuid
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'reader_organization_id_wrapper';
COMMENT ON FUNCTION checkout_data.reader_organization_id IS
    'Returns the organization that the caller acts for. Error 42501 if its credential may not read, as a publishable one.';
