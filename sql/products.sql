-- Products, and their stock.

CREATE TABLE checkout_data.products (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    product_id checkout_data.identifier COLLATE "C" NOT NULL,
    name text NOT NULL,
    description text,
    image_url text,
    active boolean NOT NULL DEFAULT true,
    metadata checkout_data.json_object NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.products IS 'What merchants sell. A product that is not active is not sold any more.';
-- Serves lists, newest first.
CREATE INDEX products_created_at_idx ON checkout_data.products (organization_id, environment, created_at, product_id);
ALTER TABLE checkout_data.products ADD CONSTRAINT products_pkey
    PRIMARY KEY (organization_id, environment, product_id);

-- A row for each product whose stock is tracked. Who reserves or counts units locks it; who releases or sells them does
-- not: see holds.sql.
CREATE TABLE checkout_data.inventory (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    product_id checkout_data.identifier COLLATE "C" NOT NULL,
    on_hand bigint NOT NULL,
    held bigint NOT NULL DEFAULT 0,
    continue_selling boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL,
    CONSTRAINT inventory_pkey PRIMARY KEY (organization_id, environment, product_id),
    CONSTRAINT inventory_held_check CHECK (held >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE checkout_data.inventory IS 'The stock of products. A product without a row is not tracked.';
COMMENT ON COLUMN checkout_data.inventory.on_hand IS
    'The units that are there. Those that were sold are subtracted when the worker counts them. Below zero: more were sold.';
COMMENT ON COLUMN checkout_data.inventory.held IS
    'At least the units of all holds. It is more while holds have been released since it was last counted.';
COMMENT ON COLUMN checkout_data.inventory.continue_selling IS 'True: sold even if no unit is available.';

CREATE TABLE checkout_data.inventory_changes (
    organization_id uuid NOT NULL,
    environment checkout_data.environment NOT NULL,
    inventory_change_id uuid NOT NULL,
    product_id checkout_data.identifier COLLATE "C" NOT NULL,
    change bigint NOT NULL,
    on_hand bigint NOT NULL,
    reason text,
    created_by text COLLATE "C",
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.inventory_changes IS
    'Every change of on_hand: what merchants adjust, and what was sold. The changes of a product sum up to its on_hand.';
COMMENT ON COLUMN checkout_data.inventory_changes.on_hand IS 'After the change.';
COMMENT ON COLUMN checkout_data.inventory_changes.reason IS
    'That of an adjustment, or created, sold or not tracked (tracking was stopped).';
COMMENT ON COLUMN checkout_data.inventory_changes.created_by IS 'NULL: the worker.';
CREATE INDEX inventory_changes_product_idx
    ON checkout_data.inventory_changes (organization_id, environment, product_id, created_at);
ALTER TABLE checkout_data.inventory_changes ADD CONSTRAINT inventory_changes_pkey
    PRIMARY KEY (organization_id, environment, inventory_change_id);

CREATE TYPE checkout.product AS (
    product_id text,
    organization_id uuid,
    environment text,
    name text,
    description text,
    image_url text,
    active boolean,
    metadata jsonb,
    on_hand bigint,
    held bigint,
    available bigint,
    continue_selling boolean,
    created_at timestamptz,
    updated_at timestamptz
);
COMMENT ON TYPE checkout.product IS 'Something that is sold, and its stock.';
COMMENT ON COLUMN checkout.product.active IS 'False: no new session sells it. Open ones still do.';
COMMENT ON COLUMN checkout.product.on_hand IS
    'The units that are there. Those that are sold are subtracted a moment later; until then they are held. NULL: stock is '
    'not tracked.';
COMMENT ON COLUMN checkout.product.held IS 'The units that open sessions keep for their buyers, or that were just sold.';
COMMENT ON COLUMN checkout.product.available IS 'on_hand - held: what other buyers may have.';
COMMENT ON COLUMN checkout.product.continue_selling IS 'True: sold even if no unit is available.';

CREATE FUNCTION checkout_data.product_of(
    p checkout_data.products,
    i checkout_data.inventory,
    held bigint
) RETURNS checkout.product
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ROW(
        p.product_id, p.organization_id, p.environment, p.name, p.description, p.image_url, p.active, p.metadata,
        i.on_hand, CASE WHEN i.on_hand IS NOT NULL THEN held END, i.on_hand OPERATOR(pg_catalog.-) held,
        i.continue_selling, p.created_at, GREATEST(p.updated_at, i.updated_at)
    )::checkout.product
    $$;
COMMENT ON FUNCTION checkout_data.product_of IS
    'Returns a product as callers see it, with the units that are held of its stock.';

-- for applications ------------------------------------------------------------------------------------------------

CREATE FUNCTION checkout.create_product(
    name text,
    product_id text DEFAULT NULL,
    description text DEFAULT NULL,
    image_url text DEFAULT NULL,
    active boolean DEFAULT true,
    metadata jsonb DEFAULT '{}',
    on_hand integer DEFAULT NULL,
    continue_selling boolean DEFAULT false
) RETURNS checkout.product
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_product_wrapper';
COMMENT ON FUNCTION checkout.create_product IS
$$Adds a product to the catalog, and returns it. create_price says what it costs.

- name: what buyers read.
- product_id: an id of yours, unique within the organization and environment. Default: a new UUID.
- description: what buyers read, up to 5000 characters.
- image_url: an http or https URL.
- active: false for a product that is not sold yet.
- metadata: a JSON object of at most 32 kB.
- on_hand: the units that are there. Sessions hold units for their buyers then. Default: stock is not tracked.
- continue_selling: true sells the product even if no unit is available. Needs on_hand.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT409: there is a product with this product_id.$$;

CREATE FUNCTION checkout.update_product(
    product_id text,
    name text DEFAULT NULL,
    description text DEFAULT NULL,
    image_url text DEFAULT NULL,
    active boolean DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    track_inventory boolean DEFAULT NULL,
    continue_selling boolean DEFAULT NULL
) RETURNS checkout.product
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'update_product_wrapper';
COMMENT ON FUNCTION checkout.update_product IS
$$Changes a product, and returns it. Sessions that exist keep what they sell.

What is NULL stays as it is. An empty description or image_url removes it. adjust_inventory changes the stock.

- product_id: the product.
- name, description, image_url, metadata: as for create_product. metadata replaces all that was there.
- active: false sells the product in no new session.
- track_inventory: true begins to track the stock, with 0 on hand. false stops, and forgets how much was there.
- continue_selling: true sells the product even if no unit is available.

Errors:
- 22004, 22023: an argument is missing or wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the product does not exist.
- PT409: continue_selling is given, and the stock is not tracked.$$;

CREATE FUNCTION checkout.list_products(
    active boolean DEFAULT NULL,
    page_size integer DEFAULT 20,
    starting_after text DEFAULT NULL
) RETURNS SETOF checkout.product
    LANGUAGE c STABLE SECURITY DEFINER PARALLEL RESTRICTED
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'list_products_wrapper';
COMMENT ON FUNCTION checkout.list_products IS
$$Returns products, newest first.

- active: true for those that are sold, false for those that are not. Default: all.
- page_size: 1 to 100.
- starting_after: a product_id; the page after it is returned.

Errors:
- 22023: an argument is wrong.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable.
- PT404: the product of starting_after does not exist.$$;

CREATE FUNCTION checkout.adjust_inventory(
    product_id text,
    change integer,
    reason text DEFAULT NULL
) RETURNS checkout.product
    LANGUAGE c SECURITY DEFINER
    SET search_path TO pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'adjust_inventory_wrapper';
COMMENT ON FUNCTION checkout.adjust_inventory IS
$$Adds units to the stock of a product, or takes some away, and returns the product.

The view inventory_changes has every change. Units that sessions hold for their buyers stay theirs, even if fewer are
left: on_hand is below zero then, once they are sold.

- product_id: the product.
- change: the number of units; below zero, if they are gone.
- reason: why, for you: up to 255 characters.

Errors:
- 22003, 22004, 22023: an argument is missing or wrong, or less than nothing would be left and continue_selling is false.
- 28000: the caller is not authenticated.
- 42501 (PT403 in an HTTP request): the credential is publishable or restricted.
- PT404: the product does not exist.
- PT409: the stock of the product is not tracked.$$;
