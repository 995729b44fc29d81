# SPDX-License-Identifier: Apache-2.0
"""From a request to the function that carries it out. Each module of resources registers its own."""

import json
import re
from dataclasses import dataclass, field

from . import query, shape
from .errors import Refused, unprocessable

ROUTES = []  # (method, pattern, handler, options)


@dataclass
class Answer:
    status: int
    body: object = None          # JSON, or None for nothing
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    world: object
    url: str                     # of the API, without a slash at the end
    user: object
    method: str
    path: str
    raw_query: str
    headers: dict
    content: bytes
    query: dict = field(default_factory=dict)
    later: object = None         # called without the lock after the answer is made; see start

    def json(self, checker):
        try:
            value = json.loads(self.content or b"{}")
        except ValueError:
            raise Refused("MessageParseError") from None
        if not isinstance(value, dict):
            raise Refused("MessageParseError")
        return checker("", value)

    def shown(self, resource, /, **links):
        """As the outside sees it: no keys of ours, and with links."""
        seen = {k: v for k, v in resource.items() if not k.startswith("_")}
        seen["links"] = {"self": {"href": f"{self.url}{self.path}"}, **seen.get("links", {})}
        for name, path in links.items():
            seen["links"][name] = {"href": f"{self.url}{path}"}
        return seen

    def accepted(self, job):
        """202 and the way to the job."""
        return Answer(202, None, {"Location": f"{self.url}/v3/jobs/{job['guid']}"})

    def listed(self, resources, show):
        chosen = resources
        for key, name in (("guids", "guid"), ("names", "name"), ("states", "state"),
                          ("types", "type")):
            if key in self.query and not (self.world.korifi and not self.query[key]):
                chosen = [r for r in chosen if self.matches(key, r.get(name))]
        if "label_selector" in self.query:
            chosen = query.selected(self.query["label_selector"], chosen)
        whole = query.page(self.query, self.raw_query, f"{self.url}{self.path}",
                           query.ordered(self.query, chosen), self.world.page_cap)
        whole["resources"] = [show(r) for r in whole["resources"]]
        return Answer(200, whole)

    def matches(self, key, value):
        """Names are compared without case; by Korifi with it."""
        wanted = query.texts(self.query[key])
        if key == "names" and not self.world.korifi:
            return (value or "").lower() in [w.lower() for w in wanted]
        return value in wanted

    def chosen(self, resources, **keys):
        """Of the resources, those whose value of ours is in the query's list: app_guids="_app"."""
        for key, name in keys.items():
            if key in self.query:
                resources = [r for r in resources if r.get(name) in query.texts(self.query[key])]
        return resources


LIST = ("page", "per_page", "order_by")


def route(method, path, takes=(), korifi_takes=None, free=False, korifi=True, writes=None):
    """A handler for method and path, in which :words stand for one segment each.

    takes: its query parameters. free: without a token. korifi: is it there, too."""
    pattern = re.compile("^" + re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path) + "$")

    def register(handler):
        ROUTES.append((method, pattern, handler, {
            "takes": set(takes), "korifi": korifi, "free": free,
            "korifi_takes": set(takes if korifi_takes is None else korifi_takes),
            "writes": method != "GET" if writes is None else writes}))
        return handler
    return register


def find(method, path, korifi):
    for its_method, pattern, handler, options in ROUTES:
        match = pattern.match(path)
        if match and its_method == method and (options["korifi"] or not korifi):
            return handler, match.groupdict(), options
    raise Refused("NotFound", "Unknown request")


def scope(user, writes):
    needed = "cloud_controller.write" if writes else "cloud_controller.read"
    if not user.admin and needed not in user.scopes:
        raise Refused("NotAuthorized")


def change(fields, required=()):
    """The checker of a body with metadata."""
    return shape.record({**fields, "metadata": shape.metadata}, required)


def korifi_refuses(world, body, *keys):
    """Keys that the Cloud Controller takes and Korifi does not know."""
    for key in keys:
        if world.korifi and key in body:
            raise unprocessable(f'invalid request body: json: unknown field "{key}"')
