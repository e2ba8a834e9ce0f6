"""Settings with wrong values in postgresql.conf: the server starts and goes on without them, and its log says why."""

from conftest import wait_until

WRONG = {
    "checkout_sessions.organization_id": ("abc", "must be a UUID"),
    "checkout_sessions.base_url": ("https://pay.example/?k=1", "must have {CHECKOUT_SESSION_ID}"),
    "checkout_sessions.webhook_allowed_ranges": ("10.0.0.0/33", "neither an address nor a CIDR range"),
    "checkout_sessions.jwt_organization_claim": ("user_metadata.id", "must not name user_metadata"),
    "checkout_sessions.worker_database": ("é" * 32, "must have at most 63 bytes"),
}


def write(server, values):
    lines = [f"{name} = '{value}'\n" for name, value in values.items()]
    with (server.data / "postgresql.conf").open("a") as file:
        file.writelines(lines)


def shown(db):
    return {name: db.value("SELECT current_setting(%s)", name) for name in WRONG}


def test_a_server_starts_without_what_is_wrong_in_its_configuration(new_server):
    server = new_server()
    db = server.create_database()
    defaults = shown(db)
    server.stop()
    write(server, {name: value for name, (value, _) in WRONG.items()})
    server.start()
    assert shown(db) == defaults
    for name, (_, fault) in WRONG.items():
        assert any(f'setting "{name}" ' in line and fault in line for line in server.log().splitlines()), name
    # The sessions have no URL, and no organization is taken for another.
    session = db.create()
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["url"] is None


def test_a_reload_keeps_what_was_right(new_server):
    server = new_server("checkout_sessions.base_url=https://pay.example")
    db = server.create_database()
    write(server, {"checkout_sessions.base_url": "ftp://x"})
    db.sql("SELECT pg_reload_conf()")
    wait_until(lambda: 'setting "checkout_sessions.base_url" must be an http or https URL' in server.log())
    session = db.create()
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["url"].startswith(f"https://pay.example/{session}#")
