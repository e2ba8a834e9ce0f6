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
    on_hand integer NOT NULL,
    held checkout_data.count NOT NULL DEFAULT 0,
    continue_selling boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL,
    CONSTRAINT inventory_pkey PRIMARY KEY (organization_id, environment, product_id)
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
    change integer NOT NULL,
    on_hand integer NOT NULL,
    reason text,
    created_by text COLLATE "C",
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE checkout_data.inventory_changes IS
    'Every change of on_hand: what merchants adjust, and what was sold. The changes of a product sum up to its on_hand.';
COMMENT ON COLUMN checkout_data.inventory_changes.on_hand IS 'After the change.';
CREATE INDEX inventory_changes_product_idx
    ON checkout_data.inventory_changes (organization_id, environment, product_id, created_at);
ALTER TABLE checkout_data.inventory_changes ADD CONSTRAINT inventory_changes_pkey
    PRIMARY KEY (organization_id, environment, inventory_change_id);
