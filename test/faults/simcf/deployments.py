# SPDX-License-Identifier: Apache-2.0
"""Deployments: a second web process grows while the first one shrinks, a step with each tick.

They never fail by themselves: an instance that does not run freezes them.
"""

from . import processes, runtime, shape
from .apps import related_app, use_droplet
from .errors import Refused, unprocessable
from .packages import of_space, seen_by
from .routing import LIST, Answer, change, korifi_refuses, route
from .world import RUNNERS

STEPS = shape.record({"steps": shape.many(shape.record(
    {"instance_weight": shape.integer(1, 100)}, ["instance_weight"]))})
OPTIONS = shape.record({"max_in_flight": shape.integer(1), "web_instances": shape.integer(1),
                        "memory_in_mb": shape.integer(1), "disk_in_mb": shape.integer(1),
                        "log_rate_limit_in_bytes_per_second": shape.integer(-1), "canary": STEPS})
GUID = shape.record({"guid": shape.text()}, ["guid"])
NEW = change({"strategy": shape.one_of("rolling", "canary", "recreate"), "options": OPTIONS,
              "droplet": GUID, "revision": GUID, "relationships": shape.related("app")},
             ["relationships"])


def show(request, deployment):
    base = f"/v3/deployments/{deployment['guid']}"
    seen = request.shown(deployment, self=base, app=f"/v3/apps/{deployment['_app']}",
                         cancel=f"{base}/actions/cancel")
    seen["relationships"] = {"app": {"data": {"guid": deployment["_app"]}}}
    if deployment.get("_step") is not None:
        total = len(deployment["_weights"])
        seen["status"] = {**deployment["status"], "canary": {"steps": {
            "current": min(deployment["_step"] + 1, total), "total": total}}}
    return seen


def finish(world, deployment, reason):
    deployment["status"] |= {"value": "FINALIZED", "reason": reason}
    deployment["_active"] = False
    world.touch(deployment)


@route("POST", "/v3/deployments")
def create(request):
    world, body = request.world, request.json(NEW)
    korifi_refuses(world, body, "strategy", "options", "revision", "metadata")
    app = related_app(request, body["relationships"]["app"], RUNNERS)
    if not world.flags["deployments"]:
        raise Refused("DeploymentsDisabled")
    droplet = body.get("droplet", {}).get("guid", app["_droplet"])
    if droplet is None or world.table("droplets").get(droplet, {}).get("_app") != app["guid"]:
        raise unprocessable("Invalid droplet. Please specify a droplet in the request or set a "
                            "current droplet for the app.")
    if world.korifi:
        return _korifi(request, app, droplet)
    weights = [s["instance_weight"] for s in
               body.get("options", {}).get("canary", {}).get("steps", [])]
    if weights != sorted(set(weights)):
        raise unprocessable("Options.canary.steps instance_weights must be in ascending order")
    return Answer(201, show(request, begin(world, app, droplet, body, weights)))


def begin(world, app, droplet, body, weights):
    old, options = processes.web_of(world, app), body.get("options", {})
    running = world.where("deployments", _app=app["guid"], _active=True)
    count = running[0]["_target"] if running else old["instances"]
    for other in running:
        finish(world, other, "SUPERSEDED")
    strategy = body.get("strategy", "rolling")
    deployment = world.add("deployments", {
        "strategy": strategy, "options": {"max_in_flight": 1, **options},
        "status": {"value": "ACTIVE", "reason": "DEPLOYING", "details": {
            "last_healthy_at": world.clock.stamp(), "error": None}},
        "droplet": {"guid": droplet}, "previous_droplet": {"guid": app["_droplet"]},
        "new_processes": [], "_app": app["guid"], "_space": app["_space"], "_active": True,
        "_target": options.get("web_instances", count), "_weights": weights or [0],
        "_step": 0 if strategy == "canary" else None}, metadata=body.get("metadata"))
    world.effect("deployment.create", deployment, app["name"])
    use_droplet(world, app, world.find("droplets", droplet))
    if app["state"] != "STARTED":
        runtime.start(world, app)
        finish(world, deployment, "DEPLOYED")
        return deployment
    new = processes.add(world, app, "web", like=old)
    for key in ("memory_in_mb", "disk_in_mb"):
        new[key] = options.get(key, new[key])
    new["instances"] = 0
    deployment["new_processes"] = [{"guid": new["guid"], "type": "web"}]
    deployment["_new"], deployment["_old"] = new["guid"], old["guid"]
    world.clock.after(world.delays.tick, lambda: tick(world, app, deployment))
    return deployment


def tick(world, app, deployment):
    new = world.table("processes").get(deployment.get("_new"))
    if not deployment["_active"] or new is None:
        return
    status = deployment["status"]
    if status["reason"] == "CANCELING":
        back(world, app, deployment, new)
        return
    if status["reason"] != "PAUSED" and all(i["state"] == "RUNNING" for i in new["_instances"]):
        status["details"]["last_healthy_at"] = world.clock.stamp()
        grow(world, app, deployment, new)
    if deployment["_active"]:
        world.clock.after(world.delays.tick, lambda: tick(world, app, deployment))


def grow(world, app, deployment, new):
    target, step = deployment["_target"], deployment["_step"]
    goal = target
    if step is not None and step < len(deployment["_weights"]):
        goal = max(1, round(target * deployment["_weights"][step] / 100))
    if new["instances"] >= goal:
        if goal == target and (step is None or step >= len(deployment["_weights"])):
            complete(world, app, deployment, new)
        elif step is not None:
            deployment["status"] |= {"reason": "PAUSED"}
        return
    size = min(deployment["options"]["max_in_flight"], goal - new["instances"])
    new["instances"] += size
    runtime.resize(world, app, new)
    old = world.table("processes").get(deployment["_old"])
    if old is not None:
        keep = max(0, target - new["instances"] + size)  # the new ones have still to start
        old["instances"] = min(old["instances"], keep)
        runtime.resize(world, app, old)


def complete(world, app, deployment, new):
    for process in world.where("processes", _app=app["guid"], type="web"):
        if process is not new:
            world.remove("processes", process["guid"])
    finish(world, deployment, "DEPLOYED")


def back(world, app, deployment, new):
    """The old droplet and the old instances; not environment, bindings or memory."""
    world.remove("processes", new["guid"])
    old = world.table("processes").get(deployment["_old"])
    previous = world.table("droplets").get(deployment["previous_droplet"]["guid"])
    if previous is not None:
        use_droplet(world, app, previous)
    if old is not None:
        old["instances"] = deployment["_target"]
        runtime.resize(world, app, old)
    finish(world, deployment, "CANCELED")


def _korifi(request, app, droplet):
    """A restart; the answer still says what was before."""
    world = request.world
    world.remove("deployments", app["guid"])
    deployment = world.add("deployments", {
        "status": {"value": "FINALIZED", "reason": "DEPLOYED"}, "droplet": {"guid": droplet},
        "new_processes": [], "_app": app["guid"], "_space": app["_space"], "_active": False},
        guid=app["guid"])
    world.effect("deployment.create", deployment, app["name"])
    answer = Answer(201, show(request, deployment))
    use_droplet(world, app, world.find("droplets", droplet))
    runtime.restart(world, app)
    deployment["status"] = {"value": "ACTIVE", "reason": "DEPLOYING"}

    def look():
        found = [i for p in world.where("processes", _app=app["guid"]) for i in p["_instances"]]
        if any(i["state"] == "RUNNING" for i in found):
            deployment["status"] = {"value": "FINALIZED", "reason": "DEPLOYED"}
        elif app["guid"] in world.table("apps"):
            world.clock.after(world.delays.tick, look)
    world.clock.after(world.delays.tick, look)
    return answer


@route("GET", "/v3/deployments", takes=(*LIST, "guids", "states", "status_values", "status_reasons",
                                        "app_guids", "label_selector"),
       korifi_takes=("page", "per_page", "order_by", "app_guids", "status_values"))
def deployments(request):
    found = seen_by(request, "deployments")
    for key, part in (("status_values", "value"), ("status_reasons", "reason")):
        if key in request.query:
            found = [d for d in found if d["status"][part] in request.query[key].split(",")]
    return request.listed(found, lambda d: show(request, d))


@route("GET", "/v3/deployments/:guid")
def one(request, guid):
    return Answer(200, show(request, of_space(request, "deployments", "Deployment", guid)))


@route("POST", "/v3/deployments/:guid/actions/cancel", korifi=False)
def cancel(request, guid):
    deployment = of_space(request, "deployments", "Deployment", guid, RUNNERS)
    if not deployment["_active"]:
        raise unprocessable(f"Cannot cancel a {deployment['status']['reason']} deployment")
    deployment["status"] |= {"reason": "CANCELING"}
    return Answer(200)


@route("POST", "/v3/deployments/:guid/actions/continue", korifi=False)
def go_on(request, guid):
    deployment = of_space(request, "deployments", "Deployment", guid, RUNNERS)
    if deployment["status"]["reason"] != "PAUSED":
        raise unprocessable("Cannot continue a deployment that is not paused")
    deployment["status"] |= {"reason": "DEPLOYING"}
    deployment["_step"] += 1
    return Answer(200)
