# SPDX-License-Identifier: Apache-2.0
"""A TLS reverse proxy in front of an API server that loses, holds and delays what a test names.

It shows a certificate of a CA of its own, passes every request on with its Authorization header,
and streams answers piece by piece, watches too. It outlives the program that talks through it.

    with Turnstile(cluster, directory) as gate:          # gate.host, gate.port, gate.ca_file
        rule = gate.on(lambda x: x.verb == "create" and x.resource == "jobs", "commit")
        cut = gate.wait()                # (rule, exchange): committed, the answer is held
        operator.kill()
        gate.drop()                      # it never comes; everything held back is thrown away

One thread runs an asyncio loop; the test talks to it through the methods of Turnstile.
"""

import asyncio
import contextlib
import json
import queue
import ssl
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "hack" / "controlplane"))
import controlplane  # noqa: E402

HEAD_MAX = 64 * 1024
PIECE = 64 * 1024        # what is passed on at once of a long body
WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Closed(Exception):
    """This connection is over: a peer closed it, or a fault wants it closed."""


class Exchange:
    """One request and what became of it: a line of the journal."""

    def __init__(self, number, method, target, headers, body):
        self.number = number             # from 1, in the order in which the heads were read
        self.method = method
        self.target = target
        self.body = body
        self.agent = headers.get("user-agent", "")
        self.asked = time.monotonic()
        self.status = None               # of the server's answer; None: it has not given one
        self.forwarded = False
        self.delivered = False           # the whole answer went to the client
        self.fault = "pass"
        self._place(urllib.parse.urlsplit(target))
        self.verb = self._verb(method)

    def _place(self, url):
        """/api/v1/… or /apis/<group>/<version>/…, then [namespaces/<namespace>/]<resource>…"""
        parts = [urllib.parse.unquote(p) for p in url.path.split("/") if p]
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.group = parts[1] if parts[:1] == ["apis"] and len(parts) > 1 else ""
        rest = parts[3:] if parts[:1] == ["apis"] else parts[2:] if parts[:1] == ["api"] else []
        self.namespace = None
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            self.namespace, rest = rest[1], rest[2:]
        rest += [None] * (3 - len(rest))
        self.resource, self.name, self.subresource = rest[:3]

    def _verb(self, method):
        if method in VERBS:
            return VERBS[method]
        if method == "DELETE":
            return "delete" if self.name else "deletecollection"
        if self.query.get("watch") in ("1", "true"):
            return "watch"
        return "get" if self.name or not self.resource else "list"

    @property
    def is_write(self):
        return self.verb in WRITES

    def json(self):
        """The body of the request, decoded; {} without one."""
        return json.loads(self.body) if self.body else {}

    def __str__(self):
        where = "/".join(filter(None, (self.resource, self.namespace, self.name,
                                       self.subresource)))
        return "#%d %s %s -> %s%s%s" % (
            self.number, self.verb, where or self.target, self.status,
            "" if self.delivered else " (not delivered)",
            "" if self.fault == "pass" else " [%s]" % self.fault)


class Rule:
    """What happens to the exchanges that `match` says yes to, the first `times` of them."""

    def __init__(self, match, fault, times=1, seconds=0.0):
        self.match = match
        self.fault = fault
        self.times = times               # None: all
        self.seconds = seconds           # of delay and late
        self.fired = []                  # the exchanges

    def takes(self, exchange):
        if (self.times is not None and len(self.fired) >= self.times) or not self.match(exchange):
            return False
        self.fired.append(exchange)
        exchange.fault = self.fault
        return True


# --- the faults ------------------------------------------------------------------------------
#
# One coroutine for each kind: (gate, peers, exchange, rule). Either it forwards and delivers, or it
# raises Closed. To add a kind, write it and put it into FAULTS.


async def _pass(gate, peers, exchange, rule):
    await peers.forward(exchange)
    await peers.deliver(exchange)


async def _before(gate, peers, exchange, rule):
    """Held before the server sees it."""
    await gate.hold(rule, exchange)
    await _pass(gate, peers, exchange, rule)


async def _commit(gate, peers, exchange, rule):
    """Held when the server has done it and answered."""
    with gate.frozen_for(rule, exchange):
        await peers.forward(exchange)
        await peers.read_answer(exchange)
    await gate.hold(rule, exchange)
    await peers.deliver(exchange)


async def _after(gate, peers, exchange, rule):
    """Held when the client has the whole answer: no further write of its passes."""
    with gate.frozen_for(rule, exchange):
        await _pass(gate, peers, exchange, rule)
    await gate.hold(rule, exchange)


async def _delay(gate, peers, exchange, rule):
    await asyncio.sleep(rule.seconds)
    await _pass(gate, peers, exchange, rule)


async def _refuse(gate, peers, exchange, rule):
    """The connection ends before the server sees it."""
    raise Closed


async def _lost(gate, peers, exchange, rule):
    """Done by the server, and the answer never comes."""
    await peers.forward(exchange)
    await peers.read_answer(exchange)
    raise Closed


async def _late(gate, peers, exchange, rule):
    """The client is told nothing; the server sees it some time later, on another connection."""
    gate.later(rule.seconds, peers.request)
    raise Closed


FAULTS = {"pass": _pass, "before": _before, "commit": _commit, "after": _after, "delay": _delay,
          "refuse": _refuse, "lost": _lost, "late": _late}


# --- one connection --------------------------------------------------------------------------


async def _read_head(reader):
    """The first line of a message, its headers, and all of it as it came; Closed if none comes."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Closed from None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in fields}, raw


async def _pieces(reader, headers, bodyless=False):
    """The body of a message as it came, framing included, piece by piece."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
            if size == 0:
                return
    left = 0 if bodyless else int(headers.get("content-length", 0))
    while left > 0:
        piece = await reader.read(min(left, PIECE))
        if not piece:
            raise Closed
        left -= len(piece)
        yield piece


class Peers:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, gate, reader, writer):
        self.gate = gate
        self.client = (reader, writer)
        self.gone = asyncio.ensure_future(writer.wait_closed())
        self.server = None
        self.request = b""               # of the exchange under way
        self.answer = []                 # of it, what was read ahead
        self.head = None                 # of its answer

    async def serve(self):
        self.gate.peers.add(self)
        try:
            while True:
                await self.gate.serve(self, await self.read_request())
        except (Closed, OSError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            self.gate.problems.append(repr(error))
        finally:
            self.gate.peers.discard(self)
            self.close()
            await asyncio.gather(self.gone, return_exceptions=True)

    async def read_request(self):
        first, headers, raw = await _read_head(self.client[0])
        method, target, _ = first.split(" ", 2)
        if "transfer-encoding" in headers:
            raise ValueError("%s: a request in chunks is not understood" % target)
        body = b"".join([p async for p in _pieces(self.client[0], headers)])
        self.request = raw + body
        self.answer, self.head = [], None
        return self.gate.journaled(method, target, headers, body)

    async def forward(self, exchange):
        if self.server is None:
            self.server = await self.gate.connect()
        exchange.forwarded = True
        self.server[1].write(self.request)
        await self.server[1].drain()

    async def _read_answer_head(self, exchange):
        first, headers, raw = await _read_head(self.server[0])
        exchange.status = int(first.split(" ")[1])
        self.head = headers
        return raw

    def _body(self, exchange):
        return _pieces(self.server[0], self.head, exchange.status in (204, 304))

    async def read_answer(self, exchange):
        """All of it, to be delivered later."""
        self.answer = [await self._read_answer_head(exchange)]
        self.answer += [p async for p in self._body(exchange)]

    async def deliver(self, exchange):
        """What was read ahead, or the server's answer as it comes; ends when either side does."""
        if self.answer:
            self.client[1].writelines(self.answer)
            await self.client[1].drain()
            exchange.delivered = True
            return
        stream = asyncio.ensure_future(self._stream(exchange))
        try:
            await asyncio.wait((self.gone, stream), return_when=asyncio.FIRST_COMPLETED)
            if not stream.done():
                raise Closed
            await stream
            exchange.delivered = True
        finally:
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)

    async def _stream(self, exchange):
        self.client[1].write(await self._read_answer_head(exchange))
        async for piece in self._body(exchange):
            self.client[1].write(piece)
            await self.client[1].drain()
        await self.client[1].drain()

    def close(self):
        for peer in filter(None, (self.client, self.server)):
            peer[1].transport.abort()


# --- the gate --------------------------------------------------------------------------------


class Turnstile:
    """server needs host, port and ca_file, as a control plane has them, and this has them too."""

    def __init__(self, server, directory):
        self.server = server
        self.pki = controlplane.Certificates(Path(directory) / "turnstile-pki")
        self.pki.make()
        self.ca_file = self.pki.path("ca.crt")
        self.host, self.port = "127.0.0.1", 0
        self.journal = []
        self.rules = []
        self.cuts = queue.Queue()
        self.peers = set()               # the open connections
        self.held = set()                # futures of what stands still
        self.late = set()                # tasks of later()
        self.frozen = False
        self.problems = []               # what went wrong here, as opposed to on the wire
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="turnstile", daemon=True)

    def __enter__(self):
        self.thread.start()
        self.open()
        return self

    def __exit__(self, *exc):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    # --- for the test ----------------------------------------------------------------------

    def on(self, match, fault, **options):
        """Adds a rule; the first rule that takes an exchange decides. match(exchange) is called
        in the thread of the proxy."""
        assert fault in FAULTS, fault
        rule = Rule(match, fault, **options)
        self.rules = self.rules + [rule]
        return rule

    def wait(self, timeout=60):
        """The next cut that is reached, as (rule, exchange)."""
        return self.cuts.get(timeout=timeout)

    def drop(self):
        """Ends every connection, so that nothing which a dead client has sent is still passed
        on, and lets writes pass again. To be called before the client's next life."""
        self._in_loop(self._release, False)

    def release(self):
        """Lets go on what is held, and writes pass again."""
        self._in_loop(self._release, True)

    def shut(self):
        """Ends every connection and takes no more, as a host does on which nothing listens."""
        self._in_loop(self._shut)

    def open(self):
        """Takes connections again, at the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(10)

    def writes(self, match=lambda exchange: True, since=0):
        """The writes of the journal, but for events."""
        return [x for x in self.journal[since:]
                if x.is_write and x.resource != "events" and match(x)]

    def _in_loop(self, function, *args):
        done = threading.Event()

        def call():
            function(*args)
            done.set()
        self.loop.call_soon_threadsafe(call)
        if not done.wait(10):
            raise RuntimeError("turnstile: its thread does not answer")

    # --- in the loop -----------------------------------------------------------------------

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda _, context: self.problems.append(context))
        self.loop.run_forever()
        self.loop.set_exception_handler(lambda _, context: None)   # of what is cut off here
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _listen(self):
        inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        inward.load_cert_chain(self.pki.path("server.crt"), self.pki.path("server.key"))
        self.outward = ssl.create_default_context(cafile=self.server.ca_file)
        self.listener = await asyncio.start_server(
            lambda r, w: Peers(self, r, w).serve(), self.host, self.port, ssl=inward,
            limit=HEAD_MAX)
        self.port = self.listener.sockets[0].getsockname()[1]

    def _shut(self):
        self.listener.close()
        self._release(False)

    def connect(self):
        return asyncio.open_connection(self.server.host, self.server.port, ssl=self.outward,
                                       server_hostname=self.server.host, limit=HEAD_MAX)

    def journaled(self, method, target, headers, body):
        exchange = Exchange(len(self.journal) + 1, method, target, headers, body)
        self.journal.append(exchange)
        return exchange

    async def serve(self, peers, exchange):
        if self.frozen and exchange.is_write:
            exchange.fault = "frozen"
            await self._stand_still()
        rule = next((r for r in self.rules if r.takes(exchange)), None)
        await FAULTS[rule.fault if rule else "pass"](self, peers, exchange, rule)

    async def hold(self, rule, exchange):
        """Tells the test, and waits for its word."""
        self.freeze()
        self.cuts.put((rule, exchange))
        await self._stand_still()

    def freeze(self):
        """No write that comes from now on is passed on until the test speaks."""
        self.frozen = True

    @contextlib.contextmanager
    def frozen_for(self, rule, exchange):
        """On the way to a cut. If a connection ends before, nobody will hear of the cut: writes
        pass again, and the rule waits for another exchange."""
        self.freeze()
        try:
            yield
        except BaseException:
            rule.fired.remove(exchange)
            self._release(True)
            raise

    def later(self, seconds, request):
        """Sends a request without anybody to hear the answer."""
        async def send():
            await asyncio.sleep(seconds)
            reader, writer = await self.connect()
            writer.write(request)
            _, headers, _ = await _read_head(reader)
            async for _ in _pieces(reader, headers):
                pass
            writer.transport.abort()
        task = self.loop.create_task(send())
        self.late.add(task)              # the loop itself holds no task
        task.add_done_callback(self.late.discard)

    async def _stand_still(self):
        future = self.loop.create_future()
        self.held.add(future)
        try:
            if not await future:
                raise Closed
        finally:
            self.held.discard(future)

    def _release(self, go_on):
        self.frozen = False
        for future in list(self.held):
            if not future.done():
                future.set_result(go_on)
        if not go_on:
            for peers in list(self.peers):
                peers.close()
