"""The packages are what Debian's tools expect. They can be installed, upgraded and removed, and the data stay."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, run
from support.machine import IS_DEBIAN, PG_CONFIG, Machine

# apt and dpkg keep notes of what was there; a system user stays, because files may belong to it.
NOTES = re.compile(r"/var/(lib/(apt|dpkg|systemd)|log|cache)/|/etc/(ld\.so\.cache|\.pwd\.lock|(passwd|shadow|group|gshadow)-?)$")
LATER = "0.1.0+next-1"
MAJOR = PG_CONFIG.removeprefix("/usr/lib/postgresql/").partition("/")[0]
ORGANIZATION = "SELECT organization_id FROM checkout.list_organizations()"
CREATE = "SELECT checkout_session_id FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c1')"

pytestmark = pytest.mark.skipif(not IS_DEBIAN, reason="they are for Debian's Postgres")


@pytest.fixture(scope="module")
def packages():
    return run("scripts/deb").splitlines()[-2:]


def next_version(package, folder):
    """Makes the same package of a later version in a folder."""
    name = Path(package).name
    files = folder / "files" / name
    files.parent.mkdir(exist_ok=True)
    run("dpkg-deb", "--raw-extract", package, files)
    control = files / "DEBIAN/control"
    control.write_text(control.read_text().replace("0.1.0-1", LATER))
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", files, folder / name)


def test_lintian_finds_nothing(packages):
    lintian = ["lintian", "--allow-root", "--fail-on=warning", *packages]
    done = subprocess.run(lintian, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_each_command_has_a_manual_page(packages):
    def page(name):
        read = 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/share/man/man1/$2.1.gz" | gunzip'
        return run("sh", "-c", read, "sh", packages[1], name)

    assert r"checkout-sessions \- webhooks and HTTP" in page("checkout-sessions")
    for command, option in ("gateway", "address"), ("relay", "per-endpoint"), ("listen", "forward-to"), ("trigger", "api-key"):
        text = page(f"checkout-sessions-{command}")
        assert f"checkout-sessions-{command} \\- " in text and option.replace("-", r"\-") in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root installs packages")
def test_packages_are_installed_upgraded_and_removed_as_documented(packages, tmp_path):
    for package in packages:
        next_version(package, tmp_path)
    with Machine() as machine:
        assert machine.added() == set()
        machine.start_postgres()
        machine.follow(documented("Packages"), Path(packages[0]).parent)
        units_are_hardened(machine)
        machine.sql("ALTER DATABASE shop SET checkout_sessions.organization_id = '%s'" % machine.sql(ORGANIZATION))
        session = machine.sql(CREATE)
        assert "pay/main.js" in machine.answer(f"http://127.0.0.1:8080/pay/{session}")

        # An administrator has changed a setting. It stays, and the server at work goes on with the library that it has.
        machine("sed", "-i", "s/:8080/:8090/", "/etc/checkout-sessions/gateway.env")
        commands = documented("Upgrade")
        machine.follow(commands[:1], tmp_path)
        assert machine.sql(CREATE) != session
        machine.follow(commands[1:], tmp_path)
        names = [Path(package).name.split("_")[0] for package in packages]
        assert machine("dpkg-query", "--show", "--showformat=${Version} ", *names).split() == [LATER] * 2
        machine.stop_service("checkout-sessions-gateway")
        machine.start_service("checkout-sessions-gateway")
        assert "pay/main.js" in machine.answer(f"http://127.0.0.1:8090/pay/{session}")
        assert machine.sql(f"SELECT status FROM checkout.get_checkout_session('{session}')") == "open"

        # Without the package the data wait for it.
        machine.stop_postgres()
        machine("dpkg", "--remove", names[0])
        machine("dpkg", "--install", packages[0])
        machine.start_postgres()
        assert machine.sql("SELECT count(*) FROM checkout.checkout_sessions") == "2"

        machine.follow(documented("Uninstall"), tmp_path)
        assert machine.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'checkout%'") == "0"
        assert {file for file in machine.added() if not NOTES.match(file)} == {"/var/tmp/shop.dump"}
        machine.stop_postgres()


def documented(section):
    """The commands of a section of docs/install.md."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", (ROOT / "docs/install.md").read_text(), re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text.replace("postgresql-15", f"postgresql-{MAJOR}"), re.MULTILINE | re.DOTALL)
    return "".join(blocks).splitlines()


def units_are_hardened(machine):
    units = [f"/lib/systemd/system/checkout-sessions-{name}.service" for name in ("relay", "gateway")]
    machine("systemd-analyze", "verify", "--man=no", *units)
    # 20 of 100: what is left is the network, which they are for.
    machine("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", *units)
