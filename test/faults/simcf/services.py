# SPDX-License-Identifier: Apache-2.0
"""Service instances, and what binds them to apps: at once, or by a broker that takes its time."""

from . import shape
from .apps import related_app
from .errors import Refused, unprocessable
from .packages import of_space
from .routing import LIST, Answer, change, korifi_refuses, route
from .spaces import writable_space
from .world import MAKERS, RUNNERS

INSTANCE = change({
    "type": shape.one_of("user-provided", "managed"), "name": shape.text(255),
    "credentials": shape.nullable(shape.mapping), "tags": shape.many(shape.text()),
    "syslog_drain_url": shape.nullable(shape.text(1024, empty=True)),
    "route_service_url": shape.nullable(shape.text(1024, empty=True)),
    "parameters": shape.mapping, "relationships": shape.related("space",
                                                                optional=("service_plan",))},
    ["type", "name", "relationships"])
PATCH = change({"name": shape.text(255), "credentials": shape.nullable(shape.mapping),
                "tags": shape.many(shape.text()), "parameters": shape.mapping,
                "syslog_drain_url": shape.nullable(shape.text(1024, empty=True))})
BINDING = change({"type": shape.one_of("app", "key"), "name": shape.nullable(shape.text(255)),
                  "parameters": shape.mapping, "strategy": shape.one_of("single", "multiple"),
                  "relationships": shape.related("service_instance", optional=("app",))},
                 ["type", "relationships"])


def operation(world, kind, state="succeeded", description=None):
    return {"type": kind, "state": state, "description": description,
            "created_at": world.clock.stamp(), "updated_at": world.clock.stamp()}


# ---- instances -----------------------------------------------------------------------------------

def show_instance(request, instance):
    seen = request.shown(instance, self=f"/v3/service_instances/{instance['guid']}",
                         space=f"/v3/spaces/{instance['_space']}")
    seen["relationships"] = {"space": {"data": {"guid": instance["_space"]}}}
    return seen


def managed(world, space, name, asynchronous=True):
    """A managed instance, as if a broker had made it before."""
    return world.add("service_instances", {
        "name": name, "type": "managed", "tags": [], "upgrade_available": False,
        "dashboard_url": None, "last_operation": operation(world, "create"),
        "_space": space["guid"], "_credentials": {"uri": f"broker://{name}"},
        "_async": asynchronous, "_bind_error": None})


def user_provided(world, space, name, credentials):
    return world.add("service_instances", {
        "name": name, "type": "user-provided", "tags": [], "syslog_drain_url": None,
        "route_service_url": None, "last_operation": operation(world, "create"),
        "_space": space["guid"], "_credentials": credentials, "_async": False,
        "_bind_error": None})


@route("POST", "/v3/service_instances")
def create_instance(request):
    world, body = request.world, request.json(INSTANCE)
    space = writable_space(request, body["relationships"]["space"], MAKERS)
    korifi_refuses(world, body, "syslog_drain_url", "route_service_url")
    if body["type"] != "user-provided":
        raise unprocessable("Invalid service plan. Ensure that the service plan exists, is "
                            "available, and you have access to it.")
    if world.where("service_instances", _space=space["guid"], name=body["name"]):
        raise unprocessable(f"The service instance name is taken: {body['name']}.")
    made = user_provided(world, space, body["name"], body.get("credentials") or {})
    made["tags"] = body.get("tags", [])
    shape.merge_metadata(made["metadata"], body.get("metadata"))
    world.effect("service_instance.create", made)
    answer = show_instance(request, made)
    if world.korifi:
        answer["last_operation"] = {**made["last_operation"], "state": ""}
    return Answer(201, answer)


@route("GET", "/v3/service_instances", takes=(*LIST, "names", "guids", "type", "space_guids",
                                              "organization_guids", "label_selector"),
       korifi_takes=(*LIST, "names", "guids", "type", "space_guids", "label_selector"))
def instances(request):
    world = request.world
    found = [i for i in world.table("service_instances").values()
             if world.sees(request.user, i["_space"])]
    found = request.chosen(found, space_guids="_space", type="type")
    if "names" in request.query:  # with their case
        found = request.chosen(found, names="name")
    return request.listed(found, lambda i: show_instance(request, i))


@route("GET", "/v3/service_instances/:guid")
def instance_by_guid(request, guid):
    instance = of_space(request, "service_instances", "Service instance", guid)
    return Answer(200, show_instance(request, instance))


@route("PATCH", "/v3/service_instances/:guid")
def patch_instance(request, guid):
    body = request.json(PATCH)
    instance = of_space(request, "service_instances", "Service instance", guid, MAKERS)
    korifi_refuses(request.world, body, "syslog_drain_url")
    if "credentials" in body:
        instance["_credentials"] = body["credentials"] or {}
    instance.update({k: body[k] for k in ("name", "tags") if k in body})
    shape.merge_metadata(instance["metadata"], body.get("metadata"))
    request.world.touch(instance)
    return Answer(200, show_instance(request, instance))


@route("DELETE", "/v3/service_instances/:guid")
def delete_instance(request, guid):
    world = request.world
    instance = of_space(request, "service_instances", "Service instance", guid, MAKERS)
    bound = world.where("service_credential_bindings", _instance=guid)
    if bound and not world.korifi:
        raise Refused("UnprocessableEntity", "Service instance has bindings; they must be deleted")
    for binding in bound:
        world.remove("service_credential_bindings", binding["guid"])
    if instance["type"] == "managed":
        return request.accepted(world.job("service_instance.delete", guid,
                                          lambda: world.remove("service_instances", guid)))
    world.remove("service_instances", guid)
    return Answer(204)


# ---- bindings ------------------------------------------------------------------------------------

def show_binding(request, binding):
    base = f"/v3/service_credential_bindings/{binding['guid']}"
    seen = request.shown(binding, self=base, details=f"{base}/details",
                         service_instance=f"/v3/service_instances/{binding['_instance']}")
    related = {"service_instance": {"data": {"guid": binding["_instance"]}}}
    if binding["_app"]:
        related["app"] = {"data": {"guid": binding["_app"]}}
    seen["relationships"] = related
    return seen


def refuse_second(world, app, instance, name):
    for other in world.where("service_credential_bindings", _app=app["guid"],
                             _instance=instance["guid"]):
        last = other["last_operation"]
        if last["type"] == "create" and last["state"] == "failed":
            world.remove("service_credential_bindings", other["guid"])
        elif last["state"] == "in progress":
            raise unprocessable("There is already a binding in progress for this service instance "
                                "and app.")
        elif world.korifi and name is not None and other["name"] != name:
            continue
        else:
            raise unprocessable("Service binding already exists" if world.korifi else
                                "The app is already bound to the service instance.")


@route("POST", "/v3/service_credential_bindings")
def bind(request):
    world, body = request.world, request.json(BINDING)
    korifi_refuses(world, body, "metadata", "strategy")
    related = body["relationships"]
    if body["type"] != "app" or "app" not in related:
        raise unprocessable("Only bindings of apps are made here")
    app = related_app(request, related["app"], RUNNERS)
    instance = world.table("service_instances").get(related["service_instance"])
    if instance is None or instance["_space"] != app["_space"]:
        raise unprocessable("The service instance could not be found: "
                            f"'{related['service_instance']}'")
    refuse_second(world, app, instance, body.get("name"))
    provided = instance["type"] == "user-provided"
    if provided and body.get("parameters") and not world.korifi:
        raise unprocessable("Binding parameters are not supported for user-provided service "
                            "instances")
    state = "succeeded" if provided else "initial"
    binding = world.add("service_credential_bindings", {
        "name": body.get("name"), "type": "app", "last_operation": operation(world, "create",
                                                                             state),
        "_app": app["guid"], "_instance": instance["guid"], "_space": app["_space"],
        "_parameters": body.get("parameters")}, metadata=body.get("metadata"))
    world.effect("binding.create", binding, f"{app['name']} {instance['name']}")
    if provided:
        return Answer(201, show_binding(request, binding))
    return request.accepted(_by_broker(world, "create", binding, instance))


def _by_broker(world, kind, binding, instance):
    binding["last_operation"] = operation(world, kind, "in progress")

    def done():
        error = instance["_bind_error"]
        if error:
            binding["last_operation"] = operation(world, kind, "failed", error)
        elif kind == "delete":
            world.remove("service_credential_bindings", binding["guid"])
        else:
            binding["last_operation"] = operation(world, kind)
        return error
    states = ("PROCESSING", "POLLING") if instance["_async"] else ("PROCESSING",)
    return world.job(f"service_bindings.{kind}", binding["guid"], done, states,
                     world.delays.broker)


@route("GET", "/v3/service_credential_bindings", takes=(
    *LIST, "names", "guids", "type", "app_guids", "app_names", "service_instance_guids",
    "service_instance_names", "label_selector", "include"),
       korifi_takes=("page", "per_page", "type", "app_guids", "service_instance_guids", "include",
                     "label_selector"))
def bindings(request):
    world = request.world
    found = [b for b in world.table("service_credential_bindings").values()
             if world.sees(request.user, b["_space"])]
    found = request.chosen(found, app_guids="_app", service_instance_guids="_instance", type="type")
    return request.listed(found, lambda b: show_binding(request, b))


@route("GET", "/v3/service_credential_bindings/:guid", takes=("include",))
def binding_by_guid(request, guid):
    binding = of_space(request, "service_credential_bindings", "Service credential binding", guid)
    return Answer(200, show_binding(request, binding))


@route("PATCH", "/v3/service_credential_bindings/:guid")
def patch_binding(request, guid):
    body = request.json(change({}))
    binding = of_space(request, "service_credential_bindings", "Service credential binding", guid,
                       RUNNERS)
    shape.merge_metadata(binding["metadata"], body.get("metadata"))
    request.world.touch(binding)
    return Answer(200, show_binding(request, binding))


@route("DELETE", "/v3/service_credential_bindings/:guid")
def unbind(request, guid):
    world = request.world
    binding = of_space(request, "service_credential_bindings", "Service credential binding", guid,
                       RUNNERS)
    instance = world.find("service_instances", binding["_instance"])
    world.effect("binding.delete", binding, instance["name"])
    if instance["type"] == "user-provided":
        world.remove("service_credential_bindings", guid)
        return Answer(204)
    return request.accepted(_by_broker(world, "delete", binding, instance))
