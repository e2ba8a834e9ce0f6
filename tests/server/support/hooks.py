"""Hooks of a shop, and what became of them."""

from contextlib import closing


def hook(db, event, body, organization_id=None, name="hook"):
    """Sets a hook, whose owner has the shop's access and a table of its own."""
    owner = f"owner_{db.name}"
    if not db.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", owner):
        db.sql(f"CREATE ROLE {owner}")
    if not db.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'shop'"):
        db.sql(f"CREATE SCHEMA shop AUTHORIZATION {owner}; SELECT checkout.grant_access('{owner}', 'secret')")
        db.sql(f"SET ROLE {owner}; CREATE TABLE shop.notes (session uuid, note text)")
    db.sql(f"""SET ROLE {owner};
        CREATE OR REPLACE FUNCTION shop.{name}(s checkout.checkout_session) RETURNS void LANGUAGE plpgsql AS $hook$
        BEGIN
            INSERT INTO shop.notes VALUES (s.checkout_session_id, s.status);
            {body}
        END $hook$""")
    db.sql(f"SELECT checkout.set_hook(%s, %s, 'shop.{name}(checkout.checkout_session)')",
           organization_id or db.organization_id, event)


def notes(db, session):
    return [row["note"] for row in db.sql("SELECT note FROM shop.notes WHERE session = %s", session)]


def failures(db, session):
    rows = db.sql("SELECT sqlstate, message FROM checkout_data.hook_failures WHERE checkout_session_id = %s", session)
    return [(row["sqlstate"], row["message"]) for row in rows]


TOO_LONG = [("57014", "the hook did not end within checkout_sessions.hook_timeout")]


def another_shop(db):
    """A second organization in the database. Returns its id, and a function that creates a session for it."""
    organization_id = db.value("SELECT checkout.create_organization('Other')::text")

    def create(expires_in):
        with closing(db.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET checkout_sessions.organization_id = %s", [organization_id])
            cursor.execute("SELECT checkout_session_id FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c',"
                           " expires_in => %s)", [expires_in])
            return cursor.fetchone()["checkout_session_id"]

    return organization_id, create
