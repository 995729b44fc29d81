# SPDX-License-Identifier: Apache-2.0
"""What really runs, which is not what is desired: instances and what each of them was given."""

from .root import event


def spawn(world, app, process, index):
    """A new instance; it keeps what app and process are at this moment."""
    instance = {
        "index": index, "guid": world.guid(), "state": "STARTING", "since": world.clock.now(),
        "env": dict(app["_env"]), "memory": process["memory_in_mb"], "droplet": app["_droplet"],
        "bindings": sorted(b["_instance"] for b in world.where(
            "service_credential_bindings", _app=app["guid"])
            if b["last_operation"]["state"] == "succeeded"),
        "details": None, "routable": None, "crashes": 0}
    process["_instances"].append(instance)
    world.started.append((app["name"], process["guid"], index, dict(instance)))
    world.clock.after(world.delays.start, lambda: settle(world, app, process, instance))
    return instance


def settle(world, app, process, instance):
    """What a starting instance becomes."""
    if instance not in process["_instances"] or instance["state"] != "STARTING":
        return
    run = world.behaviour(app["name"], app["_image"]).run
    instance["since"] = world.clock.now()
    if run == "ok":
        instance["state"], instance["routable"] = "RUNNING", True
    elif run == "crash":
        crash(world, app, instance)
    elif run == "unplaceable":
        instance["state"], instance["details"] = "DOWN", "insufficient resources: memory"


def crash(world, app, instance):
    instance["state"], instance["since"] = "CRASHED", world.clock.now()
    instance["crashes"] += 1
    data = {"instance": instance["guid"], "index": instance["index"], "exit_status": 1,
            "exit_description": "APP/PROC/WEB: Exited with status 1", "reason": "CRASHED"}
    event(world, "app.crash", app, data)
    event(world, "audit.app.process.crash", app, {**data, "crash_count": instance["crashes"]})


def resize(world, app, process):
    """As many instances as desired; what runs goes on as it is."""
    if app["state"] != "STARTED" or app["_droplet"] is None:
        return
    wanted = process["instances"]
    process["_instances"][:] = [i for i in process["_instances"] if i["index"] < wanted]
    there = {i["index"] for i in process["_instances"]}
    for index in range(wanted):
        if index not in there:
            spawn(world, app, process, index)


def start(world, app):
    app["state"] = "STARTED"
    world.touch(app)
    for process in world.where("processes", _app=app["guid"]):
        resize(world, app, process)


def stop(world, app):
    """Instances go a moment later."""
    app["state"] = "STOPPED"
    world.touch(app)
    for process in world.where("processes", _app=app["guid"]):
        leave(world, process, list(process["_instances"]))


def leave(world, process, instances):
    for instance in instances:
        instance["state"], instance["routable"] = "STOPPING", False

    def gone():
        process["_instances"][:] = [i for i in process["_instances"] if i not in instances]
    world.clock.after(world.delays.stop, gone)


def restart(world, app):
    stop(world, app)
    for process in world.where("processes", _app=app["guid"]):
        process["_instances"].clear()
    start(world, app)


def stats(world, app, process):
    """Of each desired instance; those that are not there are DOWN. Korifi shows what is there."""
    found = {i["index"]: i for i in process["_instances"]}
    indexes = sorted(found) if world.korifi else range(max(process["instances"], len(found)))
    return [_stat(world, process, found[i]) if i in found else _down(process, i) for i in indexes]


def _down(process, index):
    return {"type": process["type"], "index": index, "state": "DOWN", "details": None,
            "uptime": 0, "isolation_segment": None}


def _stat(world, process, instance):
    shown = {"type": process["type"], "index": instance["index"], "state": instance["state"],
             "uptime": int(world.clock.now() - instance["since"]), "isolation_segment": None,
             "usage": {}, "mem_quota": None, "disk_quota": None}
    if world.korifi:
        return {**shown, "mem_quota": 0, "disk_quota": 0}
    shown |= {"instance_guid": instance["guid"], "details": instance["details"],
              "routable": instance["routable"]}
    if instance["state"] != "DOWN":
        shown |= {"host": "10.0.1.7", "instance_ports": [
            {"external": 61000 + instance["index"], "internal": 8080}]}
    return shown
