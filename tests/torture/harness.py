"""What all parts share: a part has a time or a goal, counts what it does, and notes what should not have happened."""

import collections
import ctypes
import faulthandler
import math
import os
import random
import threading
import time
import traceback

from conftest import INVARIANTS, NEVER_IN_A_LOG, Server

# As in earnest: what is acknowledged is on the disk.
# The files of a server that was killed are synced by file system, not one by one: that takes a tenth of the time.
DURABLE = ["fsync=on", "synchronous_commit=on", "recovery_init_sync_method=syncfs"]


class Part:
    def __init__(self, name, seed, seconds, goals):
        self.name, self.seed, self.seconds, self.goals = name, seed, seconds, goals
        self.random = random.Random(seed)
        self.counts, self.most = collections.Counter(), {}
        self.violations, self.servers, self.lock = [], [], threading.Lock()
        self.took = 0

    def play(self, function):
        """Runs the part. An exception is a violation, too: nobody has thought of it."""
        began = time.monotonic()
        adopt_orphans()
        # If something waits without end, it is shown where.
        faulthandler.dump_traceback_later(self.seconds + 600, exit=True)
        self.ends, self.said = began + self.seconds, began
        print(f"\n{self.name}: at most {self.seconds:.0f} seconds, seed {self.seed!r}", flush=True)
        try:
            function(self)
        except Exception:
            self.violation(traceback.format_exc())
        finally:
            for server in self.servers:
                try:
                    server.remove()
                except Exception:
                    self.violation(traceback.format_exc())
        faulthandler.cancel_dump_traceback_later()
        self.took = time.monotonic() - began
        print(f"{self.name}: {self.took:.0f} seconds, {len(self.violations)} violations; {self.summary()}", flush=True)

    def goes_on(self):
        """Whether there is time, and something to reach. Ends after a few violations: one is enough to look at."""
        if time.monotonic() > self.said + 60:
            self.said = time.monotonic()
            print(f"  {self.summary()}", flush=True)
        if time.monotonic() >= self.ends or len(self.violations) >= 20:
            return False
        return not self.goals or any(self.counts[what] < goal for what, goal in self.goals.items())

    def restart_clock(self):
        self.ends = time.monotonic() + self.seconds

    def left(self):
        return max(0.0, self.ends - time.monotonic())

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def longest(self, what, seconds):
        """Keeps the largest of measured values."""
        with self.lock:
            self.most[what] = max(seconds, self.most.get(what, 0))

    def violation(self, what):
        with self.lock:
            self.violations.append(what)
            if len(self.violations) <= 20:
                print(f"VIOLATION in {self.name} ({time.strftime('%H:%M:%S', time.gmtime())}): {what}", flush=True)

    def check(self, holds, what):
        if not holds:
            self.violation(what)
        return holds

    def chance(self, *of):
        """A generator of its own for something that runs beside others."""
        return random.Random(" ".join(map(str, (self.seed, *of))))

    def summary(self):
        counted = [f"{what} {number:,}" for what, number in self.counts.items()]
        return ", ".join(counted + [f"{what} {math.ceil(10 * most) / 10}" for what, most in self.most.items()])

    def server(self, name="one", *settings, start=True):
        """A new server, which is removed at the end."""
        # Another run beside this one has servers of its own.
        server = Server(f"torture-{self.name}-{name}-{os.getpid()}")
        server.remove()
        server.log_read = 0
        self.servers.append(server)
        return server.start(*settings) if start else server

    def settle(self, server, allowed=None, but=()):
        """Checks the invariants, `but` some, and that the log has nothing that it must never have, but what is `allowed`."""
        for db in server.databases():
            if db.sql("SELECT 1 FROM pg_extension WHERE extname = 'checkout_sessions'"):
                # With nested loops over tens of thousands of sessions it takes minutes.
                db.sql("ANALYZE")
                for row in db.sql(f"SET enable_nestloop = off; SET jit = off; {INVARIANTS}"):
                    self.check(row["what"] in but, f"invariant: {dict(row)}")
        self.read_log(server, allowed)
        self.count("checks of all invariants")

    def read_log(self, server, allowed=None):
        log = server.log()
        for line in log[server.log_read :].splitlines():
            if NEVER_IN_A_LOG.search(line) and not (allowed and allowed.search(line)):
                self.violation(f"in the log: {line}")
        server.log_read = len(log)


def in_threads(functions):
    """Runs them at once, and returns what each returns. The first exception comes after all have ended."""
    results, faults = [None] * len(functions), []

    def call(number, function):
        try:
            results[number] = function()
        except BaseException as fault:  # it is raised again below
            faults.append(fault)

    threads = [threading.Thread(target=call, args=pair, daemon=True) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return results


def adopt_orphans():
    """Has this process adopt what its children leave: then it learns at once that a killed server has ended."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def bury(pid):
    """Waits until a process has ended that was adopted."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # it was the child of another
