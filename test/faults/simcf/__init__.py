# SPDX-License-Identifier: Apache-2.0
"""A Cloud Foundry in one process: UAA and the Cloud Controller's v3 API, strict and with a memory.

It refuses what the real one refuses, changes state only with time, and keeps what is desired apart
from what runs. Tests decide what goes wrong (`faults`), how apps turn out (`world.behave`), how
long things take (`world.delays`) and, if they like, what time it is (`clock="manual"`).

    with Foundation(directory) as cf:
        org, space = cf.place("demo", "dev")
        user = cf.developer("penstock", "secret", space)
        cf.url, cf.ca_file                       # of the API; UAA is at cf.uaa_url, another host
        held = cf.faults.on("POST", r"/v3/apps$", "hold_after")
        …
        cf.asked("POST", r"/v3/packages$")       # the journal
        cf.world.ledger                          # what was really done, and by which request

mode="korifi" plays the other implementation of the API. Standard library only, and the openssl
command for certificates. From a shell: python3 -m simcf --help, in test/faults.
"""

import ssl
import sys
from pathlib import Path

from . import (apps, deployments, packages, processes, root, routes, services,  # noqa: F401
               spaces, tasks)
from .clock import Clock
from .faults import Faults
from .server import ApiServer, Rates, UaaServer
from .uaa import Uaa
from .world import World

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "hack" / "controlplane"))
import controlplane  # noqa: E402

__all__ = ["Foundation"]


class Foundation:
    def __init__(self, directory, mode="cc", clock="real", seed=1, ports=(0, 0)):
        if mode not in ("cc", "korifi") or clock not in ("real", "manual"):
            raise ValueError("mode is cc or korifi, clock is real or manual")
        self.clock = Clock(manual=clock == "manual")
        self.world = World(self.clock, seed, korifi=mode == "korifi")
        self.uaa, self.faults, self.rates = Uaa(self.world), Faults(), Rates(self.world)
        self.crashes = []          # mistakes of simcf itself: a test fails if there are any
        self.ca_file = None
        self.directory, self.ports = Path(directory), ports
        self.servers = []
        self.world.started = []    # (app, process guid, index, the instance as it was given)
        self.world.links = {}      # over those of the root
        self.world.korifi_patience = 1.0
        self.world.rate_limit = lambda: self.rates.limit

    # ---- start and stop --------------------------------------------------------------------------

    def start(self):
        tls = self._tls()
        self.servers = [ApiServer(self, "api", tls, self.ports[0]),
                        UaaServer(self, "uaa", tls, self.ports[1])]
        self.world.uaa_url = self.uaa_url
        for server in self.servers:
            server.start()
        return self

    def stop(self):
        self.faults.clear()
        for server in self.servers:
            server.stop()
        if self.crashes:
            raise AssertionError("simcf failed: " + "\n".join(self.crashes))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except AssertionError:
            if kind is None:  # else the test's own error is the one to see
                raise

    def _tls(self):
        pki = controlplane.Certificates(self.directory / "simcf-pki")
        if not Path(pki.path("server.crt")).exists():  # tests may share a directory
            pki.make()
        self.ca_file = pki.path("ca.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path("server.crt"), pki.path("server.key"))
        return context

    # ---- what tests use --------------------------------------------------------------------------

    @property
    def url(self):
        return self.servers[0].url

    @property
    def uaa_url(self):
        return self.servers[1].url

    def place(self, org="demo", space="dev", domain="apps.test"):
        """An organization, a space in it, and the first shared domain."""
        with self.world.lock:
            known = {o["name"]: o for o in self.world.table("organizations").values()}
            org = known.get(org) or self.world.organization(org)
            if not self.world.table("domains"):
                self.world.domain(domain)
            return org, self.world.space(org, space)

    def developer(self, name, password, *places, role="space_developer"):
        with self.world.lock:
            user = self.world.person(name, password)
            for space in places:
                self.world.grant(user, space, role)
            return user

    def asked(self, method=None, path=r""):
        return self.faults.asked(method, path)

    def effects(self, what):
        """Entries of the ledger: (effect, guid, name, number of the request)."""
        with self.world.lock:
            return [entry for entry in self.world.ledger if entry[0] == what]
