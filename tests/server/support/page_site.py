"""A static host of the pages with PostgREST behind it, on one origin, with the headers of docs/pages.md."""

import http.client
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conftest import ROOT
from support.web_server import request

PAGES = ROOT / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors ")
HEADERS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
           "X-Robots-Tag": "noindex", "Permissions-Policy": "payment=(self)", "Access-Control-Allow-Origin": "*"}
PAY = re.compile(r"/pay/([0-9a-f-]{36})")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        path = self.path.partition("?")[0]
        pay = PAY.fullmatch(path)
        file = PAGES / ("pay.html" if pay else path.removeprefix("/").removeprefix("pages/"))
        if not file.is_file() or PAGES not in file.resolve().parents:
            self.respond(404)
            return
        ancestors = self.server.ancestors(pay[1]) if pay else []
        self.respond(200, file.read_bytes(), Content_Type=TYPES.get(file.suffix, "text/plain"),
                     Content_Security_Policy=POLICY + (" ".join(ancestors) or "'none'"))

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append(self.path.rpartition("/")[2])
        time.sleep(self.server.delay)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.postgrest.port, timeout=30)
        connection.request("POST", self.path, body, {"content-type": self.headers["content-type"]})
        answer = connection.getresponse()
        self.respond(answer.status, answer.read(), Content_Type=answer.headers.get("content-type", "text/plain"))
        connection.close()

    def log_message(self, *_):
        """Says nothing."""


class PageSite(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, postgrest):
        super().__init__(("127.0.0.1", 0), Handler)
        self.postgrest, self.calls, self.delay = postgrest, [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def ancestors(self, session):
        answer = request(self.postgrest.port, "POST", "/rpc/page_policy", {"checkout_session_id": session})
        return answer.body["embedding_origins"] if answer.status == 200 else []

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
