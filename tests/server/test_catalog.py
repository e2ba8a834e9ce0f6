"""The examples of docs/catalog.md, as a new user would run them."""

import re

from conftest import ROOT


def test_the_examples_of_the_catalog_s_page_run(server):
    db = server.create_database(uses_catalog=True)
    page = (ROOT / "docs/catalog.md").read_text()
    examples = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 8
    output = db.psql("--tuples-only", "--no-align", input="\n".join(examples), text=True, user=db.shop)
    answers = output.splitlines()
    assert "f|not_found" in answers
    assert "complete|no_payment_required" in answers
    assert "FRIEND|1|9.50|0.00" in answers
