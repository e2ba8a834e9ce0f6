"""Sessions that are removed after a while: how fast, what creates lose meanwhile, whether tables grow; and partitions."""

import statistics
import time

DAYS = 30
TABLES = ("checkout_sessions", "payments", "session_visits", "webhook_outbox")
SIZE = "SELECT sum(pg_total_relation_size('checkout_data.' || t)) / 1024 / 1024 FROM unnest('{{{}}}'::text[]) AS t"
INSERT = """\\set at random(1, 1000000)
INSERT INTO bench.{} (organization_id, environment, checkout_session_id, amount, currency_code, created_at, updated_at,
    expires_at, max_retry_attempts, customer_id, customer_email, reference)
SELECT '{}', 'live', bench.uuidv7(now()), 10, 'USD', now(), now(), now() + interval '1 hour', 3, 'customer_' || :at,
    'customer_' || :at || '@shop.example', 'order_' || :at;
"""
LIST = """SELECT * FROM bench.{} WHERE organization_id = '{}' AND environment = 'live'
ORDER BY checkout_session_id DESC LIMIT 20;
"""


def measure(benchmarks):
    server, options, table = benchmarks.server, benchmarks.options, benchmarks.table
    a_day = options.rows // 76
    server.file("retention.sql")
    tenant = server.sql("SELECT organization_id FROM checkout_data.organizations WHERE name = 'Retention'")
    for days_ago in range(76, 0, -1):
        server.sql(f"CALL bench.one_day({days_ago}, {a_day}, 'd{days_ago}')")
    server.sql("VACUUM ANALYZE", "CHECKPOINT")
    while int(server.sql("SELECT checkout.fold_sessions(1000)")):
        pass

    def keep(days):
        server.sql(f"SELECT checkout.update_organization('{tenant}', session_retention => '{days} days')")

    def creates():
        return server.tps("create_ours", "-c", 1, "-j", 1, "-T", options.seconds, variables=benchmarks.variables)

    # The worker removes 15 days at once, while another organization creates.
    left = f"SELECT count(*) FROM checkout_data.checkout_sessions WHERE organization_id = '{tenant}'"
    creates()
    alone = [creates() for _ in range(options.rounds)]
    keep(61)
    server.worker("on")
    server.sql("SELECT checkout_data.wake_worker()")
    before, began = int(server.sql(left)), time.monotonic()
    meanwhile = []
    while (now := int(server.sql(left))) > 61 * a_day:
        if now < before:
            meanwhile.append(creates())
        assert time.monotonic() < began + 3600, "the worker does not remove them"
    rate = (before - now) / (time.monotonic() - began)
    server.worker("off")
    table.add(f"removing {15 * a_day:,} of {options.rows:,} sessions by the worker, while others create", {"ours": [rate]}, "")
    share = [new / statistics.median(alone) for new in meanwhile]
    table.add("removing: creates meanwhile, as a share of before", {"ours": share}, "0.90", unit="")

    # Each simulated day stores as many sessions as it removes.
    sizes, pieces = [], []
    for day in range(DAYS):
        server.sql(f"CALL bench.one_day(1, {a_day}, 'new{day}')")
        keep(60 - day)
        while True:
            began = time.monotonic()
            done = int(server.sql("SELECT row_count FROM checkout.run_maintenance(1000) WHERE task = 'remove'"))
            if done == 0:
                break
            pieces.append(done / (time.monotonic() - began))
            server.sql("UPDATE checkout_data.session_folds SET removal_at = 'epoch'")
        server.sql("VACUUM")
        sizes.append(float(server.sql(SIZE.format(",".join(TABLES)))))
    table.add("removing alone, by run_maintenance(1000)", {"ours": pieces}, "")
    table.add(f"removing: tables and indexes after {DAYS} days, as a share of those after 5", {"ours": [sizes[-1] / sizes[4]]},
              "1.00", unit="")
    partitions(benchmarks, tenant)


def partitions(benchmarks, tenant):
    """A plain table of the sessions beside one with a partition for each day, both by bare statements."""
    server, options, table = benchmarks.server, benchmarks.options, benchmarks.table
    for name in ("plain", "partitioned"):
        server.sql(f"INSERT INTO bench.{name} SELECT * FROM checkout_data.checkout_sessions WHERE organization_id = '{tenant}'")
    server.sql("VACUUM ANALYZE bench.plain, bench.partitioned", "CHECKPOINT")
    for what, statement in (("create", INSERT), ("list 20", LIST)):
        found = {"ours": [], "bare": []}
        for _ in range(options.rounds + 1):
            for variant, name in (("ours", "partitioned"), ("bare", "plain")):
                found[variant].append(server.tps_of(statement.format(name, tenant), "-c", 1, "-j", 1, "-T", options.seconds,
                                                    variables={}, user="postgres", commit="off"))
        table.add(f"{what}: a partition for each day (ours) beside a plain table (bare)",
                  {variant: figures[1:] for variant, figures in found.items()}, "0.97")
    began = time.monotonic()
    day = "checkout_data.first_id(date_trunc('day', now()) - {} * interval '1 day')"
    done = server.sql(f"WITH gone AS (DELETE FROM bench.plain WHERE checkout_session_id < {day.format(20)} RETURNING 1)"
                      " SELECT count(*) FROM gone")
    table.add("a plain table: rows deleted, by one statement", {"ours": [int(done) / (time.monotonic() - began)]}, "")
