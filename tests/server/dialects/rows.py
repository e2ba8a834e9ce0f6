"""The rows of the conformance table, and the checks that show them.

    documented = rows.of("kobo")

    @documented("parameter", "amount", "in kobo, required")
    @documented("rule", "amount", "at least 100")
    def amount_is_in_kobo(shop): ...

A row may give its check arguments: then the check is run with each of them.
"""

import re
from dataclasses import dataclass, field
from typing import Callable

KINDS = ("operation", "header", "parameter", "field", "rule", "status", "event", "error")


@dataclass(frozen=True)
class Row:
    dialect: str
    kind: str
    name: str
    says: str
    check: Callable
    arguments: tuple = field(hash=False)

    @property
    def test(self):
        """The name of the test in pytest."""
        argument = "".join("-" + re.sub(r"[^\w.-]+", "_", str(argument)) for argument in self.arguments[:1])
        return f"{self.dialect}-{self.check.__name__}{argument}"


ROWS = []


def of(dialect):
    """Makes the decorator of one dialect's rows."""

    def documented(kind, name, says, *arguments):
        assert kind in KINDS, kind

        def register(check):
            row = Row(dialect, kind, name, says, check, arguments)
            same = [other for other in ROWS if (other.dialect, other.kind, other.name) == (dialect, kind, name)]
            assert says not in [other.says for other in same], f"{dialect} {kind} {name} is there twice"
            ROWS.append(row)
            return check

        return register

    return documented


def tests():
    """Each check once for each of its arguments: its name, and the row to run."""
    return {row.test: row for row in ROWS}
