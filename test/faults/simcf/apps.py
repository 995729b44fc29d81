# SPDX-License-Identifier: Apache-2.0
"""Apps: made, changed, started, deleted; their environment and their current droplet."""

from . import processes, runtime, shape
from .errors import Refused, not_found, unprocessable
from .routing import LIST, Answer, change, route
from .spaces import writable_space
from .world import MAKERS, READERS, RUNNERS

NAME = shape.text(255)
LIFECYCLE = shape.record({"type": shape.one_of("buildpack", "docker", "cnb"),
                          "data": shape.mapping}, ["type", "data"])
BUILDPACK_DATA = shape.record({
    "buildpacks": shape.nullable(shape.many(shape.text())), "stack": shape.nullable(shape.text()),
    "credentials": shape.nullable(shape.mapping)})
NEW = change({"name": NAME, "environment_variables": shape.nullable(shape.environment),
              "lifecycle": LIFECYCLE, "relationships": shape.related("space")},
             ["name", "relationships"])
PATCH = change({"name": NAME, "lifecycle": LIFECYCLE})
VAR = shape.record({"var": shape.environment}, ["var"])
TO_DROPLET = shape.record({"data": shape.record({"guid": shape.text()}, ["guid"])}, ["data"])


def find_app(request, guid, roles=READERS):
    world = request.world
    app = world.find("apps", guid, "App")
    world.space_for(request.user, app["_space"], "App", roles)
    return app


def related_app(request, guid, roles):
    """Of a body's relationship."""
    world = request.world
    app = world.table("apps").get(guid)
    if app is None or not world.sees(request.user, app["_space"]):
        raise unprocessable("Unable to use app. Ensure that the app exists and you have access.")
    world.space_for(request.user, app["_space"], "App", roles)
    return app


def show(request, app):
    base = f"/v3/apps/{app['guid']}"
    seen = request.shown(app, self=base, space=f"/v3/spaces/{app['_space']}",
                         processes=f"{base}/processes", packages=f"{base}/packages",
                         current_droplet=f"{base}/droplets/current",
                         environment_variables=f"{base}/environment_variables")
    droplet = app["_droplet"] and {"guid": app["_droplet"]}
    seen["relationships"] = {"space": {"data": {"guid": app["_space"]}},
                             "current_droplet": {"data": droplet}}
    return seen


def taken(world, space, name, but=None):
    for app in world.where("apps", _space=space):
        if app["name"].lower() == name.lower() and app is not but:
            raise Refused("UniquenessError", f"App with the name '{name}' already exists.")


def lifecycle(world, given):
    given = given or {"type": "buildpack", "data": {}}
    if given["type"] == "docker":
        if given["data"]:
            raise unprocessable("Lifecycle data must be an empty hash for docker")
        if not world.flags["diego_docker"]:
            raise Refused("FeatureDisabled", "Feature Disabled: diego_docker")
        data = {"buildpacks": []} if world.korifi else {}
        return {"type": "docker", "data": data}
    data = BUILDPACK_DATA("lifecycle_data", given["data"])
    return {"type": given["type"], "data": {"buildpacks": data.get("buildpacks") or [],
                                            "stack": data.get("stack") or "cflinuxfs4"}}


@route("POST", "/v3/apps")
def create(request):
    world, body = request.world, request.json(NEW)
    space = writable_space(request, body["relationships"]["space"], MAKERS)
    if world.korifi and "." in body["name"]:
        raise unprocessable("name must be in the pattern ^[-\\w]+$")
    taken(world, space["guid"], body["name"])
    env = {k: v for k, v in (body.get("environment_variables") or {}).items() if v is not None}
    app = world.add("apps", {
        "name": body["name"], "state": "STOPPED", "lifecycle": lifecycle(world,
                                                                         body.get("lifecycle")),
        "_space": space["guid"], "_env": env, "_droplet": None, "_image": None,
    }, metadata=body.get("metadata"))
    if not world.korifi:
        processes.add(world, app, "web", guid=app["guid"])
    world.effect("app.create", app)
    return Answer(201, show(request, app))


@route("GET", "/v3/apps", takes=(*LIST, "names", "guids", "space_guids", "organization_guids",
                                 "stacks", "lifecycle_type", "label_selector", "include"),
       korifi_takes=(*LIST, "names", "guids", "space_guids", "label_selector"))
def apps(request):
    world = request.world
    seen = [a for a in world.table("apps").values() if world.sees(request.user, a["_space"])]
    seen = request.chosen(seen, space_guids="_space")
    return request.listed(seen, lambda a: show(request, a))


@route("GET", "/v3/apps/:guid", takes=("include",))
def one(request, guid):
    return Answer(200, show(request, find_app(request, guid)))


@route("PATCH", "/v3/apps/:guid")
def patch(request, guid):
    world, body = request.world, request.json(PATCH)
    app = find_app(request, guid, MAKERS)
    if "lifecycle" in body:
        if body["lifecycle"]["type"] != app["lifecycle"]["type"]:
            raise unprocessable("Lifecycle type cannot be changed")
        app["lifecycle"] = lifecycle(world, body["lifecycle"])
    if "name" in body:
        taken(world, app["_space"], body["name"], but=app)
        app["name"] = body["name"]
    shape.merge_metadata(app["metadata"], body.get("metadata"))
    world.touch(app)
    return Answer(200, show(request, app))


@route("DELETE", "/v3/apps/:guid")
def delete(request, guid):
    world, app = request.world, find_app(request, guid, MAKERS)

    def gone():
        for binding in world.where("service_credential_bindings", _app=guid):
            if binding["last_operation"]["state"] == "in progress":
                return ("An operation for the service binding between app "
                        f"{app['name']} and a service instance is in progress.")
        for kind in ("processes", "packages", "builds", "droplets", "tasks", "deployments",
                     "service_credential_bindings"):
            for resource in world.where(kind, _app=guid):
                world.remove(kind, resource["guid"])
        for a_route in world.table("routes").values():
            a_route["destinations"][:] = [d for d in a_route["destinations"]
                                          if d["app"]["guid"] != guid]
        if guid in world.table("apps"):
            world.effect("app.delete", app)
        world.remove("apps", guid)
        return None
    return request.accepted(world.job("app.delete", guid, gone))


# ---- start and stop ------------------------------------------------------------------------------

def _acted(request, app):
    request.world.touch(app)
    return Answer(200, show(request, app))


@route("POST", "/v3/apps/:guid/actions/start")
def start(request, guid):
    app = find_app(request, guid, RUNNERS)
    if app["_droplet"] is None:
        raise unprocessable("Assign a droplet before starting this app.")
    runtime.start(request.world, app)
    request.later = processes.korifi_waits(request, app)
    return _acted(request, app)


@route("POST", "/v3/apps/:guid/actions/stop")
def stop(request, guid):
    app = find_app(request, guid, RUNNERS)
    runtime.stop(request.world, app)
    return _acted(request, app)


@route("POST", "/v3/apps/:guid/actions/restart")
def restart(request, guid):
    app = find_app(request, guid, RUNNERS)
    if app["_droplet"] is None:
        raise unprocessable("Assign a droplet before starting this app.")
    runtime.restart(request.world, app)
    request.later = processes.korifi_waits(request, app)
    return _acted(request, app)


# ---- environment and droplet ---------------------------------------------------------------------

def _variables(request, app):
    base = f"/v3/apps/{app['guid']}"
    wrong = request.world.korifi and request.method == "PATCH"  # its links lead elsewhere
    base = "/v3/apps/00000000-0000-0000-0000-000000000000" if wrong else base
    return Answer(200, {"var": dict(app["_env"]), "links": {
        "self": {"href": f"{request.url}{base}/environment_variables"},
        "app": {"href": f"{request.url}{base}"}}})


@route("GET", "/v3/apps/:guid/environment_variables")
def variables(request, guid):
    app = find_app(request, guid, MAKERS)
    if not request.world.flags["env_var_visibility"]:
        raise Refused("FeatureDisabled", "Feature Disabled: env_var_visibility")
    return _variables(request, app)


@route("PATCH", "/v3/apps/:guid/environment_variables")
def patch_variables(request, guid):
    world = request.world
    app = find_app(request, guid, MAKERS)
    body = request.json(shape.record({"var": shape.mapping}, ["var"]) if world.korifi else VAR)
    for key, value in body["var"].items():
        if value is None:
            app["_env"].pop(key, None)
        elif isinstance(value, str):
            app["_env"][key] = value
    world.touch(app)
    return _variables(request, app)


@route("PATCH", "/v3/apps/:guid/relationships/current_droplet")
def set_droplet(request, guid):
    world, body = request.world, request.json(TO_DROPLET)
    app = find_app(request, guid, RUNNERS)
    droplet = world.table("droplets").get(body["data"]["guid"])
    if droplet is None or droplet["_app"] != guid or droplet["state"] != "STAGED":
        raise unprocessable("Unable to assign current droplet. Ensure the droplet exists and "
                            "belongs to this app.")
    if world.where("deployments", _app=guid, _active=True):
        raise unprocessable("Unable to assign current droplet while the app has a deployment in "
                            "progress. Wait for the deployment to complete or cancel it.")
    use_droplet(world, app, droplet)
    return Answer(200, {"data": {"guid": droplet["guid"]}, "links": {
        "self": {"href": f"{request.url}{request.path}"},
        "related": {"href": f"{request.url}/v3/apps/{guid}/droplets/current"}}})


def use_droplet(world, app, droplet):
    changed = app["_droplet"] != droplet["guid"]
    app["_droplet"] = droplet["guid"]
    world.touch(app)
    for kind in droplet["process_types"]:
        if not world.where("processes", _app=app["guid"], type=kind):
            processes.add(world, app, kind)
    if world.korifi and changed and app["state"] == "STARTED":
        runtime.restart(world, app)


@route("GET", "/v3/apps/:guid/droplets/current")
def current_droplet(request, guid):
    app = find_app(request, guid)
    if app["_droplet"] is None:
        raise not_found("Droplet")
    return Answer(200, request.shown(request.world.find("droplets", app["_droplet"])))
