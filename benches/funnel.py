"""session_funnel over a month, before and after its hours were counted, and what the counting costs."""

import time

GOAL = 100  # milliseconds
SINCE_MIDNIGHT = "SELECT count(*) FROM checkout.session_funnel(date_trunc('day', now()) - interval '29 days', now(), {})"
# Of the quarter of an hour in which it begins, the sessions are read.
MONTH = "SELECT count(*) FROM checkout.session_funnel(now() - interval '30 days', now(), {})"


def measure(benchmarks):
    server, rows = benchmarks.server, benchmarks.options.rows
    server.file("funnel.sql", rows=rows)
    server.sql("VACUUM ANALYZE", "CHECKPOINT")
    tenant = server.sql("SELECT organization_id FROM checkout_data.organizations WHERE name = 'Funnel'")

    def milliseconds(*statements):
        begin = time.monotonic()
        server.sql(f"SET checkout_sessions.organization_id = '{tenant}'", *statements)
        return 1000 * (time.monotonic() - begin)

    def add(what, statement, goal=""):
        add_line(f"funnel of {rows:,} sessions in a month, {what}", statement, goal)

    def add_line(what, statement, goal=""):
        empty = min(milliseconds("SELECT 1") for _ in range(5))  # the connection
        found = [milliseconds(statement) - empty for _ in range(benchmarks.options.rounds + 1)][1:]
        benchmarks.table.add(what, {"ours": found}, goal, unit=" ms")

    add("by day, nothing counted", MONTH.format("'day'"))
    begin, hours = time.monotonic(), 0
    while done := int(server.sql("SELECT checkout.fold_sessions(100)")):
        hours += done
    spent = 1000 * (time.monotonic() - begin)
    benchmarks.table.add(f"funnel: counting an hour of {rows // 720:,} sessions", {"ours": [spent / max(hours, 1)]}, "", unit=" ms")
    server.sql("VACUUM ANALYZE checkout_data.session_counts", "CHECKPOINT")
    size = int(server.sql("SELECT pg_total_relation_size('checkout_data.session_counts') / 1024 / 1024"))
    benchmarks.table.add("funnel: size of the counts", {"ours": [size]}, "", unit=" MB")
    add("by day, since a midnight", SINCE_MIDNIGHT.format("'day'"), f"{GOAL}")
    add("by day", MONTH.format("'day'"), f"{GOAL}")
    add("by hour", MONTH.format("'hour'"))
    add("by day and currency", MONTH.format("'day', 'currency'"))
    add("by month and product (20)", MONTH.format("'month', 'product'"))
    # What is called as often as once in some seconds must not grow with the sessions that have ended.
    for name in ("monitor_figures", "worker_status", "outbox_status", "security_report"):
        add_line(f"monitoring: {name}, beside {rows:,} sessions", f"SELECT count(*) FROM checkout.{name}()")
