# SPDX-License-Identifier: Apache-2.0
"""Routes and their destinations."""

from . import shape
from .apps import find_app
from .errors import unprocessable
from .packages import of_space
from .routing import LIST, Answer, change, route
from .spaces import writable_space
from .world import RUNNERS

DESTINATIONS_MAX = 100
NEW = change({"host": shape.text(63, r"[A-Za-z0-9_-]+|\*", empty=True),
              "path": shape.text(127, r"(/[^?]+)?", empty=True),
              "port": shape.integer(1, 65535), "options": shape.mapping,
              "relationships": shape.related("space", "domain")}, ["relationships"])
TARGET = shape.record({"app": shape.record({
    "guid": shape.text(), "process": shape.nullable(shape.record({"type": shape.text()}))},
    ["guid"]), "port": shape.nullable(shape.integer(1, 65535)), "weight": shape.nullable(
        shape.integer(1, 100)), "protocol": shape.nullable(shape.one_of("http1", "http2", "tcp"))},
    ["app"])
MAP = shape.record({"destinations": shape.many(TARGET, DESTINATIONS_MAX)}, ["destinations"])


def show(request, a_route):
    base = f"/v3/routes/{a_route['guid']}"
    seen = request.shown(a_route, self=base, destinations=f"{base}/destinations",
                         space=f"/v3/spaces/{a_route['_space']}",
                         domain=f"/v3/domains/{a_route['_domain']}")
    seen["relationships"] = {"space": {"data": {"guid": a_route["_space"]}},
                             "domain": {"data": {"guid": a_route["_domain"]}}}
    return seen


@route("POST", "/v3/routes")
def create(request):
    world, body = request.world, request.json(NEW)
    space = writable_space(request, body["relationships"]["space"], RUNNERS)
    domain = world.table("domains").get(body["relationships"]["domain"])
    if domain is None or domain["_org"] not in (None, space["_org"]):
        raise unprocessable("Invalid domain. Ensure that the domain exists and you have access.")
    host, path = body.get("host", ""), body.get("path", "")
    tcp = domain["router_group"] is not None
    if tcp and (host or path):
        raise unprocessable("Routes with protocol 'tcp' cannot have a host or a path.")
    if not tcp and "port" in body:
        raise unprocessable("Routes with protocol 'http' cannot have a port.")
    if not tcp and not host and domain["_org"] is None:
        raise unprocessable("Missing host. Routes in shared domains must have a host defined.")
    if path == "/" or (path and domain["internal"]):
        raise unprocessable("Path is invalid" if path == "/" else
                            "Paths are not supported for internal domains.")
    port = body.get("port") or (next_port(world) if tcp else None)
    if (host.lower(), domain["guid"], path) in world.reserved or any(
            (r["host"].lower(), r["_domain"], r["path"], r["port"]) ==
            (host.lower(), domain["guid"], path, port) for r in world.table("routes").values()):
        where = f"host '{host}'" + (f", path '{path}'" if path else "")
        raise unprocessable(f"Route already exists with {where} for domain '{domain['name']}'.")
    url = f"{host}.{domain['name']}{path}" if host else f"{domain['name']}{path}"
    made = world.add("routes", {
        "protocol": "tcp" if tcp else "http", "host": host, "path": path, "port": port,
        "url": f"{domain['name']}:{port}" if tcp else url, "destinations": [],
        "_space": space["guid"], "_domain": domain["guid"]}, metadata=body.get("metadata"))
    world.effect("route.create", made, made["url"])
    return Answer(201, show(request, made))


def next_port(world):
    used = [r["port"] for r in world.table("routes").values() if r["port"]]
    return max([1023, *used]) + 1


@route("GET", "/v3/routes", takes=(*LIST, "guids", "app_guids", "space_guids", "domain_guids",
                                   "organization_guids", "hosts", "paths", "ports",
                                   "label_selector", "include"),
       korifi_takes=("page", "per_page", "app_guids", "space_guids", "domain_guids", "hosts",
                     "paths"))
def routes(request):
    world = request.world
    found = [r for r in world.table("routes").values() if world.sees(request.user, r["_space"])]
    found = request.chosen(found, space_guids="_space", domain_guids="_domain", hosts="host",
                           paths="path")
    if "app_guids" in request.query:
        apps = set(request.query["app_guids"].split(","))
        found = [r for r in found if apps & {d["app"]["guid"] for d in r["destinations"]}]
    return request.listed(found, lambda r: show(request, r))


@route("GET", "/v3/apps/:guid/routes", takes=(*LIST, "guids", "space_guids", "domain_guids",
                                              "hosts", "paths", "ports", "label_selector"),
       korifi_takes=("page", "per_page"))
def routes_of(request, guid):
    find_app(request, guid)
    found = [r for r in request.world.table("routes").values()
             if any(d["app"]["guid"] == guid for d in r["destinations"])]
    return request.listed(found, lambda r: show(request, r))


@route("GET", "/v3/routes/:guid", takes=("include",))
def one(request, guid):
    return Answer(200, show(request, of_space(request, "routes", "Route", guid)))


@route("PATCH", "/v3/routes/:guid")
def patch(request, guid):
    a_route = of_space(request, "routes", "Route", guid, RUNNERS)
    body = request.json(change({"options": shape.mapping}))
    shape.merge_metadata(a_route["metadata"], body.get("metadata"))
    request.world.touch(a_route)
    return Answer(200, show(request, a_route))


@route("DELETE", "/v3/routes/:guid")
def delete(request, guid):
    world = request.world
    a_route = of_space(request, "routes", "Route", guid, RUNNERS)

    def gone():
        if guid in world.table("routes"):
            world.effect("route.delete", a_route, a_route["url"])
        world.remove("routes", guid)
    return request.accepted(world.job("route.delete", guid, gone))


# ---- destinations --------------------------------------------------------------------------------

def _mapped(request, a_route):
    base = f"{request.url}/v3/routes/{a_route['guid']}"
    return Answer(200, {"destinations": a_route["destinations"], "links": {
        "self": {"href": f"{base}/destinations"}, "route": {"href": base}}})


@route("GET", "/v3/routes/:guid/destinations", takes=("guids", "app_guids"), korifi_takes=())
def destinations(request, guid):
    return _mapped(request, of_space(request, "routes", "Route", guid))


@route("POST", "/v3/routes/:guid/destinations")
def add(request, guid):
    world, body = request.world, request.json(MAP)
    a_route = of_space(request, "routes", "Route", guid, RUNNERS)
    for wanted in body["destinations"]:
        app = world.table("apps").get(wanted["app"]["guid"])
        if app is None or app["_space"] != a_route["_space"]:
            raise unprocessable("App(s) with guid(s) "
                                f"\"{wanted['app']['guid']}\" do not exist or you do not have "
                                "access.")
        kind = (wanted["app"].get("process") or {}).get("type", "web")
        given = wanted.get("port")
        port = given or (8080 if app["lifecycle"]["type"] != "docker" else
                         world.behaviour(app["name"], app["_image"]).exposed)
        same = [d for d in a_route["destinations"] if d["app"]["guid"] == app["guid"]
                and d["app"]["process"]["type"] == kind and d["port"] == port]
        # Korifi compares what was asked for with what it made of that: again is another one.
        if same and not (world.korifi and given is None):
            continue
        if len(a_route["destinations"]) >= DESTINATIONS_MAX:
            raise unprocessable(f"Routes can be mapped to at most {DESTINATIONS_MAX} destinations.")
        a_route["destinations"].append({
            "guid": world.guid(), "app": {"guid": app["guid"], "process": {"type": kind}},
            "weight": None, "port": port, "protocol": wanted.get("protocol") or "http1"})
        world.effect("route.map", a_route, app["name"])
    world.touch(a_route)
    return _mapped(request, a_route)


@route("DELETE", "/v3/routes/:guid/destinations/:destination")
def unmap(request, guid, destination):
    a_route = of_space(request, "routes", "Route", guid, RUNNERS)
    rest = [d for d in a_route["destinations"] if d["guid"] != destination]
    if len(rest) == len(a_route["destinations"]):
        raise unprocessable("Unable to unmap route from destination. Ensure the route has a "
                            "destination with this guid.")
    a_route["destinations"][:] = rest
    return Answer(204)
