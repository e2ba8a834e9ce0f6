"""A static host of the pages, with PostgREST behind it, all on one origin: as a merchant's own server would be."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conftest import ROOT, run

PAGES = ROOT / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
}
PASSED = ("accept", "authorization", "content-type", "prefer", "x-api-key")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, status, body, headers):
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def to_postgrest(self, path):
        """Passes the request on, and the answer back."""
        self.server.requests.append((self.command, self.path, self.headers))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.postgrest.port, timeout=30)
        headers = {name: self.headers[name] for name in PASSED if name in self.headers}
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        passed = {name: answer.headers[name] for name in ("Content-Type", "Content-Range") if answer.headers[name]}
        self.respond(answer.status, answer.read(), passed)
        connection.close()

    def do_GET(self):  # pylint: disable=invalid-name
        path = self.path.partition("?")[0]
        if path.startswith("/views/"):
            self.to_postgrest(self.path.removeprefix("/views"))
            return
        file = PAGES / ("dashboard.html" if path == "/dashboard" else path.removeprefix("/pages/"))
        if file.suffix in TYPES and file.is_file() and PAGES in file.resolve().parents:
            self.respond(200, file.read_bytes(), {"Content-Type": TYPES[file.suffix]})
        else:
            self.respond(404, b"", {})

    def do_POST(self):  # pylint: disable=invalid-name
        self.to_postgrest(self.path)

    def log_message(self, *_):
        """Says nothing."""


class PageHost(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, postgrest):
        super().__init__(("127.0.0.1", 0), Handler)
        run("scripts/pages")
        self.postgrest, self.requests = postgrest, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
