"""What docs/monitoring.md and examples/monitoring/ promise, with a real Prometheus, its exporter and the program: every
query runs as a monitor, every name is one that is really printed, and alerts fire.
"""

import json
import re
import subprocess
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
import yaml
from conftest import ENVIRONMENT, ROOT, TARGET, private_server, run, wait_until
from support.gateway import Gateway
from support.metrics import free_port, get
from support.relay import ALLOWED, Receiver, Relay, pay, prepare, register
from support.web_server import request

EXAMPLES = ROOT / "examples/monitoring"
PROMETHEUS = TARGET / "prometheus/usr/bin"
EXPORTER = TARGET / "prometheus-postgres-exporter/usr/bin/prometheus-postgres-exporter"
QUERIES = yaml.safe_load((EXAMPLES / "queries.yml").read_text())
ALERTS = [rule for group in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in json.loads((EXAMPLES / "grafana.json").read_text())["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
SQL = {title: target["rawSql"] for title, target in TARGETS if "rawSql" in target}
EXPRESSIONS = [target["expr"] for _, target in TARGETS if "expr" in target] + [rule["expr"] for rule in ALERTS]
DOCUMENT = (ROOT / "docs/monitoring.md").read_text()
IN_DOCUMENT = re.findall(r"^```sql role=monitor\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A shop at work, with a relay and a gateway, watched by an exporter and a Prometheus."""
    folder = tmp_path_factory.mktemp("monitoring")
    receiver = Receiver(answer=lambda sent: 204 if sent.event["type"].endswith("completed") else 500)
    with private_server("py-monitoring", ALLOWED) as server:
        db = prepare(server.create_database())
        db.sql("CREATE ROLE exporter LOGIN IN ROLE pg_monitor")
        db.sql("SELECT checkout.grant_access('pg_monitor', 'monitor')")
        db.sql("CREATE ROLE gateway LOGIN")
        db.sql("SELECT checkout.grant_access('gateway', 'request')")
        register(db, receiver)
        ports = SimpleNamespace(**{name: free_port() for name in ("exporter", "relay", "gateway", "prometheus")})
        relay = Relay(db, f"--listen=127.0.0.1:{ports.relay}")
        with Gateway(db, f"--listen=127.0.0.1:{ports.gateway}") as gateway:
            key = db.create_api_key()
            assert gateway.create("lomi", key).status == 201
            pay(db, 3)
            exporter = start(
                folder, EXPORTER, f"--extend.query-path={EXAMPLES / 'queries.yml'}",
                f"--web.listen-address=127.0.0.1:{ports.exporter}", "--disable-default-metrics", "--disable-settings-metrics",
                "--no-collector.bgwriter",  # this release does not know PostgreSQL 17's
                DATA_SOURCE_NAME=f"user=exporter host={server.dir} port=54321 dbname={db.name} sslmode=disable")
            configure(folder, ports)
            prometheus = start(folder, PROMETHEUS / "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                               f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{ports.prometheus}")
            try:
                for port, path in ((ports.exporter, "/metrics"), (ports.prometheus, "/-/ready")):
                    wait_until(lambda: get(port, path)[0] == 200, within=20)
                yield SimpleNamespace(db=db, ports=ports, relay=relay, folder=folder)
            finally:
                for process in (prometheus, exporter):
                    process.terminate()
                    process.wait(20)
                relay.stop()
                receiver.stop()


def start(folder, program, *options, **environment):
    with open(folder / f"{program.name}.log", "w") as log:
        return subprocess.Popen([program, *options], env={**ENVIRONMENT, **environment}, stdout=log, stderr=log, cwd=folder)


def configure(folder, ports):
    """The example, with the ports of this test, and a shorter time."""
    text = (EXAMPLES / "prometheus.yml").read_text().replace("15s", "1s")
    for port, of in (("9187", ports.exporter), ("9188", ports.relay), ("9189", ports.gateway)):
        assert text.count(port) == 1
        text = text.replace(port, str(of))
    (folder / "prometheus.yml").write_text(text)
    # Seconds take the place of minutes and days.
    alerts = re.sub(r"for: \w+", "for: 1s", (EXAMPLES / "alerts.yml").read_text())
    (folder / "alerts.yml").write_text(re.sub(r"(overdue|due|rejected)_seconds(.*) > \d+", r"\1_seconds\2 > 3", alerts))


def names(port):
    """The names of the metrics that are printed there."""
    return set(re.findall(r"^([a-zA-Z_:][\w:]*)[ {]", get(port, "/metrics")[1], re.MULTILINE))


def query(watched, expression):
    answer = request(watched.ports.prometheus, "GET", "/api/v1/query?" + urlencode({"query": expression})).body
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def test_rules_and_configuration_are_valid():
    for kind, file in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        assert "SUCCESS" in run(PROMETHEUS / "promtool", "check", kind, EXAMPLES / file)


def test_expressions_of_the_dashboard_are_valid(tmp_path):
    rules = [{"record": f"r{number}", "expr": expression} for number, expression in enumerate(EXPRESSIONS)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(PROMETHEUS / "promtool", "check", "rules", tmp_path / "rules.yml")


def test_every_query_becomes_metrics(watched):
    """Each query runs as a member of pg_monitor, and has the columns that it names."""
    printed = names(watched.ports.exporter)
    for name, group in QUERIES.items():
        rows = watched.db.sql(group["query"], user="exporter")
        columns = {column: settings["usage"] for metric in group["metrics"] for column, settings in metric.items()}
        if rows:
            assert set(rows[0]) == set(columns)
        assert {f"{name}_{column}" for column, usage in columns.items() if usage != "LABEL"} <= printed
    log = (watched.folder / EXPORTER.name).with_suffix(".log").read_text()
    assert "level=error" not in log


def test_every_name_is_printed(watched):
    printed = {"up"}.union(*(names(port) for port in (watched.ports.exporter, watched.ports.relay, watched.ports.gateway)))
    used = {name for expression in EXPRESSIONS for name in re.findall(r"\bcheckout_sessions_\w+|\bup\b", expression)}
    assert len(used) > 30 and used - printed == set()
    documented = set(re.findall(r"`(checkout_sessions_\w+)`", DOCUMENT))
    assert documented - printed - set(QUERIES) == set()


def test_every_expression_is_answered(watched):
    """By a real Prometheus that has read all three."""
    up = lambda: {row["metric"]["job"]: row["value"][1] for row in query(watched, "up")}
    wait_until(lambda: up() == {f"checkout-sessions-{job}": "1" for job in ("database", "relay", "gateway")}, within=20)
    wait_until(lambda: query(watched, "rate(checkout_sessions_gateway_requests_total[1m])"), within=20)
    # No hour is counted yet, and 0 of 0 is no number, which is an answer. A rate needs two values.
    unanswered = lambda: [title for title, target in TARGETS if "expr" in target and not query(watched, target["expr"])]
    wait_until(lambda: unanswered() == [], within=30)
    for rule in ALERTS:
        query(watched, rule["expr"])


def firing(watched):
    alerts = request(watched.ports.prometheus, "GET", "/api/v1/alerts").body["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def test_alerts_fire_when_something_is_wrong_and_not_before(watched):
    db = watched.db
    wanted = {f"CheckoutSessions{what}" for what in ("WorkerUnwell", "Overdue", "EventsNotClaimed", "MoneyToRefund", "RelayDown")}
    wait_until(lambda: query(watched, "checkout_sessions_worker_well"), within=20)
    assert not wanted & firing(watched)
    watched.relay.stop()
    db.sql(f"ALTER DATABASE {db.name} SET checkout_sessions.worker_enabled = off")
    wait_until(lambda: db.worker()["state"] == "disabled", within=15)
    db.create("1 second")
    pay(db)
    db.sql(f"ALTER ROLE {db.shop} RESET checkout_sessions.environment")
    session = db.create()
    db.call("expire_checkout_session", checkout_session_id=session)
    db.call("record_payment", checkout_session_id=session, payment_id="late", outcome="succeeded")
    wait_until(lambda: wanted <= firing(watched), within=30)


@pytest.mark.parametrize("title", SQL)
def test_panels_in_sql_run_as_the_monitor(watched, title):
    watched.db.sql(SQL[title], user="exporter")


def test_queries_of_the_document_run_as_the_monitor(watched):
    assert len(IN_DOCUMENT) >= 4
    for statements in IN_DOCUMENT:
        watched.db.psql(user="exporter", input=statements)


def test_prometheus_looks_where_the_packages_listen():
    targets = {job["job_name"].removeprefix("checkout-sessions-"): job["static_configs"][0]["targets"]
               for job in yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())["scrape_configs"]}
    for program in ("relay", "gateway"):
        settings = (ROOT / f"packaging/etc/{program}.env").read_text()
        assert re.findall(r"^CHECKOUT_SESSIONS_\w+_LISTEN=(.*)$", settings, re.MULTILINE) == targets[program]
