# SPDX-License-Identifier: Apache-2.0
"""Processes of an app: how many, how large, how they are checked, how they are."""

import time

from . import runtime, shape
from .errors import KNOWN, Refused, not_found, unprocessable
from .routing import LIST, Answer, change, korifi_refuses, route
from .world import READERS, RUNNERS

KORIFI_BLOCKS_S = 120  # times world.korifi_patience, for tests that can't wait that long
SCALE = shape.record({
    "instances": shape.integer(0), "memory_in_mb": shape.integer(1), "disk_in_mb": shape.integer(1),
    "log_rate_limit_in_bytes_per_second": shape.integer(-1)})


def _check(kinds):
    return shape.record({"type": shape.one_of(*kinds), "data": shape.record({
        "timeout": shape.nullable(shape.integer(1)), "interval": shape.nullable(shape.integer(1)),
        "invocation_timeout": shape.nullable(shape.integer(1)),
        "endpoint": shape.nullable(shape.text(255, r"/\S*"))})}, ["type"])


PATCH = change({"command": shape.nullable(shape.text(4096)), "user": shape.nullable(shape.text()),
                "health_check": _check(("port", "process", "http")),
                "readiness_health_check": _check(("port", "process", "http"))})


def add(world, app, kind, guid=None, like=None):
    web = kind == "web"
    fields = {
        "type": kind, "command": None, "user": None, "instances": 1 if web else 0,
        "memory_in_mb": 1024, "disk_in_mb": 1024, "log_rate_limit_in_bytes_per_second": -1,
        "health_check": {"type": "port" if web else "process",
                         "data": {"timeout": None, "invocation_timeout": None}},
        "readiness_health_check": {"type": "process", "data": {}}, "version": world.guid()}
    if like:
        fields = {key: like[key] for key in fields}
    return world.add("processes", {**fields, "_app": app["guid"], "_space": app["_space"],
                                   "_instances": []}, guid=guid)


def web_of(world, app):
    """The last that was made: during a deployment the new one."""
    found = world.where("processes", _app=app["guid"], type="web")
    if not found:
        raise Refused("ResourceNotFound", "repositories.ProcessRecord not found" if world.korifi
                      else "Process not found")
    return found[-1]


def by_type(request, app, kind):
    if kind == "web":
        return web_of(request.world, app)
    found = request.world.where("processes", _app=app["guid"], type=kind)
    if not found:
        raise not_found("Process")
    return found[-1]


def app_of(request, process, roles=READERS):
    world = request.world
    world.space_for(request.user, process["_space"], "Process", roles)
    return world.find("apps", process["_app"])


HIDDEN = "[PRIVATE DATA HIDDEN IN LISTS]"


def show(request, process, embed=False, listed=False):
    base = f"/v3/processes/{process['guid']}"
    seen = request.shown(process, self=base, scale=f"{base}/actions/scale",
                         stats=f"{base}/stats", app=f"/v3/apps/{process['_app']}")
    seen["relationships"] = {"app": {"data": {"guid": process["_app"]}}, "revision": None}
    if listed and seen["command"] is not None:
        seen["command"] = HIDDEN
    if embed:
        seen["process_instances"] = instances_of(request.world, process)
    return seen


def instances_of(world, process):
    there = {i["index"]: i for i in process["_instances"]}
    app = world.find("apps", process["_app"])
    wanted = process["instances"] if app["state"] == "STARTED" else 0
    return [{"index": i, "state": there[i]["state"] if i in there else "DOWN",
             "since": int(world.clock.now() - there[i]["since"]) if i in there else 0}
            for i in range(max(wanted, len(there)))]


# ---- reading -------------------------------------------------------------------------------------

@route("GET", "/v3/processes", takes=(*LIST, "guids", "types", "app_guids", "space_guids",
                                      "organization_guids", "label_selector", "embed"),
       korifi_takes=("page", "per_page", "app_guids"))
def processes(request):
    world, embed = request.world, request.query.get("embed")
    if embed is not None and (embed != "process_instances" or not world.flags[embed]):
        raise Refused("BadQueryParameter",
                      "The query parameter is invalid: Unknown query parameter(s): 'embed'.")
    seen = [p for p in world.table("processes").values() if world.sees(request.user, p["_space"])]
    seen = request.chosen(seen, app_guids="_app", space_guids="_space")
    return request.listed(seen, lambda p: show(request, p, embed is not None, listed=True))


def _of_app(request, guid):
    from .apps import find_app
    return find_app(request, guid)


@route("GET", "/v3/apps/:guid/processes", takes=(*LIST, "guids", "types"))
def of_app(request, guid):
    app = _of_app(request, guid)
    return request.listed(request.world.where("processes", _app=app["guid"]),
                          lambda p: show(request, p, listed=True))


@route("GET", "/v3/apps/:guid/processes/:kind")
def of_type(request, guid, kind):
    return Answer(200, show(request, by_type(request, _of_app(request, guid), kind)))


@route("GET", "/v3/processes/:guid")
def one(request, guid):
    process = request.world.find("processes", guid, "Process")
    app_of(request, process)
    return Answer(200, show(request, process))


def _stats(request, process):
    app = app_of(request, process)
    if not request.world.flags["stats"]:
        raise Refused("InstancesUnavailable")
    return Answer(200, {"resources": runtime.stats(request.world, app, process)})


@route("GET", "/v3/processes/:guid/stats")
def stats(request, guid):
    return _stats(request, request.world.find("processes", guid, "Process"))


@route("GET", "/v3/apps/:guid/processes/:kind/stats")
def stats_of_type(request, guid, kind):
    return _stats(request, by_type(request, _of_app(request, guid), kind))


@route("GET", "/v3/processes/:guid/process_instances", korifi=False)
def process_instances(request, guid):
    process = request.world.find("processes", guid, "Process")
    app_of(request, process)
    if not request.world.flags["process_instances"]:
        raise Refused("NotFound")
    return Answer(200, {"resources": instances_of(request.world, process), "links": {}})


# ---- changing ------------------------------------------------------------------------------------

def _patch(request, process):
    world, body = request.world, request.json(PATCH)
    app = app_of(request, process, RUNNERS)
    korifi_refuses(world, body, "readiness_health_check", "user")
    if world.where("deployments", _app=app["guid"], _active=True):
        raise unprocessable("Cannot update this process while a deployment is in flight.")
    for part in ("health_check", "readiness_health_check"):
        data = body.get(part, {}).get("data", {})
        if (data.get("timeout") or 0) > world.limits["timeout"]:
            raise unprocessable("Health check timeout must be less than or equal to "
                                f"{world.limits['timeout']}")
        if "endpoint" in data and body[part]["type"] != "http":
            raise unprocessable("Health check data unknown field(s): 'endpoint'")
        if part == "health_check":
            korifi_refuses(world, data, "interval")
        if part in body:
            process[part] = {"type": body[part]["type"],
                             "data": {"timeout": None, "invocation_timeout": None, **data}}
    for key in ("command", "user"):
        if key in body:
            process[key] = body[key]
    shape.merge_metadata(process["metadata"], body.get("metadata"))
    world.touch(process)
    return Answer(200, show(request, process))


@route("PATCH", "/v3/processes/:guid")
def patch(request, guid):
    return _patch(request, request.world.find("processes", guid, "Process"))


@route("PATCH", "/v3/apps/:guid/processes/:kind")
def patch_of_type(request, guid, kind):
    return _patch(request, by_type(request, _of_app(request, guid), kind))


def _scale(request, process):
    world, body = request.world, request.json(SCALE)
    app = app_of(request, process, RUNNERS)
    korifi_refuses(world, body, "log_rate_limit_in_bytes_per_second")
    if process["type"] == "web" and world.where("deployments", _app=app["guid"], _active=True):
        raise unprocessable("Cannot scale this process while a deployment is in flight.")
    if body.get("disk_in_mb", 0) > world.limits["disk_mb"]:
        raise unprocessable(f"Disk in mb too much disk requested (requested {body['disk_in_mb']} MB"
                            f" - must be less than {world.limits['disk_mb']} MB)")
    most = world.limits["memory_mb"]
    if most is not None and (body.get("memory_in_mb", process["memory_in_mb"])
                             * body.get("instances", process["instances"])) > most:
        raise unprocessable("memory quota_exceeded: organization's memory limit exceeded")
    larger = any(k in body and process[k] != body[k] for k in ("memory_in_mb", "disk_in_mb"))
    process.update(body)
    world.touch(process)
    if world.korifi and larger and app["state"] == "STARTED":
        runtime.restart(world, app)
    if not larger or world.korifi:
        runtime.resize(world, app, process)
    return Answer(200 if world.korifi else 202, show(request, process))


@route("POST", "/v3/processes/:guid/actions/scale")
def scale(request, guid):
    return _scale(request, request.world.find("processes", guid, "Process"))


@route("POST", "/v3/apps/:guid/processes/:kind/actions/scale")
def scale_of_type(request, guid, kind):
    return _scale(request, by_type(request, _of_app(request, guid), kind))


@route("DELETE", "/v3/processes/:guid/instances/:index")
def end_instance(request, guid, index):
    process = request.world.find("processes", guid, "Process")
    app = app_of(request, process, RUNNERS)
    process["_instances"][:] = [i for i in process["_instances"] if i["index"] != int(index)]
    runtime.resize(request.world, app, process)
    return Answer(204)


# ---- Korifi's start, which waits -------------------------------------------------------------------

def korifi_waits(request, app):
    """None, or what Korifi does before it answers: it waits for the instances, without the lock."""
    world = request.world
    if not world.korifi:
        return None

    def wait():
        end = time.monotonic() + KORIFI_BLOCKS_S * world.korifi_patience
        while time.monotonic() < end:
            with world.lock:
                world.clock.settle()
                found = [i for p in world.where("processes", _app=app["guid"])
                         for i in p["_instances"]]
                if found and all(i["state"] == "RUNNING" for i in found):
                    return None
            time.sleep(0.01)
        status, code, detail = KNOWN["UnknownError"]
        return Answer(status, {"errors": [{"code": code, "title": "UnknownError",
                                           "detail": detail}]})
    return wait
