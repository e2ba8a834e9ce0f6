"""Hostile arguments for every function, in SQL and in the bodies of the dialects. The answer is one, or an error that is
documented.
"""

import json
import math
import re
import time
from contextlib import closing

import psycopg2
from conftest import ROOT
from harness import in_threads
from hostile import LITERALS, NUMBERS, TEXTS
from psycopg2.extras import Json
from support.all_functions import World

CALLS_OF_A_WORLD = 20_000
# What the server says itself of arguments that it converts before the extension sees them, or of its own limits: beside
# what docs/errors.md lists.
OF_THE_SERVER = {
    "22007",
    "22008",
    "22009",
    "2202E",
    "22P05",
    "42804",
    "42883",
    "54000",
    "54001",
    "57014",
    "55P03",
    "25006",
    "42P18",
}


def documented():
    """The SQLSTATEs of docs/errors.md."""
    return set(re.findall(r"`([0-9A-Z]{5})`", (ROOT / "docs/errors.md").read_text()))


class Values:
    def __init__(self, chance):
        self.chance = chance

    def text(self):
        text = self.chance.choice(TEXTS)
        return self.chance.choice(
            [text, text, text, text * 3, text + self.chance.choice(TEXTS), text[:3], self.noise()]
        )

    def noise(self):
        """Any characters, but for NUL, which no text of Postgres can have, and surrogates."""
        codes = (
            self.chance.choice(
                [
                    self.chance.randrange(1, 128),
                    self.chance.randrange(1, 0xD800),
                    self.chance.randrange(0xE000, 0x110000),
                ]
            )
            for _ in range(self.chance.randrange(30))
        )
        return "".join(map(chr, codes))

    def json(self, depth=0):
        """Any JSON; now and then what no client means."""
        kind = self.chance.random()
        if depth > 4 or kind < 0.5:
            return self.chance.choice([None, True, False, self.chance.choice(NUMBERS[:19]), self.text(), self.text()])
        if kind < 0.7:
            return [self.json(depth + 1) for _ in range(self.chance.randrange(4))]
        keys = [
            "amount",
            "currency_code",
            "price_id",
            "product_id",
            "title",
            "quantity",
            "kind",
            "country",
            "metadata",
            "id",
            self.text(),
        ]
        return {self.chance.choice(keys): self.json(depth + 1) for _ in range(self.chance.randrange(5))}

    def json_text(self, of=None):
        value = self.json() if of is None else of
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.5)
        return self.chance.choice(
            [text] * 12
            + [
                text[:-1],
                text + "}",
                "[" * self.chance.choice([10, 1000, 10_000]),
                '{"a":' * 500 + "1" + "}" * 500,
                text.replace('"', "'"),
                '{"a": 1, "a": 2}',
                "NaN",
                "1e999999",
                '"\\ud800"',
                '"\\u0000"',
                "\ufeff" + text,
                "{" + '"k":1,' * 2000 + '"z":1}',
            ]
        )

    def of(self, kind):
        """A value for an argument: as SQL, and the parameter that it has, if any."""
        if kind.endswith("[]"):
            items = self.chance.choice([[], [None], [self.text() for _ in range(self.chance.choice([1, 3, 30]))], None])
            if kind == "text[]":
                return "%s::text[]", items
            return f"%s::{kind}", self.chance.choice([None, [], [None]])
        if kind in LITERALS:
            return f"({self.chance.choice(LITERALS[kind])})::{kind}", ()
        if kind in ("numeric", "integer", "bigint", "double precision", "smallint"):
            number = self.chance.choice(
                [*NUMBERS, self.chance.uniform(-1e6, 1e6), self.chance.randrange(-100, 10**6), None]
            )
            if kind in ("integer", "bigint", "smallint") and isinstance(number, float):
                number = int(number) if math.isfinite(number) and abs(number) < 2**31 else 1
            return f"%s::{kind}", None if number is None else str(number)
        if kind in ("jsonb", "json"):
            return f"%s::{kind}", self.json_text()
        return f"%s::{kind}", self.chance.choice([self.text(), self.text(), None])


# The shapes of bodies and paths of the dialects.
PATHS = [
    "/checkout-sessions",
    "/checkout-sessions/{id}",
    "/checkout/sessions",
    "/v1/checkout/sessions/{id}",
    "/",
    "",
    "//",
    "/%00",
    "/%2e%2e/",
    "/checkout-sessions?a=1",
    "/checkout-sessions/{id}/expire",
    "/v3/payments",
    "/payments/{id}/refund",
    "/sessions/%zz",
    "/" + "a" * 5000,
]


class Attacker:
    def __init__(self, part, world, chance):
        self.part, self.world, self.chance, self.values = part, world, chance, Values(chance)
        self.allowed = documented() | OF_THE_SERVER
        self.types, self.all_calls = world.argument_types(), [
            call for call in world.calls() if call.function != "activate_database"
        ]
        self.connections = {}

    def connection(self, who):
        if who not in self.connections:
            connection = self.world.db.connect(self.world.users[who])
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '20s'; SET client_min_messages = error")
            self.connections[who] = connection
        return self.connections[who]

    def arguments(self, call):
        """A call with some of its arguments replaced, left out, or added."""
        types, given = self.types.get(call.function, {}), dict(call.arguments)
        parts, parameters = {name: f"%({name})s" for name in given}, dict(given)
        for name in self.chance.sample(list(types), min(len(types), self.chance.choice([1, 1, 1, 2, 3, 8]))):
            sql, parameter = self.values.of(types[name])
            parts[name] = sql.replace("%s", f"%({name})s")
            parameters[name] = None if parameter == () else parameter
        if given and self.chance.random() < 0.02:
            parts.pop(self.chance.choice(list(given)), None)
        named = ", ".join(f"{name} => {sql}" for name, sql in parts.items())
        return f"checkout.{call.function}({named})", parameters

    def request(self):
        """A request in a dialect."""
        path = self.chance.choice(PATHS).replace(
            "{id}", str(self.chance.choice([self.world.open, self.world.paid, self.values.text()]))
        )
        body = {
            "amount": self.chance.choice([1000, 10.5, "10", -1, None]),
            "currency_code": "XOF",
            "customer_email": "a@b.example",
        }
        for _ in range(self.chance.randrange(4)):
            body[
                self.chance.choice(
                    [*body, "title", "metadata", "currency", "tx_ref", "customer", "redirect_url", self.values.text()]
                )
            ] = self.values.json()
        return "checkout.handle_request(%(api)s, %(method)s, %(path)s, %(headers)s, %(query)s, %(body)s)", {
            "api": self.chance.choice(["kobo", "lomi", "paygate", "flutterwave", "yuno"]),
            "method": self.chance.choice(["GET", "POST", "POST", "POST", "PATCH", "DELETE", "", self.values.text()]),
            "path": path,
            "headers": self.values.json_text() if self.chance.random() < 0.2 else "{}",
            "query": self.values.json_text() if self.chance.random() < 0.3 else "{}",
            "body": self.values.json_text(body),
        }

    def one(self):
        if self.chance.random() < 0.25:
            who, (call, parameters) = "shop", self.request()
        else:
            chosen = self.chance.choice(self.all_calls)
            who = chosen.who
            call, parameters = (chosen.sql(), {}) if chosen.row else self.arguments(chosen)
        statement = f"BEGIN; SELECT count(*) FROM {call} AS f WHERE f::text IS NOT NULL; ROLLBACK"
        connection = self.connection(who)
        began = time.monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    statement,
                    {name: Json(value) if isinstance(value, dict) else value for name, value in parameters.items()},
                )
            self.part.count("answered")
        except psycopg2.Error as error:
            if error.pgcode not in self.allowed:
                self.part.violation(f"{error.pgcode} {str(error)[:300]} from {call} with {str(parameters)[:600]}")
            if connection.closed:
                del self.connections[who]
            else:
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")
        except (UnicodeEncodeError, ValueError):
            return  # the driver refuses it: it never leaves the client
        self.part.count("inputs")
        self.part.longest("seconds of the slowest call", time.monotonic() - began)

    def run(self, calls):
        for _ in range(calls):
            if not self.part.goes_on():
                break
            self.one()
        for connection in self.connections.values():
            with closing(connection):
                pass


def run(part):
    server = part.server(
        "one", "checkout_sessions.worker_enabled=off", "log_min_messages=fatal", "log_min_error_statement=fatal"
    )
    number = 0
    while part.goes_on():
        number += 1
        world = World(server.create_database())
        attackers = [Attacker(part, world, part.chance(number, n)) for n in range(2)]
        in_threads(
            [lambda attacker=attacker: attacker.run(CALLS_OF_A_WORLD // len(attackers)) for attacker in attackers]
        )
        part.settle(server)
        world.db.sql("DROP OWNED BY all_relay, all_admin, all_web, nobody_else, all_tester")
        server.drop_databases()
