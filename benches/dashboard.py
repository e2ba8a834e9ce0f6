"""Server time of every query that the dashboard sends, in a shop of --rows sessions."""

import json
import re
import time
from pathlib import Path

from server import run

SAMPLES = Path(__file__).with_name("dashboard_queries.mjs")
GOAL = 300  # milliseconds
OPERATORS = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
ADMINISTRATORS = {"worker_status", "outbox_status"}


def literal(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    return "'" + str(value).replace("'", "''") + "'"


def column(name):
    """A column, or a key of one: metadata->>key."""
    name, _, key = name.partition("->>")
    return f"{name} ->> {literal(key)}" if key else name


def statement(query):
    """The SQL of a query: what PostgREST makes of its parameters."""
    if "rpc" in query:
        named = ", ".join(f"{name} => {literal(value)}" for name, value in query["named"].items())
        return f"SELECT * FROM checkout.{query['rpc']}({named})"
    conditions = []
    for name, condition in query["where"]:
        operator, _, value = condition.partition(".")
        conditions.append(f"{column(name)} {OPERATORS[operator]} {literal(value)}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if query.get("count"):
        return f"SELECT count(*) FROM (SELECT 1 FROM checkout.{query['view']}{where}) AS counted"
    order = re.sub(r"\.(asc|desc)", r" \1", query.get("order", ""))
    parts = [f"SELECT {query.get('select', '*')} FROM checkout.{query['view']}{where}"]
    parts += [f"{word} {value}" for word, value in
              (("ORDER BY", order), ("LIMIT", query.get("limit")), ("OFFSET", query.get("offset"))) if value]
    return " ".join(parts)


def explain(server, tenant, query):
    """Milliseconds of planning and execution, pages that were read, and the indexes."""
    role = "bench_worker" if query.get("rpc") in ADMINISTRATORS else "bench_dashboard"
    tenant = "" if role == "bench_worker" else tenant
    (found,) = json.loads(server.sql(f"SET checkout_sessions.organization_id = '{tenant}'", f"SET ROLE {role}",
                                     f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {statement(query)}"))
    indexes = sorted(set(re.findall(r'"Index Name": "(\w+)"', json.dumps(found))))
    pages = found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
    return found["Planning Time"] + found["Execution Time"], pages, indexes


def samples(server):
    """The tenant, and every query with sensible arguments."""
    tenant = server.sql("SELECT organization_id FROM checkout_data.organizations WHERE name = 'Dashboard'")
    of_tenant = f"organization_id = '{tenant}'"
    sessions = f"SELECT checkout_session_id FROM checkout_data.checkout_sessions WHERE {of_tenant} ORDER BY 1 DESC"
    endpoint, event = server.sql(
        "SELECT receiver_id, checkout_data.event_id(organization_id, environment, subject_id, sequence, created_at) "
        f"FROM checkout_data.webhook_deliveries WHERE {of_tenant} ORDER BY subject_id DESC OFFSET 1000 LIMIT 1").split("|")
    known = {"session": server.sql(f"{sessions} OFFSET 1000 LIMIT 1"), "bound": server.sql(f"{sessions} OFFSET 19999 LIMIT 1"),
             "endpoint": endpoint, "event": event, "now": int(time.time() * 1000)}
    return tenant, json.loads(run(["node", SAMPLES, json.dumps(known)]))


def measure(benchmarks):
    """Each query several times, and as often as there are rounds. The first time only warms up."""
    server = benchmarks.server
    server.file("dashboard.sql", rows=benchmarks.options.rows)
    # As the worker has done by then.
    while int(server.sql("SELECT checkout.fold_sessions(1000)")):
        pass
    server.sql("VACUUM ANALYZE")
    tenant, found = samples(server)
    for sample in found:
        rounds = [explain(server, tenant, sample["query"]) for _ in range(benchmarks.options.rounds + 1)][1:]
        _, pages, indexes = rounds[0]
        by = f" ({', '.join(indexes)})" if indexes else ""
        benchmarks.table.add(f"dashboard, {sample['what']}{by}: {pages:,} pages",
                             {"ours": [milliseconds for milliseconds, _, _ in rounds]}, f"{GOAL}", unit=" ms")
