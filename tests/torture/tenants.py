"""Every kind of tenant role asks by chance, under hostile settings: nothing of another tenant comes back, in no row, notice,
error or plan.
"""

import re

import psycopg2
from attacks.lab import TENANTS, Lab, canary
from harness import in_threads
from queries import LEAK, Queries

# How each role comes to be the tenant, which is the same organization for all. See attacks/lab.py for the data.
ROLES = {
    "secret": "shop_b",
    "restricted": "restricted_b",
    "publishable": "browser_b",
    "key": "web",
    "token": "authenticator",
    "tester": "tester_b",
}
QUERIES_OF_A_TRANSACTION, TRANSACTIONS_OF_A_CONNECTION = 25, 20
# What is no answer to a query, but the end of a backend, or a fault of the extension.
BROKEN = re.compile(r"XX|57P")


class Tenant:
    def __init__(self, part, lab, who):
        self.part, self.lab, self.who = part, lab, who
        self.tenant = "bravo test" if who == "tester" else "bravo live"
        others = [tenant for tenant in TENANTS if tenant != self.tenant]
        own = set(lab.secrets[self.tenant])
        words = {"canary_alpha", *(word for tenant in others for word in lab.secrets[tenant])} - own - {"canary_bravo_"}
        self.foreign = re.compile("|".join(map(re.escape, sorted(words))))
        self.own = canary(self.tenant)
        self.targets = [lab.targets[tenant] for tenant in others]
        self.chance = part.chance(who)

    def connect(self):
        connection = psycopg2.connect(host=str(self.lab.server.dir), port=54321, dbname="lab", user=ROLES[self.who])
        connection.autocommit = True
        # As the server writes them: a style of dates is no concern of the driver's.
        types = psycopg2.extensions.new_type(
            (1082, 1083, 1114, 1184, 1186, 114, 3802), "AS_TEXT", lambda value, _: value
        )
        psycopg2.extensions.register_type(types, connection)
        return connection

    def begin(self, cursor):
        """Begins a transaction in which it is the tenant."""
        cursor.execute("BEGIN")
        if self.who == "key":
            cursor.execute("SELECT FROM checkout.authenticate(%s)", (self.lab.keys["bravo live", "secret"],))
        elif self.who == "token":
            cursor.execute(
                "SELECT set_config('role', 'web', true), set_config('request.jwt.claims', %s, true)",
                ('{"organization_id": "%s", "role": "web"}' % self.lab.organizations["bravo"],),
            )
            cursor.execute("SELECT checkout.pre_request()")
        if self.chance.random() < 0.8:
            cursor.execute("SET LOCAL statement_timeout = '5s'")
        cursor.execute("SAVEPOINT s")

    def hear(self, query, *texts):
        for text in texts:
            text = text if isinstance(text, str) else str(text)
            if found := self.foreign.search(text):
                self.part.violation(
                    f"{self.who} was shown {found[0]} by {query}: {text[max(0, found.start() - 200) : found.end() + 100]}"
                )
            if self.own in text:
                self.seen = True

    def ask(self, cursor, query):
        """Runs a query, and looks at everything that comes back. A transaction that it has broken goes on before it."""
        self.seen = False
        try:
            if query.startswith("COPY"):
                cursor.execute("ROLLBACK TO s")
                cursor.copy_expert(query, self)
            else:
                cursor.execute(f"ROLLBACK TO s; {query}")
                if cursor.description:
                    self.hear(query, cursor.fetchall())
        except psycopg2.Error as error:
            if error.pgcode is None or BROKEN.match(error.pgcode):
                self.part.violation(f"{self.who}: {error.pgcode} {error} from {query}")
                raise
            diagnosis = error.diag
            self.hear(
                query,
                str(error),
                diagnosis.message_detail or "",
                diagnosis.message_hint or "",
                diagnosis.context or "",
                diagnosis.internal_query or "",
            )
        except UnicodeDecodeError:
            pass  # the driver's own: the client has chosen another encoding
        self.asked += 1
        self.answered += self.seen
        notices = cursor.connection.notices
        self.hear(query, *notices)
        del notices[:]

    def write(self, data):
        """Takes what COPY sends."""
        self.hear("COPY", data if isinstance(data, str) else data.decode(errors="replace"))

    def run(self):
        while self.goes_on():
            connection = self.connect()
            queries = Queries(self.chance, self.targets, ROLES[self.who], connection.server_version)
            self.asked = self.answered = 0
            try:
                with connection.cursor() as cursor:
                    cursor.execute(LEAK)
                    for statement in queries.settings():
                        cursor.execute(statement)
                    for _ in range(TRANSACTIONS_OF_A_CONNECTION):
                        self.begin(cursor)
                        for _ in range(QUERIES_OF_A_TRANSACTION):
                            self.ask(cursor, queries.query())
                        cursor.execute("ROLLBACK")
                        if not self.goes_on():
                            break
            except psycopg2.Error as error:
                # Where row_security is off, the extension's own queries are refused, too: 42501.
                if error.pgcode is None or error.pgcode[:2] not in ("22", "25", "28", "40", "42", "55", "57"):
                    raise
                self.part.count("transactions that ended early")
            finally:
                connection.close()
                self.part.count(f"queries of {self.who}", self.asked)
                self.part.count("with own rows", self.answered)

    def goes_on(self):
        goal = self.part.goals.get(f"queries of {self.who}")
        return self.part.goes_on() and not (goal and self.part.counts[f"queries of {self.who}"] >= goal)


def make_roles(lab):
    for role, access in (("restricted_b", "restricted"), ("browser_b", "publishable"), ("tester_b", "secret")):
        lab.db.sql(
            f"CREATE ROLE {role} LOGIN;"
            f" ALTER ROLE {role} SET checkout_sessions.organization_id = '{lab.organizations['bravo']}'"
        )
        lab.db.sql("SELECT checkout.grant_access(%s, %s)", role, access)
    lab.db.sql("ALTER ROLE tester_b SET checkout_sessions.environment = 'test'")


def run(part):
    # Without a worker, so that nothing but a tenant could change anything.
    server = part.server(
        "one", "checkout_sessions.worker_enabled=off", "max_parallel_workers=4", "max_worker_processes=8"
    )
    lab = Lab(server)
    make_roles(lab)
    # What the roles must not see is seen by who may see it: the search finds it.
    shown = str(lab.db.sql("SELECT v FROM checkout.checkout_sessions v", user="shop_a"))
    part.check(Tenant(part, lab, "secret").foreign.search(shown), "the search finds nothing where there is something")
    before = lab.state()
    in_threads([Tenant(part, lab, who).run for who in ROLES])
    after = lab.state()
    part.check(before == after, "something has changed, though every transaction was rolled back")
    asked = sum(part.counts[f"queries of {who}"] for who in ROLES)
    part.check(part.counts["with own rows"] >= asked // 10, "the queries show too little")
    part.settle(server)
