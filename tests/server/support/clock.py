"""A server whose clock a test sets."""

import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

from conftest import AS_SERVER_USER, ENVIRONMENT, run


class Clock:
    """The clock of a server, which it reads through clock.c."""

    def __init__(self, server):
        self.server, self.file, self.library = server, server.dir / "clock", server.dir / "clock.so"
        run("cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", self.library, Path(__file__).with_suffix(".c"))
        self.file.write_bytes(bytes(8))
        self.library.chmod(0o755)
        self.file.chmod(0o644)
        self.ahead = 0.0

    def set(self, ahead):
        self.ahead = ahead
        with open(self.file, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", round(ahead * 1_000_000)))

    def now(self):
        return datetime.now(timezone.utc) + timedelta(seconds=self.ahead)

    def start(self):
        """Starts the server under it."""
        pg_ctl = [self.server.bin / "pg_ctl", f"--pgdata={self.server.data}", f"--log={self.server.dir / 'log'}"]
        clock = [f"LD_PRELOAD={self.library}", f"CLOCK_FILE={self.file}"]
        run(*AS_SERVER_USER, "env", *clock, *pg_ctl, "--silent", "--wait", "start", cwd="/", env=ENVIRONMENT)
