"""The packages are what Debian's tools expect. They can be installed, upgraded and removed, and the data stay."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import run
from support.machine import DATA, PG_CONFIG, Machine

# dpkg and its kind keep notes of what was there; a system user stays, because files may belong to it.
NOTES = re.compile(r"/var/(lib/dpkg|lib/systemd|log|cache)/|/etc/(ld\.so\.cache|\.pwd\.lock|(passwd|shadow|group|gshadow)-?)$")
LATER = "0.1.0+next-1"
COUNT = "SELECT count(*) FROM checkout.checkout_sessions"

pytestmark = pytest.mark.skipif(not PG_CONFIG.startswith("/usr/lib/postgresql/"), reason="they are for Debian's Postgres")


@pytest.fixture(scope="module")
def packages():
    return run("scripts/deb").splitlines()[-2:]


def next_version(package, folder):
    """The same package, of a later version."""
    files, made = folder / "files", folder / "next.deb"
    folder.mkdir()
    run("dpkg-deb", "--raw-extract", package, files)
    control = files / "DEBIAN/control"
    control.write_text(control.read_text().replace("0.1.0-1", LATER))
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", files, made)
    return made


def test_lintian_finds_nothing(packages):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on=warning", *packages], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_each_command_has_a_manual_page(packages):
    def page(name):
        return run("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/share/man/man1/$2.1.gz" | gunzip', "sh", packages[1], name)

    assert r"checkout-sessions \- webhooks and HTTP" in page("checkout-sessions")
    for command, option in ("gateway", "address"), ("relay", "per-endpoint"), ("listen", "forward-to"), ("trigger", "api-key"):
        text = page(f"checkout-sessions-{command}")
        assert f"checkout-sessions-{command} \\- " in text and option.replace("-", r"\-") in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root installs packages")
def test_packages_are_installed_upgraded_and_removed(packages, tmp_path):
    dpkg = ["dpkg", "--force-unsafe-io"]
    names = [Path(package).name.split("_")[0] for package in packages]
    later = [next_version(package, tmp_path / name) for package, name in zip(packages, names)]
    with Machine() as machine:
        assert machine.added() == set()
        machine(*dpkg, "--install", *packages)
        units_are_hardened(machine)

        machine.start_postgres()
        machine.sql("CREATE EXTENSION checkout_sessions")
        organization = machine.sql("SELECT checkout.create_organization('Shop')")
        machine.sql(f"ALTER DATABASE postgres SET checkout_sessions.organization_id = '{organization}'")
        session = machine.sql("SELECT checkout_session_id FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c1')")
        for service, access in ("relay", "relay"), ("gateway", "request"):
            machine.sql(f"CREATE ROLE checkout_{service} LOGIN; SELECT checkout.grant_access('checkout_{service}', '{access}')")
            end = machine.start_service(f"checkout-sessions-{service}")
        assert machine.answer("http://127.0.0.1:9187/healthz") == "ok"
        assert "pay/main.js" in machine.answer(f"http://127.0.0.1:8080/pay/{session}")

        # An administrator has changed a setting. It stays, and the server at work goes on with the library that it has.
        machine("sed", "-i", "s/:8080/:8090/", "/etc/checkout-sessions/gateway.env")
        machine(*dpkg, "--install", *later)
        assert machine("dpkg-query", "--show", "--showformat=${Version} ", *names).split() == [LATER] * 2
        assert ":8090" in machine("cat", "/etc/checkout-sessions/gateway.env")
        assert machine.sql(COUNT) == "1"
        machine.stop_postgres()
        machine.start_postgres()
        assert machine.sql(f"SELECT status FROM checkout.get_checkout_session('{session}')") == "open"
        end()
        machine.start_service("checkout-sessions-gateway")
        assert "pay/main.js" in machine.answer(f"http://127.0.0.1:8090/pay/{session}")
        machine.stop_postgres()

        machine(*dpkg, "--remove", *names)
        settings = {f"/etc/checkout-sessions/{name}.env" for name in ("relay", "gateway")}
        assert {file for file in machine.added() if not NOTES.match(file)} == settings
        assert machine.succeeds("test", "-e", f"{DATA}/PG_VERSION")
        machine(*dpkg, "--purge", *names)
        assert {file for file in machine.added() if not NOTES.match(file)} == set()

        # The data wait for the package.
        machine(*dpkg, "--install", *packages)
        machine.start_postgres()
        assert machine.sql(COUNT) == "1"
        machine.stop_postgres()


def units_are_hardened(machine):
    units = [f"/lib/systemd/system/checkout-sessions-{name}.service" for name in ("relay", "gateway")]
    machine("systemd-analyze", "verify", "--man=no", *units)
    # 20 of 100: what is left is the network, which they are for.
    machine("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", *units)
