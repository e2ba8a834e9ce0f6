"""The parsers of the rules under texts by chance: rules/src/fuzz_tests.rs, with more cases than `make unit` has."""

import os
import re
import subprocess

from conftest import ROOT

CASES = 20_000


def run(part):
    program = ["cargo", "test", "--release", "--package", "rules", "--lib", "fuzz_tests"]
    subprocess.run([*program, "--no-run"], cwd=ROOT, check=True, capture_output=True)
    part.restart_clock()  # built before the time counts
    while part.goes_on():
        seed = part.random.randrange(2**63)
        done = subprocess.run(
            program,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"PROPTEST_CASES": str(CASES), "PROPTEST_RNG_SEED": str(seed)},
        )
        passed = re.search(r"(\d+) passed; (\d+) failed", done.stdout)
        if not passed or done.returncode != 0:
            part.violation(
                f"PROPTEST_RNG_SEED={seed} PROPTEST_CASES={CASES} {' '.join(program)}: {(done.stdout + done.stderr)[-4000:]}"
            )
            return
        part.counts["targets"] = int(passed[1])
        part.count("cases", CASES * int(passed[1]))
