"""A machine for packages: this one's files with a layer of memory on top (overlayfs), and processes and a network of its
own. What is installed there is gone with it, and this machine stays as it is.
"""

import os
import shlex
import subprocess
import tempfile

from conftest import run, wait_until

PG_CONFIG = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")
# Other builds lack contrib modules and libxml, and Debian's packages are not for them.
IS_DEBIAN = PG_CONFIG.startswith("/usr/lib/postgresql/")
DATA = "/run/data"
SETUP = f"""
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
install -d -o postgres "$1/root/run/postgresql" "$1/root{DATA}"
ip link set lo up
echo ready
exec sleep infinity
"""


class Machine:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        apart = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        self.unshare = subprocess.Popen([*apart, "sh", "-ec", SETUP, "sh", self.folder.name],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.unshare.stdout.readline() == "ready\n"
        first = run("cat", f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")
        self.inside = ["nsenter", f"--target={first}", "--mount", "--pid", "--net"]
        self.bin = run(PG_CONFIG, "--bindir")
        self.services = {}
        return self

    def follow(self, commands, packages):
        """Does what a shell in a clone of this repository would, whose packages are in the folder `packages`."""
        for line in commands:
            match shlex.split(line):
                case ["make", "deb"]:
                    pass
                case ["sudo", "systemctl", "restart", "postgresql"]:
                    self.stop_postgres()
                    self.start_postgres()
                case ["sudo", "systemctl", "enable", "--now", *services]:
                    for service in services:
                        self.start_service(service)
                case ["sudo", "systemctl", "disable", "--now", *services]:
                    for service in services:
                        self.stop_service(service)
                case ["sudo", "-u", user, *command]:
                    self(*command, user=user)
                case _:
                    command = line.removeprefix("sudo ").replace("./target/deb/", f"{packages}/")
                    self("sh", "-c", command)

    def __exit__(self, *_):
        # With its first process all of its processes end, and with the last one its files.
        self.unshare.kill()
        self.unshare.wait()
        self.unshare.stdout.close()
        self.folder.cleanup()

    def command(self, *words, user="root"):
        """How to run a program there as a user, with the environment of a service."""
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        become = ["runuser", "-u", user, "--"] if user != "root" else []
        return [*self.inside, "chroot", f"{self.folder.name}/root", *clean, *become, *map(str, words)]

    def __call__(self, *words, user="root", **options):
        """Runs a program there, and returns what it wrote."""
        return run(*self.command(*words, user=user), cwd="/", stdin=subprocess.DEVNULL, **options)

    def succeeds(self, *words):
        return subprocess.run(self.command(*words), cwd="/", capture_output=True, check=False).returncode == 0

    def start_service(self, name):
        """Starts a service as its unit says, except for what only systemd can do."""
        settings = 'set -a; . "$(sed -n s/^EnvironmentFile=//p "$1")"; echo $$; exec $(sed -n s/^ExecStart=//p "$1")'
        unit = f"/lib/systemd/system/{name}.service"
        user = self("sed", "-n", "s/^User=//p", unit)
        start = self.command("sh", "-ec", settings, "sh", unit, user=user)
        service = subprocess.Popen(start, cwd="/", stdout=subprocess.PIPE, text=True)
        pid = service.stdout.readline().strip()

        self.services[name] = pid, service

    def stop_service(self, name):
        pid, service = self.services.pop(name)
        self("kill", pid)
        service.wait(10)
        service.stdout.close()

    def start_postgres(self):
        if not self.succeeds("test", "-e", f"{DATA}/PG_VERSION"):
            self(f"{self.bin}/initdb", f"--pgdata={DATA}", "--auth=peer", "--no-sync", user="postgres")
        options = "-c listen_addresses= -c fsync=off"
        start = f"{self.bin}/pg_ctl --pgdata={DATA} --log={DATA}/log --options='{options}' --wait start >/dev/null 2>&1"
        self("sh", "-c", start, user="postgres")

    def stop_postgres(self):
        self(f"{self.bin}/pg_ctl", f"--pgdata={DATA}", "--wait", "stop", user="postgres")

    def sql(self, query, database="shop"):
        return self("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
                    "--command", query, database, user="postgres")

    def answer(self, url):
        """What a URL of the machine answers, once somebody does."""
        wait_until(lambda: self.succeeds("curl", "--silent", "--fail", url), within=20)
        return self("curl", "--silent", "--fail", url)

    def added(self):
        """The files that are there and not on this machine, or are other ones. Those of /run do not count."""
        found = run(*self.inside, "find", f"{self.folder.name}/upper", "-type", "f", "-printf", "/%P\n", cwd="/")
        return set(found.splitlines())
