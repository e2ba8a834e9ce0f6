"""The private server of the benchmarks."""

import os
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent / "scripts" / "server"
NAME = "bench"
PG_CONFIG = os.environ.setdefault("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


class Server:
    """The private server, as its superuser unless said otherwise."""

    def __init__(self, *settings):
        self.settings = ("shared_buffers=1GB", "max_wal_size=16GB", "checkpoint_timeout=1h", *settings)

    def start(self):
        run([SERVER, "start", NAME, *self.settings])
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(run([SERVER, "url", NAME]).strip()).query)
        self.address = {"PGHOST": query["host"][0], "PGPORT": query["port"][0], "PGDATABASE": "postgres"}
        self.pgbench_program = run([PG_CONFIG, "--bindir"]).strip() + "/pgbench"

    def remove(self):
        run([SERVER, "stop", NAME, "--remove"])

    def versions(self):
        names = ("shared_buffers", "max_wal_size", "fsync", "synchronous_commit", "autovacuum", "jit")
        settings = ", ".join(f"{name} {self.sql(f'SHOW {name}')}" for name in names)
        return f"{self.sql('SELECT version()')}\n{settings}; {os.cpu_count()} processors"

    def psql(self, *arguments):
        return run([SERVER, "psql", NAME, "-qAtX", "-v", "ON_ERROR_STOP=1", *arguments]).strip()

    def sql(self, *statements):
        return self.psql(*(part for statement in statements for part in ("-c", statement)))

    def file(self, name, **variables):
        self.psql("-o", "/dev/null", "-f", HERE / name, *(f"--set={key}={value}" for key, value in variables.items()))

    def worker(self, state):
        self.sql(f"ALTER SYSTEM SET checkout_sessions.worker_enabled = {state}", "SELECT pg_reload_conf()")

    def pgbench_command(self, script, *arguments, variables):
        defined = (f"--define={key}={value}" for key, value in variables.items())
        return [self.pgbench_program, "--no-vacuum", "--protocol=prepared", f"--file={HERE / 'scripts' / script}.sql",
                *map(str, arguments), *defined]

    def environment(self, user, commit):
        return {**os.environ, **self.address, "PGUSER": user, "PGOPTIONS": f"-c synchronous_commit={commit}"}

    def tps(self, script, *arguments, variables, user="bench_app", commit="on"):
        report = run(self.pgbench_command(script, *arguments, variables=variables), env=self.environment(user, commit))
        return next(float(line.split()[2]) for line in report.splitlines() if line.startswith("tps"))

    def tps_of(self, text, *arguments, **more):
        """The same for a script that is in no file."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(text)
            script.flush()
            return self.tps(script.name.removesuffix(".sql"), *arguments, **more)

    def interactive(self):
        return subprocess.Popen([SERVER, "psql", NAME, "-qAtX"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
