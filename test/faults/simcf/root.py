# SPDX-License-Identifier: Apache-2.0
"""Where everything is, jobs, feature flags, audit events."""

from . import shape
from .errors import not_found
from .routing import LIST, Answer, route

VERSION, KORIFI_VERSION = "3.228.0", "3.117.0+cf-k8s"


@route("GET", "/", free=True)
def root(request):
    world = request.world
    version = KORIFI_VERSION if world.korifi else VERSION
    links = {
        "self": {"href": request.url},
        "cloud_controller_v2": None,
        "cloud_controller_v3": {"href": f"{request.url}/v3", "meta": {"version": version}},
        "network_policy_v0": None, "network_policy_v1": None, "credhub": None, "routing": None,
        "login": {"href": world.uaa_url}, "uaa": {"href": world.uaa_url},
        "logging": None, "log_cache": None, "log_stream": None, "app_ssh": None,
    }
    links.update(world.links)  # what a test wants to stand there
    body = {"links": links}
    if world.korifi:
        body["cf_on_k8s"] = False
    return Answer(200, body)


@route("GET", "/v3", free=True)
def v3(request):
    names = ("apps", "builds", "deployments", "domains", "droplets", "jobs", "organizations",
             "packages", "processes", "routes", "service_credential_bindings", "service_instances",
             "spaces", "tasks")
    return Answer(200, {"links": {"self": {"href": f"{request.url}/v3"},
                                  **{n: {"href": f"{request.url}/v3/{n}"} for n in names}}})


@route("GET", "/v3/info", free=True)
def info(request):
    body = {"build": "", "cli_version": {"minimum": "", "recommended": ""}, "custom": {},
            "description": "", "name": "simcf", "version": 0,
            "links": {"self": {"href": f"{request.url}/v3/info"}, "support": {"href": ""}}}
    if not request.world.korifi:
        limit = request.world.rate_limit()
        body["rate_limits"] = {"enabled": limit is not None, "general_limit": limit or 0,
                               "reset_interval_in_minutes": 60}
    return Answer(200, body)


@route("GET", "/v3/jobs/:guid")
def job(request, guid):
    return Answer(200, request.shown(request.world.find("jobs", guid)))


@route("GET", "/v3/feature_flags/:name", korifi=False)
def feature_flag(request, name):
    if name not in request.world.flags:
        raise not_found("Feature flag")
    return Answer(200, {"name": name, "enabled": request.world.flags[name], "updated_at": None,
                        "custom_error_message": None,
                        "links": {"self": {"href": f"{request.url}{request.path}"}}})


def event(world, kind, app, data):
    world.add("audit_events", {
        "type": kind, "actor": {"guid": app["guid"], "type": "app", "name": app["name"]},
        "target": {"guid": app["guid"], "type": "app", "name": app["name"]},
        "data": data, "space": {"guid": app["_space"]}, "_target": app["guid"],
        "_space": app["_space"]})


@route("GET", "/v3/audit_events", korifi=False, takes=(
    *LIST, "types", "target_guids", "space_guids", "organization_guids", "created_ats",
    "created_ats[gt]", "created_ats[gte]", "created_ats[lt]", "created_ats[lte]"))
def audit_events(request):
    world, query = request.world, request.query
    events = [e for e in world.table("audit_events").values()
              if world.sees(request.user, e["_space"])]
    events = request.chosen(events, target_guids="_target", space_guids="_space")
    tests = {"gt": str.__gt__, "gte": str.__ge__, "lt": str.__lt__, "lte": str.__le__}
    for word, test in tests.items():
        bound = query.get(f"created_ats[{word}]")
        if bound is not None:
            events = [e for e in events if test(e["created_at"], bound)]
    return request.listed(events, request.shown)


nothing = shape.record({})
