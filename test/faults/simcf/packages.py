# SPDX-License-Identifier: Apache-2.0
"""From a package to a droplet: images and bits, uploads, builds."""

import email.parser
import email.policy
import hashlib

from . import shape
from .apps import find_app, related_app
from .errors import Refused, not_found, unprocessable
from .processes import HIDDEN
from .routing import LIST, Answer, change, korifi_refuses, route
from .world import MAKERS, READERS, RUNNERS

IMAGE = shape.record({"image": shape.text(1024), "username": shape.nullable(shape.text(empty=True)),
                      "password": shape.nullable(shape.text(empty=True, longest=4096))}, ["image"])
NEW = change({"type": shape.one_of("bits", "docker"), "data": shape.mapping,
              "relationships": shape.related("app")}, ["type", "relationships"])
PATCH = change({"username": shape.text(), "password": shape.text(4096)})
BUILD = change({"package": shape.record({"guid": shape.text()}, ["guid"]),
                "lifecycle": shape.mapping, "staging_memory_in_mb": shape.integer(1),
                "staging_disk_in_mb": shape.integer(1),
                "staging_log_rate_limit_bytes_per_second": shape.integer(-1)}, ["package"])
PACKAGES = (*LIST, "guids", "states", "types", "app_guids", "space_guids", "label_selector")
OF_KORIFI = ("page", "per_page", "order_by", "guids", "states", "app_guids")


def of_space(request, kind, label, guid, roles=READERS):
    resource = request.world.find(kind, guid, label)
    request.world.space_for(request.user, resource["_space"], label, roles)
    return resource


def seen_by(request, kind):
    world = request.world
    found = [r for r in world.table(kind).values() if world.sees(request.user, r["_space"])]
    return request.chosen(found, app_guids="_app", space_guids="_space", package_guids="_package")


# ---- packages ------------------------------------------------------------------------------------

def show_package(request, package):
    base = f"/v3/packages/{package['guid']}"
    seen = request.shown(package, self=base, app=f"/v3/apps/{package['_app']}")
    if package["type"] == "bits":
        seen["links"]["upload"] = {"href": f"{request.url}{base}/upload", "method": "POST"}
    seen["relationships"] = {"app": {"data": {"guid": package["_app"]}}}
    return seen


@route("POST", "/v3/packages")
def create_package(request):
    world, body = request.world, request.json(NEW)
    app = related_app(request, body["relationships"]["app"], MAKERS)
    docker = body["type"] == "docker"
    if docker != (app["lifecycle"]["type"] == "docker"):
        raise unprocessable("Cannot create Docker package for a buildpack app." if docker else
                            "Cannot create bits package for a Docker app.")
    data, secret = {"error": None, "checksum": {"type": "sha256", "value": None}}, None
    if docker:
        given = IMAGE("data", body.get("data", {}))
        secret = given.get("password")
        data = {"image": given["image"], "username": given.get("username"),
                "password": "***" if secret else None}
        if world.korifi:
            data = {"image": given["image"]}
        app["_image"] = given["image"]
    elif body.get("data"):
        raise unprocessable("Data must be empty if provided for bits packages")
    package = world.add("packages", {
        "type": body["type"], "state": "READY" if docker else "AWAITING_UPLOAD", "data": data,
        "_app": app["guid"], "_space": app["_space"], "_password": secret},
        metadata=body.get("metadata"))
    world.effect("package.create", package, app["name"])
    return Answer(201, show_package(request, package))


@route("GET", "/v3/packages", takes=PACKAGES, korifi_takes=OF_KORIFI)
def packages(request):
    return request.listed(seen_by(request, "packages"), lambda p: show_package(request, p))


@route("GET", "/v3/apps/:guid/packages", takes=PACKAGES, korifi_takes=OF_KORIFI)
def packages_of(request, guid):
    find_app(request, guid)
    return request.listed(request.world.where("packages", _app=guid),
                          lambda p: show_package(request, p))


@route("GET", "/v3/packages/:guid")
def package_by_guid(request, guid):
    return Answer(200, show_package(request, of_space(request, "packages", "Package", guid)))


@route("PATCH", "/v3/packages/:guid")
def patch_package(request, guid):
    body = request.json(PATCH)
    package = of_space(request, "packages", "Package", guid, MAKERS)
    korifi_refuses(request.world, body, "username", "password")
    if package["type"] != "docker" and ("username" in body or "password" in body):
        raise unprocessable("Cannot update Docker credentials for a buildpack app.")
    if "username" in body:
        package["data"]["username"] = body["username"]
    if "password" in body:
        package["_password"], package["data"]["password"] = body["password"], "***"
    shape.merge_metadata(package["metadata"], body.get("metadata"))
    request.world.touch(package)
    return Answer(200, show_package(request, package))


@route("DELETE", "/v3/packages/:guid")
def delete_package(request, guid):
    world = request.world
    of_space(request, "packages", "Package", guid, MAKERS)
    return request.accepted(world.job("package.delete", guid,
                                      lambda: world.remove("packages", guid)))


def _parts(request):
    """Of a multipart body: name -> (file name, bytes)."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise unprocessable("Upload must include either resources or bits")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(head + request.content)
    return {part.get_param("name", header="content-disposition"):
            (part.get_filename(), part.get_payload(decode=True)) for part in message.iter_parts()}


@route("POST", "/v3/packages/:guid/upload")
def upload(request, guid):
    world = request.world
    package = of_space(request, "packages", "Package", guid, MAKERS)
    if package["type"] != "bits":
        raise unprocessable("Package type must be bits.")
    if package["state"] != "AWAITING_UPLOAD":
        raise Refused("PackageBitsAlreadyUploaded")
    name, bits = _parts(request).get("bits", (None, None))
    if not bits:
        raise unprocessable("Upload must include either resources or bits")
    if not name or not bits.startswith(b"PK"):
        raise unprocessable("Bits must be a zip file with a file name")
    package["_bits"] = hashlib.sha256(bits).hexdigest()
    package["state"] = "PROCESSING_UPLOAD"
    app = world.find("apps", package["_app"])
    app["_image"] = name
    world.effect("package.upload", package, app["name"])

    def processed():
        error = world.behaviour(app["name"], name).upload
        package["state"] = "FAILED" if error else "READY"
        package["data"]["error"] = error
        package["data"]["checksum"]["value"] = package["_bits"]
        world.touch(package)
    if world.korifi:
        processed()
    else:
        world.clock.after(world.delays.package, processed)
    return Answer(200, show_package(request, package))


# ---- builds --------------------------------------------------------------------------------------

def show_build(request, build):
    seen = request.shown(build, self=f"/v3/builds/{build['guid']}",
                         app=f"/v3/apps/{build['_app']}")
    seen["relationships"] = {"app": {"data": {"guid": build["_app"]}}}
    return seen


@route("POST", "/v3/builds")
def create_build(request):
    world, body = request.world, request.json(BUILD)
    package = world.table("packages").get(body["package"]["guid"])
    if package is None or not world.sees(request.user, package["_space"]):
        raise unprocessable("Unable to use package. Ensure that the package exists and you have "
                            "access to it.")
    world.space_for(request.user, package["_space"], "Package", RUNNERS)
    if world.korifi and any(body.get("metadata", {}).values()):
        raise unprocessable("metadata.labels must be empty")
    if package["state"] != "READY" and not world.korifi:
        raise unprocessable("Package is not ready. Ensure the package has been uploaded")
    app = world.find("apps", package["_app"])
    if world.where("builds", _app=app["guid"], state="STAGING"):
        raise Refused("StagingInProgress")
    build = world.add("builds", {
        "state": "STAGING", "error": None, "package": {"guid": package["guid"]}, "droplet": None,
        "staging_memory_in_mb": body.get("staging_memory_in_mb", 1024),
        "staging_disk_in_mb": body.get("staging_disk_in_mb", 1024),
        "lifecycle": None if world.korifi else dict(app["lifecycle"]),
        "created_by": {"guid": request.user.guid, "name": request.user.name, "email": ""},
        "_app": app["guid"], "_space": app["_space"], "_package": package["guid"],
        "_env": dict(app["_env"])}, metadata=body.get("metadata"))
    world.effect("build.create", build, app["name"])
    world.clock.after(world.delays.build, lambda: staged(world, app, package, build))
    return Answer(201, show_build(request, build))


def staged(world, app, package, build):
    if build["guid"] not in world.table("builds") or build["state"] != "STAGING":
        return
    if package["state"] == "AWAITING_UPLOAD":  # Korifi's build waits for it
        world.clock.after(world.delays.build, lambda: staged(world, app, package, build))
        return
    error = world.behaviour(app["name"], app["_image"]).stage
    world.touch(build)
    if error:
        build["state"] = "FAILED"
        build["error"] = "Failed to fetch image" if world.korifi else error
        return
    docker = package["type"] == "docker"
    command = "/run" if docker else "java -jar app.jar"
    droplet = world.add("droplets", {
        "state": "STAGED", "error": None, "lifecycle": dict(app["lifecycle"]),
        "image": package["data"].get("image") if docker else None,
        "process_types": {"web": command}, "execution_metadata": "", "stack": None,
        "buildpacks": [], "_app": app["guid"], "_space": app["_space"],
        "_package": package["guid"]}, metadata=build["metadata"])
    build["state"], build["droplet"] = "STAGED", {"guid": droplet["guid"]}


@route("GET", "/v3/builds", takes=(*LIST, "guids", "states", "app_guids", "package_guids",
                                   "label_selector"),
       korifi_takes=("page", "per_page", "order_by", "states", "app_guids", "package_guids"))
def builds(request):
    return request.listed(seen_by(request, "builds"), lambda b: show_build(request, b))


@route("GET", "/v3/builds/:guid")
def build_by_guid(request, guid):
    return Answer(200, show_build(request, of_space(request, "builds", "Build", guid)))


@route("PATCH", "/v3/builds/:guid")
def patch_build(request, guid):
    build = of_space(request, "builds", "Build", guid, RUNNERS)
    if request.world.korifi:
        raise unprocessable("Labels and annotations are not supported for builds.")
    shape.merge_metadata(build["metadata"], request.json(change({})).get("metadata"))
    return Answer(200, show_build(request, build))


# ---- droplets ------------------------------------------------------------------------------------

DROPLETS = (*LIST, "guids", "states", "app_guids", "space_guids", "label_selector")


@route("GET", "/v3/droplets", takes=DROPLETS, korifi_takes=OF_KORIFI)
def droplets(request):
    return request.listed(seen_by(request, "droplets"), lambda d: _without_commands(request, d))


@route("GET", "/v3/apps/:guid/droplets", takes=(*DROPLETS, "current"), korifi_takes=OF_KORIFI)
def droplets_of(request, guid):
    app = find_app(request, guid)
    found = request.world.where("droplets", _app=guid)
    if request.query.get("current") == "true":
        found = [d for d in found if d["guid"] == app["_droplet"]]
    return request.listed(found, lambda d: _without_commands(request, d))


def _without_commands(request, droplet):
    seen = request.shown(droplet)
    seen["process_types"] = dict.fromkeys(seen["process_types"], HIDDEN)
    seen["execution_metadata"] = HIDDEN
    return seen


@route("GET", "/v3/droplets/:guid")
def droplet_by_guid(request, guid):
    return Answer(200, request.shown(of_space(request, "droplets", "Droplet", guid)))


@route("DELETE", "/v3/droplets/:guid")
def delete_droplet(request, guid):
    world = request.world
    droplet = of_space(request, "droplets", "Droplet", guid, MAKERS)
    if world.where("apps", _droplet=droplet["guid"]):
        raise unprocessable("The droplet is currently used")
    if droplet["state"] != "STAGED":
        raise not_found("Droplet")
    return request.accepted(world.job("droplet.delete", guid,
                                      lambda: world.remove("droplets", guid)))
