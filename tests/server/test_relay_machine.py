"""What the relay's own machine lacks is nobody else's fault."""

import os
import subprocess

from relay import PROGRAM


def test_without_root_certificates_it_says_so_at_the_start(tmp_path):
    none = tmp_path / "none.pem"
    none.touch()
    done = subprocess.run([PROGRAM, "--once"], env=os.environ | {"SSL_CERT_FILE": str(none)}, capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "no root certificates" in done.stderr and "ca-certificates" in done.stderr
