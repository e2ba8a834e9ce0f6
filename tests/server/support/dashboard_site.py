"""The host of the pages also for the dashboard: with the views behind it, and with credentials."""

import http.client

from conftest import run
from support.page_site import PAGES, POLICY, Handler, PageSite

PASSED = ("accept", "authorization", "content-type", "prefer", "x-api-key")


class DashboardHandler(Handler):
    def pass_on(self, path):
        """Passes a request to PostgREST, and the answer back."""
        self.server.requests.append(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.postgrest.port, timeout=30)
        headers = {name: self.headers[name] for name in PASSED if name in self.headers}
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        passed = {name: answer.headers[name] for name in ("Content-Type", "Content-Range") if answer.headers[name]}
        self.respond(answer.status, answer.read(), **passed)
        connection.close()

    def do_GET(self):
        if self.path.startswith("/views/"):
            self.pass_on(self.path.removeprefix("/views"))
        elif self.path == "/dashboard":
            self.respond(200, (PAGES / "dashboard.html").read_bytes(), Content_Type="text/html; charset=utf-8",
                         Content_Security_Policy=POLICY + "'none'")
        else:
            super().do_GET()

    def do_POST(self):
        self.pass_on(self.path)


class DashboardSite(PageSite):
    def __init__(self, postgrest):
        run("scripts/pages")
        self.requests = []
        super().__init__(postgrest)
        self.RequestHandlerClass = DashboardHandler
