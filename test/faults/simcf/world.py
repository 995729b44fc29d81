# SPDX-License-Identifier: Apache-2.0
"""What is in the foundation: resources by kind, people and their roles, and how things turn out.

Resources are dictionaries as they are shown, with keys that begin with "_" beside, which never are.
Everything is under one lock: a request is carried out whole, or not at all.
"""

import random
import re
import threading
import uuid

from . import query, shape
from .clock import Clock
from .errors import Refused, not_found, unprocessable

READERS = {"space_developer", "space_manager", "space_auditor", "space_supporter"}
RUNNERS = {"space_developer", "space_supporter"}  # start, scale, build, deploy, map and bind
MAKERS = {"space_developer"}                      # apps, packages, tasks


class Delays:
    """Seconds until the next state of each machine."""
    package, build, job, broker, start, stop, task, tick = .05, .1, .05, .1, .1, .05, .2, .1


class Behaviour:
    """How an app turns out: settable by its name, and by its image."""

    def __init__(self, **changes):
        self.stage = None         # the text of the build's error
        self.run = "ok"           # ok, crash, never (stays STARTING), unplaceable
        self.task = "ok"          # ok, fail, forever
        self.upload = None        # the text of the package's error
        self.exposed = 8080
        for key, value in changes.items():
            if not hasattr(self, key):
                raise TypeError(f"no such behaviour: {key}")
            setattr(self, key, value)


class User:
    def __init__(self, guid, name, scopes, admin=False):
        self.guid, self.name, self.scopes, self.admin = guid, name, set(scopes), admin
        self.roles = {}  # space guid -> set of roles


class World:
    def __init__(self, clock=None, seed=1, korifi=False):
        self.lock = threading.RLock()
        self.clock = clock or Clock()
        self.random = random.Random(seed)
        self.korifi = korifi
        self.delays = Delays()
        self.tables = {}
        self.rows = 0
        self.behaviours = []   # (pattern of the app's name or image, Behaviour); the last one counts
        self.flags = {"diego_docker": True, "deployments": True, "stats": True,
                      "process_instances": not korifi, "env_var_visibility": True}
        self.page_cap = query.PER_PAGE_MAX
        self.limits = {"timeout": 180, "disk_mb": 2048, "memory_mb": None, "app_tasks": None}
        self.users = {}        # guid -> User
        self.ledger = []       # (effect, guid, name, number of the request); see effect()
        self.request = 0       # number of the one that is being carried out; 0: none, time itself
        self.reserved = set()  # (host, domain guid, path) of routes in spaces that nobody sees

    # ---- resources -------------------------------------------------------------------------------

    def table(self, kind):
        return self.tables.setdefault(kind, {})

    def guid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def add(self, kind, resource, guid=None, metadata=None):
        now = self.clock.stamp()
        self.rows += 1
        whole = {"guid": guid or self.guid(), "created_at": now, "updated_at": now, **resource,
                 "metadata": {"labels": {}, "annotations": {}}, "_row": self.rows}
        shape.merge_metadata(whole["metadata"], metadata)
        for part in whole["metadata"].values():
            for key in [k for k, v in part.items() if v is None]:
                del part[key]
        self.table(kind)[whole["guid"]] = whole
        return whole

    def touch(self, resource):
        resource["updated_at"] = self.clock.stamp()

    def effect(self, what, resource, name=None):
        """Note in the ledger what was done and can't be undone by doing it again."""
        self.ledger.append((what, resource["guid"], name or resource.get("name", ""), self.request))

    def find(self, kind, guid, label=None):
        found = self.table(kind).get(guid)
        if found is None:
            raise not_found(label or kind.rstrip("s").replace("_", " ").capitalize())
        return found

    def where(self, kind, **wanted):
        return [r for r in self.table(kind).values()
                if all(r.get(k) == v for k, v in wanted.items())]

    def remove(self, kind, guid):
        self.table(kind).pop(guid, None)

    # ---- people ----------------------------------------------------------------------------------

    def person(self, name, password=None, scopes=("cloud_controller.read", "cloud_controller.write"),
               guid=None, admin=False):
        user = User(guid or self.guid(), name, scopes, admin)
        user.password = password
        self.users[user.guid] = user
        return user

    def grant(self, user, space, *roles):
        user.roles.setdefault(space["guid"], set()).update(roles)

    def sees(self, user, space_guid):
        return user.admin or bool(user.roles.get(space_guid, set()) & READERS)

    def space_for(self, user, guid, label, roles=READERS):
        """404 to whom may not read there, 403 to whom may not do this."""
        if not self.sees(user, guid):
            raise not_found(label)
        if not user.admin and not user.roles[guid] & roles:
            raise Refused("NotAuthorized")
        return self.find("spaces", guid)

    # ---- how things turn out ---------------------------------------------------------------------

    def behave(self, pattern, **changes):
        self.behaviours.append((re.compile(pattern), Behaviour(**changes)))

    def behaviour(self, *names):
        for pattern, behaviour in reversed(self.behaviours):
            if any(name and pattern.search(name) for name in names):
                return behaviour
        return Behaviour()

    # ---- to begin with ---------------------------------------------------------------------------

    def organization(self, name):
        return self.add("organizations", {"name": name, "suspended": False})

    def space(self, org, name):
        return self.add("spaces", {"name": name, "_org": org["guid"]})

    def domain(self, name, internal=False, tcp=False, org=None):
        guid = "default-domain" if self.korifi and not self.table("domains") else None
        return self.add("domains", {
            "name": name, "internal": internal, "_org": org and org["guid"],
            "router_group": {"guid": "tcp-group"} if tcp else None,
            "supported_protocols": ["tcp"] if tcp else ["http"]}, guid=guid)

    # ---- jobs ------------------------------------------------------------------------------------

    def job(self, operation, guid, done, states=("PROCESSING",), delay=None):
        """A job that goes through the states and then calls done(), which may return an error."""
        delay = self.delays.job if delay is None else delay
        name = f"{operation}~{guid}" if self.korifi else None
        job = self.add("jobs", {"operation": operation, "state": states[0], "errors": [],
                                "warnings": []}, guid=name)

        def step(rest):
            if rest:
                job["state"] = rest[0]
                self.clock.after(delay, lambda: step(rest[1:]))
                return
            error = done()
            job["state"] = "FAILED" if error else "COMPLETE"
            if error:
                refused = unprocessable(error)
                job["errors"] = refused.body()["errors"]
            self.touch(job)

        self.clock.after(delay, lambda: step(list(states[1:])))
        return job
