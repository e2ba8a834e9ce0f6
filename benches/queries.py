"""Ten usual queries on the views, and the same as bare statements on the tables."""

import json
import sys

OURS = "SELECT * FROM checkout.{}"
BARE = "SELECT * FROM checkout_data.{} s WHERE organization_id = :tenant AND environment = 'live'"
SESSIONS, PLAIN = OURS.format("checkout_sessions"), BARE.format("checkout_sessions")
NEWEST = "ORDER BY checkout_session_id DESC LIMIT 20"
OPEN = "status = 'open' AND GREATEST(expires_at, lease_expires_at) > now()"
# What is asked for: the query on a view, and the bare one.
QUERIES = {
    "a session by id": (f"{SESSIONS} WHERE checkout_session_id = :id", f"{PLAIN} AND checkout_session_id = :id"),
    "the newest 20": (f"{SESSIONS} {NEWEST}", f"{PLAIN} {NEWEST}"),
    "the newest 20, by created_at": (
        f"{SESSIONS} ORDER BY created_at DESC LIMIT 20", f"{PLAIN} ORDER BY created_at DESC LIMIT 20"),
    "the third page": (f"{SESSIONS} {NEWEST} OFFSET 40", f"{PLAIN} {NEWEST} OFFSET 40"),
    "20 after a deep cursor": (
        f"{SESSIONS} WHERE checkout_session_id < :deep {NEWEST}", f"{PLAIN} AND checkout_session_id < :deep {NEWEST}"),
    "by customer_email": (
        f"{SESSIONS} WHERE customer_email = 'customer77@example.com' {NEWEST}",
        f"{PLAIN} AND customer_email = 'customer77@example.com' {NEWEST}"),
    "since an hour, by created_at": (
        f"{SESSIONS} WHERE created_at >= now() - interval '1 hour' ORDER BY created_at LIMIT 20",
        f"{PLAIN} AND created_at >= now() - interval '1 hour' ORDER BY created_at LIMIT 20"),
    "status open, the newest 20": (f"{SESSIONS} WHERE status = 'open' {NEWEST}", f"{PLAIN} AND {OPEN} {NEWEST}"),
    "open_checkout_sessions, the newest 20": (
        f"{OURS.format('open_checkout_sessions')} {NEWEST}",
        "SELECT s.* FROM checkout_data.open_sessions o JOIN checkout_data.checkout_sessions s "
        "USING (organization_id, environment, checkout_session_id) WHERE o.organization_id = :tenant AND o.environment = 'live' "
        "AND o.deadline > now() ORDER BY o.checkout_session_id DESC LIMIT 20"),
    "a session and its payments": (
        "SELECT s.amount, p.payment_id, p.status FROM checkout.checkout_sessions s LEFT JOIN checkout.payments p "
        "USING (checkout_session_id) WHERE s.checkout_session_id = :id",
        "SELECT s.amount, p.payment_id, p.status FROM checkout_data.checkout_sessions s LEFT JOIN checkout_data.payments p "
        "USING (organization_id, environment, checkout_session_id) "
        "WHERE s.organization_id = :tenant AND s.environment = 'live' AND s.checkout_session_id = :id"),
}


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def indexes(server, query, variables):
    """The indexes that the plan of a query uses. Ends the benchmark if it reads a whole table."""
    for name, value in variables.items():
        query = query.replace(f":{name}", f"'{value}'")
    plan = json.loads(server.sql(
        f"SET checkout_sessions.organization_id = '{variables['tenant']}'", "SET ROLE bench_app", f"EXPLAIN (FORMAT json) {query}"))
    found = list(nodes(plan[0]["Plan"]))
    if any(node["Node Type"] == "Seq Scan" for node in found) or not any("Index Name" in node for node in found):
        sys.exit(f"not by an index: {query}\n{json.dumps(plan, indent=1)}")
    return sorted({node["Index Name"] for node in found if "Index Name" in node})


def measure(benchmarks):
    """Each query by one client, in turns with the bare one."""
    server = benchmarks.server
    variables = {name: benchmarks.variables[name] for name in ("tenant", "id", "deep")}
    for what, (ours, bare) in QUERIES.items():
        by = ", ".join(indexes(server, ours, variables))

        def tps(query):
            return server.tps_of(f"{query};", "-c", 1, "-T", benchmarks.options.seconds, variables=variables)

        found = benchmarks.interleaved([ours, bare], tps)
        benchmarks.table.add(f"query: {what} ({by})", {"ours": found[ours], "bare": found[bare]}, "0.77")
