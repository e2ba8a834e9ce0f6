"""Programs that serve HTTP, and requests to them."""

import http.client
import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from conftest import ENVIRONMENT, run, wait_until


class Answer(NamedTuple):
    status: int
    text: str
    headers: http.client.HTTPMessage

    @property
    def body(self):
        return json.loads(self.text) if self.text else None


def request(port, method, path, body=None, headers=()):
    """Sends a request. A body that is not a text is sent as JSON."""
    headers = dict(headers)
    if body is not None:
        headers.setdefault("content-type", "application/json")
        body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(), response.headers)
    finally:
        connection.close()


class WebServer:
    """A program that listens on a port of its own choice, and logs it."""

    def __init__(self, command, listening, environment):
        self.log_path = Path(run("mktemp"))
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**ENVIRONMENT, **environment})
        started = lambda: re.search(listening, self.log())
        wait_until(lambda: started() or self.process.poll() is not None, within=20)
        # It may have ended, because some tests end it.
        if started():
            self.port = int(started()[1])
            self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log_path.unlink()

    def log(self):
        return self.log_path.read_text()

    def stop(self):
        """Asks it to end. Returns its exit status."""
        self.process.terminate()
        return self.process.wait(20)

    def request(self, method, path, body=None, headers=()):
        return request(self.port, method, path, body, headers)
