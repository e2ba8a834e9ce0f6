"""Tortures servers, and checks what the documentation promises: docs/promises.md says what each part does.

usage: tests/torture [PART ...]     all parts unless some are named
Environment: TORTURE=long, or a number of minutes (10); SEED, to repeat a run.

Exit status 1 if a promise was broken. What clients ask is repeated by the seed; how processes take turns is not.
"""

import importlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

from conftest import ROOT, programs  # noqa: E402
from harness import Part  # noqa: E402

# The share of the time that each part gets, and what it counts up to: in a long run it ends there.
TENANT_ROLES = ["secret", "restricted", "publishable", "key", "token", "tester"]
PARTS = {
    "crashes": (14, {"crashes": 1_000}),
    "failover": (12, {"promotions": 50}),
    "cuts": (8, {"cuts": 20_000}),
    "races": (12, {"races": 200_000}),
    "clock": (10, {"clock jumps": 1_000}),
    "inputs": (10, {"inputs": 1_000_000}),
    "pooler": (6, {"transactions": 200_000}),
    "tenants": (10, {f"queries of {who}": 1_000_000 for who in TENANT_ROLES}),
    "model": (8, {"steps": 100_000}),
    "lifecycle": (5, {"signals": 1_000}),
    "resources": (8, {"rounds": 50}),
    "fuzz": (5, {"cases": 10_000_000}),
}
LONG_MINUTES = 8 * 60


def main():
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    how_long = os.environ.get("TORTURE") or "10"
    minutes = LONG_MINUTES if how_long == "long" else float(how_long)
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
    shares = sum(PARTS[name][0] for name in chosen)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    version = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    said = f"TORTURE={how_long} SEED={seed} ARGS='{' '.join(chosen)}'"
    print(f"make torture {said}\n{version.stdout.strip()}; commit {commit.stdout.strip() or 'unknown'}", flush=True)
    parts = []
    for name in chosen:
        share, goals = PARTS[name]
        part = Part(name, f"{seed} {name}", 60 * minutes * share / shares, goals)
        part.play(importlib.import_module(name).run)
        parts.append(part)
    print()
    print(f"{'part':10} {'seconds':>8} {'violations':>11}  what was done")
    for part in parts:
        print(f"{part.name:10} {part.took:8.0f} {len(part.violations):11}  {part.summary()}")
    violations = [(part.name, what) for part in parts for what in part.violations]
    now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    print(f"\n{now} UTC: {len(violations)} violations. Again with: make torture {said}")
    for name, what in violations[:100]:
        print(f"{name}: {what}")
    sys.exit(1 if violations else 0)


main()
