"""Versions of the extension that were never released: a later one, and an earlier one whose schema lacks something.

Their install scripts are made of that of this version. They are installed into a copy of Postgres of their own, because
the versions that are there are for all servers of a copy.
"""

import shutil
from pathlib import Path

import conftest
from conftest import ROOT, Server

NOW = "0.1.0"
NEXT = "0.2.0-dev"
EARLIER = "0.0.9"
UPGRADES = Path(__file__).parents[1] / "upgrade"
INSTALL = (ROOT / f"sql/install/checkout_sessions--{NOW}.sql").read_text()
UPGRADE = (UPGRADES / f"checkout_sessions--{NOW}--{NEXT}.sql").read_text()

# What version 0.2.0-dev has in the files of sql/: the text of this version, and that of the next. The table, the trigger
# and the functions that are new are written as in the upgrade script.
EDITS = [
    ("    removal_began boolean NOT NULL DEFAULT false CHECK (deletion_began IS NOT NULL OR NOT removal_began),\n"
     "    created_at timestamptz NOT NULL DEFAULT now(),\n    updated_at timestamptz NOT NULL DEFAULT now(),\n",
     "    removal_began boolean NOT NULL DEFAULT false CHECK (deletion_began IS NOT NULL OR NOT removal_began),\n"
     "    created_at timestamptz NOT NULL DEFAULT now(),\n    updated_at timestamptz NOT NULL DEFAULT now(),\n"
     "    refund_approval text NOT NULL DEFAULT 'none',\n"
     "    CONSTRAINT organizations_refund_approval_check CHECK (refund_approval = ANY (ARRAY['none', 'required'])),\n"),
    ("COMMENT ON TABLE checkout_data.organizations IS",
     "COMMENT ON COLUMN checkout_data.organizations.refund_approval IS 'Whether refunds are approved by somebody.';\n"
     "COMMENT ON TABLE checkout_data.organizations IS"),
    ("    CONSTRAINT refunds_amount_check CHECK (amount > 0 AND amount < 'Infinity')\n);",
     "    approved_by text COLLATE \"C\",\n"
     "    CONSTRAINT refunds_approved_by_check CHECK (octet_length(approved_by) <= 100),\n"
     "    CONSTRAINT refunds_amount_check CHECK (amount > 0 AND amount < 'Infinity')\n);\n"
     "COMMENT ON COLUMN checkout_data.refunds.approved_by IS 'NULL for refunds of before version 0.2.0.';\n"
     "CREATE INDEX refunds_approved_by_idx\n"
     "    ON checkout_data.refunds (organization_id, environment, approved_by, refund_id);"),
    ("CREATE INDEX refunds_payment_idx ON", "CREATE INDEX refunds_payment_id_idx ON"),
    ("    idempotent_replay boolean\n);\nCOMMENT ON TYPE checkout.refund IS 'One refund of a payment.';",
     "    idempotent_replay boolean,\n    approved_by text\n);\n"
     "COMMENT ON TYPE checkout.refund IS 'One refund of a payment, and who has approved it.';"),
    ("        r.created_at, r.updated_at, idempotent_replay\n    )::checkout.refund",
     "        r.created_at, r.updated_at, idempotent_replay, r.approved_by\n    )::checkout.refund"),
    ("r.currency_code::pg_catalog.text AS currency_code, r.reason, r.created_at, r.updated_at\n"
     "    FROM checkout_data.refunds r",
     "r.currency_code::pg_catalog.text AS currency_code, r.reason, r.created_at, r.updated_at, r.approved_by\n"
     "    FROM checkout_data.refunds r"),
    ("GRANT SELECT, INSERT ON checkout_data.hook_failures TO checkout_sessions_api;",
     "GRANT SELECT, INSERT ON checkout_data.hook_failures TO checkout_sessions_api;\n"
     "GRANT SELECT, INSERT ON checkout_data.refund_approvals TO checkout_sessions_api;"),
    ("        'hook_failures', 'request_failures', 'session_counts',",
     "        'hook_failures', 'request_failures', 'refund_approvals', 'session_counts',"),
]


def between(text, start, end):
    """The part of a text from one phrase up to another."""
    return text[text.index(start):text.index(end)]


def edited(text, edits):
    for old, new in edits:
        assert text.count(old) == 1, f"{text.count(old)} times in the install script: {old}"
        text = text.replace(old, new)
    return text


def install_script():
    """The install script of 0.2.0-dev."""
    script = edited(INSTALL, EDITS).replace("'list_refunds',", "'list_refunds', 'list_refund_approvals',")
    new = [
        between(UPGRADE, "CREATE TABLE checkout_data.refund_approvals", "ALTER TABLE checkout_data.refund_approvals"),
        between(UPGRADE, "CREATE FUNCTION checkout_data.note", "REVOKE ALL ON FUNCTION checkout_data.note"),
        between(UPGRADE, "CREATE TRIGGER note_approval", "CREATE FUNCTION checkout.list_refund_approvals"),
        between(UPGRADE, "CREATE FUNCTION checkout.list_refund_approvals", "ALTER FUNCTION checkout.list_refund_approvals"),
    ]
    before = "-- Security: owners of functions and views"
    return edited(script, [(before, "".join(new) + before)])


class Versions:
    """Servers of a copy of Postgres in which versions can be installed."""

    def __init__(self, folder, monkeypatch):
        monkeypatch.setitem(conftest.ENVIRONMENT, "CHECKOUT_SESSIONS_RUN_DIR", str(folder))
        conftest.programs.cache_clear()
        self.share = Path(conftest.run(conftest.programs() / "pg_config", "--sharedir")) / "extension"
        self.put(NEXT, install_script())
        self.put(f"{NOW}--{NEXT}", UPGRADE)

    def put(self, versions, script):
        (self.share / f"checkout_sessions--{versions}.sql").write_text(script)

    def default(self, version):
        """What CREATE EXTENSION makes, and ALTER EXTENSION ... UPDATE. The start of a server resets it."""
        control = self.share / "checkout_sessions.control"
        lines = [f"default_version = '{version}'" if line.startswith("default_version") else line
                 for line in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")

    def server(self, name, *settings):
        server = Server(name)
        server.remove()
        return server.start(*settings)


def remove(folder):
    conftest.programs.cache_clear()
    shutil.rmtree(folder, ignore_errors=True)
