"""pgbouncer in transaction mode in front of a private server."""

import shutil
import socket
import subprocess
from contextlib import contextmanager

import psycopg2
from conftest import AS_SERVER_USER, TARGET, wait_until

PROGRAM = TARGET / "pgbouncer/usr/sbin/pgbouncer"


class Pooler:
    """A pgbouncer of the server's user, on a socket in the server's folder."""

    def __init__(self, db, users, connections=1, ignored="extra_float_digits"):
        self.db, self.dir = db, db.server.dir
        # Copied, because the server's user may not be able to enter the clone.
        program = self.dir / "pgbouncer"
        shutil.copy(PROGRAM, program)
        settings = {
            "pool_mode": "transaction",
            "default_pool_size": connections,
            "max_client_conn": 128,
            "listen_addr": "",
            "unix_socket_dir": self.dir,
            "listen_port": 6432,
            "auth_type": "trust",
            "auth_file": self.dir / "users",
            "ignore_startup_parameters": ignored,
            "logfile": self.dir / "pgbouncer.log",
        }
        lines = [
            "[databases]",
            f"* = host={self.dir} port=54321",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        (self.dir / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        (self.dir / "users").write_text("".join(f'"{user}" ""\n' for user in users))
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if AS_SERVER_USER else {}
        self.process = subprocess.Popen([program, "-q", self.dir / "pgbouncer.ini"], cwd="/", **user)
        wait_until(self.listens)

    def listens(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.dir / ".s.PGSQL.6432")) == 0

    def connect(self, user="web"):
        connection = psycopg2.connect(host=str(self.dir), port=6432, dbname=self.db.name, user=user)
        connection.autocommit = True
        return connection

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


@contextmanager
def poolers(db, users):
    """Makes poolers for these users, and stops them at the end."""
    made = []

    def make(*arguments, **settings):
        made.append(Pooler(db, users, *arguments, **settings))
        return made[-1]

    try:
        yield make
    finally:
        for pooler in made:
            pooler.stop()
