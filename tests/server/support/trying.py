"""`checkout-sessions trigger` and `listen`, as a merchant's developer runs them: with an API key and nothing else."""

import os
import re
import signal
import subprocess
import time

from conftest import ENVIRONMENT, wait_until
from support.relay import RELAY

PROGRAM = RELAY[0]
READY = re.compile(r"^> Ready! Your webhook signing secret is (whsec_\S+) ", re.MULTILINE)


def environment(db, key):
    """The environment of a developer, who connects as a role with request access."""
    plain = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("PG", "CHECKOUT"))}
    return plain | {"PGHOST": str(db.server.dir), "PGPORT": "54321", "PGUSER": db.web, "PGDATABASE": db.name} | (
        {"CHECKOUT_SESSIONS_API_KEY": key} if key else {})


def trigger(db, key, session, scenario, *options):
    """Runs it to its end. Returns its exit status, and all that it has said."""
    command = [PROGRAM, "trigger", session, scenario, *options]
    done = subprocess.run(command, env=environment(db, key), text=True, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


class Listen:
    def __init__(self, db, key, forward_to, *options):
        self.output = db.server.dir / f"listen-{time.monotonic_ns()}.log"
        with open(self.output, "wb") as output:
            command = [PROGRAM, "listen", "--forward-to", forward_to, *options]
            self.process = subprocess.Popen(command, env=environment(db, key), stdout=output, stderr=output)

    def said(self):
        return self.output.read_text()

    def secret(self):
        """Waits until it is ready."""
        return wait_until(lambda: READY.search(self.said()))[1]

    def stop(self, by=signal.SIGTERM):
        """Ends it. Returns its exit status."""
        if self.process.poll() is None:
            os.kill(self.process.pid, by)
        return self.process.wait(10)
