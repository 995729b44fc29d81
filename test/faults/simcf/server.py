# SPDX-License-Identifier: Apache-2.0
"""The sockets: TLS servers for the API and for UAA, each on a port of its own."""

import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse

from .errors import Refused
from .routing import Answer, Request, find, scope
from .query import read as read_query
from .uaa import Denied

BODY_MAX = 256 << 20
HTML_502 = (b"<html><head><title>502 Bad Gateway</title></head><body>"
            b"<h1>502 Bad Gateway</h1></body></html>")


class Gone(Exception):
    """The connection is to end without an answer."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    # ---- in and out ------------------------------------------------------------------------------

    def log_message(self, *_):
        pass  # the journal has it

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def _content(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        size = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(min(size, BODY_MAX))

    def _serve(self):
        site = self.server.site
        headers = {k.lower(): v for k, v in self.headers.items()}
        exchange = site.faults.open(self.server.host_name, self.command, self.path, headers,
                                    site.world.clock.now())
        content = self._content()
        exchange.body = _as_json(content)
        try:
            answer = self._with_faults(exchange, headers, content)
            self._send(exchange, answer)
        except Gone:
            self._reset()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _reset(self):
        """RST and not FIN: as a peer that died."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        except OSError:
            pass

    # ---- faults ----------------------------------------------------------------------------------

    def _with_faults(self, exchange, headers, content):
        rule = exchange.fault
        action = rule.action if rule else None

        if rule and action != "hold_after":
            rule.met.put(exchange)
        if action == "answer":
            how = rule.how
            return Answer(how.get("status", 502), how.get("body", HTML_502),
                          {"Content-Type": how.get("content_type", "text/html"),
                           **how.get("headers", {})})
        if action == "reset_before" or (action == "hold_before" and not rule.held()):
            raise Gone
        if action == "delay":
            time.sleep(rule.how["seconds"])
        if action == "repeat":
            self._carry_out(exchange, headers, content)
        answer = self._carry_out(exchange, headers, content)
        if action == "hold_after":
            rule.met.put(exchange)
            if not rule.held():
                raise Gone
        if action == "reset_after":
            raise Gone
        return answer

    def _carry_out(self, exchange, headers, content):
        exchange.carried_out += 1
        return self.server.answer(exchange, headers, content)

    # ---- the answer ------------------------------------------------------------------------------

    def _send(self, exchange, answer):
        body = answer.body
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        rule = exchange.fault
        exchange.status = answer.status
        self.send_response(answer.status)
        sent = {"Content-Type": "application/json; charset=utf-8", **answer.headers,
                "X-Vcap-Request-Id": f"simcf-{exchange.number}"}
        for name, value in sent.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if rule and rule.action == "truncate":
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            raise Gone
        if rule and rule.action == "slow":
            pieces = 10
            for i in range(pieces):
                self.wfile.write(body[i * len(body) // pieces:(i + 1) * len(body) // pieces])
                self.wfile.flush()
                time.sleep(rule.how["seconds"] / pieces)
            return
        if answer.status != 204:
            self.wfile.write(body)


def _as_json(content):
    if len(content) > 1 << 20:
        return {"bytes": len(content)}
    try:
        return json.loads(content) if content else None
    except ValueError:
        return {"bytes": len(content)}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, site, name, tls, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.site, self.host_name, self.tls = site, name, tls
        self.url = f"https://localhost:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.shutdown()
        self.server_close()

    def finish_request(self, request, client_address):
        """The handshake belongs to the connection's own thread."""
        request.settimeout(30)
        try:
            secured = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        secured.settimeout(None)
        super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        import traceback
        self.site.crashes.append(traceback.format_exc())


class UaaServer(Server):
    def answer(self, exchange, headers, content):
        path, _, raw = exchange.target.partition("?")
        site = self.site
        with site.world.lock:
            site.world.clock.settle()
            try:
                if exchange.method == "POST" and path == "/oauth/token":
                    return Answer(200, site.uaa.grant(headers, content, raw),
                                  {"Cache-Control": "no-store"})
                if exchange.method == "GET" and path == "/.well-known/openid-configuration":
                    return Answer(200, {"issuer": f"{self.url}/oauth/token",
                                        "token_endpoint": f"{self.url}/oauth/token"})
                if exchange.method == "GET" and path == "/token_keys":
                    return Answer(200, {"keys": []})
                return Answer(404, {"error": "not_found", "error_description": "no such endpoint"})
            except Denied as denied:
                return Answer(denied.status, denied.body())


class ApiServer(Server):
    def answer(self, exchange, headers, content):
        site = self.site
        request = None
        with site.world.lock:
            site.world.clock.settle()
            site.world.request = exchange.number
            try:
                request = self._request(exchange, headers, content)
                limited = site.rates.spend(request)
                answer = self._handle(request)
                answer.headers.update(limited)
            except Refused as refused:
                answer = Answer(refused.status, refused.body(), dict(refused.headers))
                if refused.status == 429:
                    answer.headers["Content-Type"] = "text/plain"
            except Exception as error:  # a mistake in here: seen by the test at its end
                site.crashes.append(f"{exchange!r}: {error!r}")
                raise
            finally:
                site.world.request = 0
        if request is not None and request.later is not None:
            return request.later() or answer
        return answer

    def _request(self, exchange, headers, content):
        path, _, raw = exchange.target.partition("?")
        user = self._user(headers)
        exchange.user = user and user.name
        return Request(world=self.site.world, url=self.url, user=user, method=exchange.method,
                       path=urllib.parse.unquote(path).rstrip("/") or "/", raw_query=raw,
                       headers=headers, content=content)

    def _user(self, headers):
        kind, _, token = headers.get("authorization", "").partition(" ")
        return self.site.uaa.user_of(token) if kind.lower() == "bearer" else None

    def _handle(self, request):
        world = self.site.world
        handler, params, options = find(request.method, request.path, world.korifi)
        if not options["free"]:
            if request.user is None:
                known = "authorization" in request.headers
                raise Refused("InvalidAuthToken" if known else "NotAuthenticated")
            scope(request.user, options["writes"])
        takes = options["korifi_takes"] if world.korifi else options["takes"]
        request.query = read_query(request.raw_query, takes)
        return handler(request, **params)


class Rates:
    """Requests of a user within a window; None: no limit."""

    def __init__(self, world):
        self.world, self.limit, self.window_s = world, None, 3600
        self.spent = {}

    def spend(self, request):
        if self.limit is None or request.user is None or request.path in ("/", "/v3", "/healthz"):
            return {}
        now = self.world.clock.now()
        begun, count = self.spent.get(request.user.guid, (now, 0))
        if now - begun >= self.window_s:
            begun, count = now, 0
        self.spent[request.user.guid] = (begun, count + 1)
        headers = {"X-RateLimit-Limit": str(self.limit),
                   "X-RateLimit-Reset": str(int(begun + self.window_s)),
                   "X-RateLimit-Remaining": str(max(0, self.limit - count - 1))}
        if count >= self.limit:
            wait = max(1, int(begun + self.window_s - now))
            raise Refused("RateLimitExceeded", headers={**headers, "Retry-After": str(wait)})
        return headers
