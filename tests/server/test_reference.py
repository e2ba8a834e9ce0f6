"""docs/reference.md and types/checkout.d.ts are true: their examples run, and what they refuse does not compile."""

import re
import subprocess

from conftest import ROOT, install_packages

REFERENCE = ROOT / "docs/reference.md"
SAMPLE = ROOT / "tests/server/clients/types"


def test_every_example_runs(new_server):
    answer = new_server().database().psql("--file", str(ROOT / "docs/reference.sql"))
    assert "succeeded" in answer and "checkout.session.completed" in answer


def test_every_function_has_its_section_with_its_arguments(db):
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", REFERENCE.read_text(), re.MULTILINE | re.DOTALL))
    functions = db.sql(
        """SELECT p.proname, COALESCE(array_agg(a.name) FILTER (WHERE a.name <> ''), '{}') AS arguments
           FROM pg_proc p
           LEFT JOIN LATERAL unnest(p.proargnames, COALESCE(p.proargmodes, '{}')) AS a (name, mode)
               ON COALESCE(a.mode, 'i') = 'i'
           WHERE p.pronamespace = 'checkout'::regnamespace GROUP BY p.oid, p.proname""")
    assert len(functions) > 50
    missing = {(f["proname"], argument) for f in functions for argument in f["arguments"]
               if f"| `{argument}` |" not in sections.get(f["proname"], "")}
    assert not missing


def test_the_types_accept_what_is_right_and_refuse_what_is_wrong():
    install_packages(SAMPLE)
    compiled = subprocess.run(["node_modules/.bin/tsc", "--project", "."], cwd=SAMPLE, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout
