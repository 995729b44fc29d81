# SPDX-License-Identifier: Apache-2.0
"""Tasks: a command in a container of an app's droplet, once for each POST."""

from . import shape
from .apps import find_app
from .errors import unprocessable
from .packages import of_space, seen_by
from .routing import LIST, Answer, change, korifi_refuses, route
from .world import MAKERS

NEW = change({"command": shape.text(4096), "name": shape.text(255), "memory_in_mb": shape.integer(1),
              "disk_in_mb": shape.integer(1), "droplet_guid": shape.text(),
              "log_rate_limit_in_bytes_per_second": shape.integer(-1),
              "template": shape.record({"process": shape.record({"guid": shape.text()},
                                                                ["guid"])})})
TASKS = (*LIST, "guids", "names", "states", "label_selector")
ENDED = ("SUCCEEDED", "FAILED")


def show(request, task, hidden=False):
    base = f"/v3/tasks/{task['guid']}"
    seen = request.shown(task, self=base, app=f"/v3/apps/{task['_app']}",
                         cancel=f"{base}/actions/cancel")
    if hidden:
        seen.pop("command")
    seen["relationships"] = {"app": {"data": {"guid": task["_app"]}}}
    return seen


@route("POST", "/v3/apps/:guid/tasks")
def create(request, guid):
    world, body = request.world, request.json(NEW)
    app = find_app(request, guid, MAKERS)
    korifi_refuses(world, body, "name", "memory_in_mb", "disk_in_mb", "droplet_guid", "template")
    droplet = body.get("droplet_guid", app["_droplet"])
    if droplet is None or droplet not in world.table("droplets"):
        raise unprocessable("Task must have a droplet. Assign current droplet to app.")
    if "command" not in body and "template" not in body:
        raise unprocessable("No command provided to run a task")
    alive = [t for t in world.where("tasks", _space=app["_space"]) if t["state"] not in ENDED]
    most = world.limits["app_tasks"]
    if most is not None and len(alive) >= most:
        raise unprocessable("app_task_limit quota exceeded")
    number = len(world.where("tasks", _app=guid)) + 1
    made = world.guid()
    task = world.add("tasks", {
        "sequence_id": 20261121233649544 + number if world.korifi else number,
        "name": made if world.korifi else body.get("name", made[:8]), "state": "PENDING",
        "command": body.get("command") or world.find("droplets", droplet)["process_types"]["web"],
        "memory_in_mb": body.get("memory_in_mb", 1024), "disk_in_mb": body.get("disk_in_mb", 1024),
        "result": {"failure_reason": None}, "droplet_guid": droplet, "_app": guid,
        "_space": app["_space"], "_env": dict(app["_env"])}, guid=made,
        metadata=body.get("metadata"))
    world.effect("task.create", task, f"{app['name']} {task['name']}")
    world.clock.after(world.delays.task / 2, lambda: run(world, app, task))
    return Answer(201 if world.korifi else 202, show(request, task))


def run(world, app, task):
    if task["state"] != "PENDING":
        return
    task["state"] = "RUNNING"
    world.touch(task)
    if world.behaviour(app["name"], app["_image"]).task != "forever":
        world.clock.after(world.delays.task / 2, lambda: end(world, app, task))


def end(world, app, task):
    if task["state"] not in ("RUNNING", "CANCELING"):
        return
    failed = world.behaviour(app["name"], app["_image"]).task == "fail"
    canceled = task["state"] == "CANCELING"
    task["state"] = "FAILED" if failed or canceled else "SUCCEEDED"
    if canceled:
        task["result"] = {"failure_reason": "task was cancelled"}
    elif failed:
        task["result"] = {"failure_reason": f"APP/TASK/{task['name']}: Exited with status 1"}
    world.touch(task)


@route("GET", "/v3/tasks", takes=(*TASKS, "app_guids", "space_guids", "organization_guids"),
       korifi_takes=("page", "per_page"))
def tasks(request):
    return request.listed(seen_by(request, "tasks"), lambda t: show(request, t, hidden=True))


@route("GET", "/v3/apps/:guid/tasks", takes=(*TASKS, "sequence_ids"),
       korifi_takes=("page", "per_page", "sequence_ids"))
def tasks_of(request, guid):
    find_app(request, guid)
    return request.listed(request.world.where("tasks", _app=guid), lambda t: show(request, t))


@route("GET", "/v3/tasks/:guid")
def one(request, guid):
    return Answer(200, show(request, of_space(request, "tasks", "Task", guid)))


@route("PATCH", "/v3/tasks/:guid")
def patch(request, guid):
    task = of_space(request, "tasks", "Task", guid, MAKERS)
    shape.merge_metadata(task["metadata"], request.json(change({})).get("metadata"))
    return Answer(200, show(request, task))


@route("POST", "/v3/tasks/:guid/actions/cancel")
def cancel(request, guid):
    world, task = request.world, of_space(request, "tasks", "Task", guid, MAKERS)
    if task["state"] in ENDED and not world.korifi:
        raise unprocessable(f"Task state is {task['state']} and therefore cannot be canceled")
    app = world.find("apps", task["_app"])
    if task["state"] not in ENDED:
        task["state"] = "CANCELING"
        if world.korifi:
            end(world, app, task)
        else:
            world.clock.after(world.delays.stop, lambda: end(world, app, task))
    return Answer(202, show(request, task))
