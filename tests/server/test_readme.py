"""The README is true: its examples run as they stand, in order, on a new server."""

import re

from conftest import ROOT

# ```sql, or ```sql role=NAME; without one, the superuser.
EXAMPLE = re.compile(r"^```sql(?: role=(\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_runs(new_server):
    server = new_server()
    examples = EXAMPLE.findall((ROOT / "README.md").read_text())
    assert len(examples) >= 5
    answers = ""
    for role, sql in examples:
        answer = server.database().psql("--tuples-only", user=role or "postgres", input=sql)
        # The signature that it makes is also the one that it verifies.
        assert "AS genuine" not in sql or answer == "t"
        answers += answer
    # The promises of the twelve lines.
    assert re.search(r"open\b.*succeeded\b.*complete +\| paid\b.*checkout\.session\.completed", answers, re.DOTALL)


def test_every_setting_is_in_its_table(db):
    settings = db.sql("SELECT name FROM pg_settings WHERE name LIKE 'checkout_sessions.%'")
    documented = set(re.findall(r"^\| `(checkout_sessions\.\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert documented == {row["name"] for row in settings}


def test_every_function_is_in_its_table(db):
    functions = db.sql("SELECT proname FROM pg_proc WHERE pronamespace = 'checkout'::regnamespace")
    text = (ROOT / "README.md").read_text()
    missing = {row["proname"] for row in functions if f"`{row['proname']}" not in text and f"checkout.{row['proname']}" not in text}
    assert missing <= {"current_organization_id", "current_environment"}
