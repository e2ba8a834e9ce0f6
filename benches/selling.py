"""Sessions that sell from a catalog: creates, coupons, and the sweep of sessions that hold stock."""

import sys

CLIENTS = 16  # who buy the same product, or one of many
COUPONS = 1000  # applied for one figure


def create(benchmarks):
    """By a price, beside one by an amount; with stock, beside one without; and coupons."""
    server, seconds = benchmarks.server, benchmarks.options.seconds

    def compared(what, ours, bare, clients, commit, goal=""):
        def measure(script):
            return server.tps(*script, "-c", clients, "-j", min(clients, 2), "-T", seconds, variables=benchmarks.variables,
                              user="bench_shop", commit=commit)

        found = benchmarks.interleaved([ours, bare], measure)
        benchmarks.table.add(what, {"ours": found[ours], "bare": found[bare]}, goal)

    untracked = ("create_priced", "--define=product=plain", "--define=products=1")
    hot = ("create_priced", "--define=product=hot", "--define=products=1")
    many = ("create_priced", "--define=product=many", "--define=products=1000")
    for commit in ("off", "on"):
        compared(f"create by price, beside one by amount, synchronous_commit {commit}", untracked, ("create_ours",), 1, commit)
    for commit in ("off", "on"):
        of = f"clients: {CLIENTS}, synchronous_commit {commit}"
        compared(f"create, stock of one product, beside one without stock, {of}", hot, untracked, CLIENTS, commit)
        compared(f"create, stock of 1,000 products, beside one without stock, {of}", many, untracked, CLIENTS, commit)
    apply_coupon(benchmarks)


def apply_coupon(benchmarks):
    """One try each of sessions that have had none, because a session has ten tries."""
    server = benchmarks.server

    def measure(script):
        server.sql(f"CALL bench.make_couponed({COUPONS})", "VACUUM (ANALYZE) bench.couponed", "CHECKPOINT")
        tps = server.tps(script, "-c", 1, "-t", COUPONS, variables={}, user="bench_shop")
        applied = server.sql("SELECT count(*) FROM bench.couponed JOIN checkout_data.session_terms USING (checkout_session_id) "
                             "WHERE coupon_code = 'SUMMER'")
        if applied != str(COUPONS):
            sys.exit(f"{applied} coupons of {COUPONS} were applied")
        return tps

    benchmarks.table.add("apply_coupon", {"ours": benchmarks.interleaved(["apply_coupon"], measure)["apply_coupon"]}, "")


def sweep(benchmarks, batch):
    """Each session holds a unit of one of 1,000 products. In the column `bare` is the sweep without holds."""
    server, due = benchmarks.server, benchmarks.options.due

    def measure(holding):
        benchmarks.make_due(holding)
        tps = server.tps("sweep_ours", "-t", due // batch, variables={}, user="bench_worker")
        left = server.sql("SELECT (SELECT count(*) FROM checkout_data.open_sessions WHERE deadline <= now()), "
                          "(SELECT count(*) FROM checkout_data.holds WHERE deadline <= now())")
        if left != "0|0":
            sys.exit(f"the sweep left {left} sessions and holds")
        return tps * batch

    found = benchmarks.interleaved(["true", "false"], measure, warm_up=False)
    benchmarks.table.add(f"sweep of {due:,} with a hold each, beside without", {"ours": found["true"], "bare": found["false"]},
                         "0.60", unit=" rows/s")
