# SPDX-License-Identifier: Apache-2.0
"""Organizations, spaces and domains: given by the test, read by clients."""

from .errors import Refused, not_found
from .routing import LIST, Answer, route

NAMED = (*LIST, "names", "guids", "label_selector")
NAMED_KORIFI = ("page", "per_page", "names", "guids")


def org_seen(world, user, guid):
    spaces = world.where("spaces", _org=guid)
    return user.admin or any(world.sees(user, space["guid"]) for space in spaces)


@route("GET", "/v3/organizations", takes=NAMED, korifi_takes=NAMED_KORIFI)
def organizations(request):
    world = request.world
    seen = [o for o in world.table("organizations").values()
            if org_seen(world, request.user, o["guid"])]
    return request.listed(seen, lambda o: request.shown(o, domains=_domains_path(o)))


def _domains_path(org):
    return f"/v3/organizations/{org['guid']}/domains"


def find_org(request, guid):
    if not org_seen(request.world, request.user, guid):
        raise not_found("Organization")
    return request.world.find("organizations", guid)


@route("GET", "/v3/organizations/:guid")
def organization(request, guid):
    return Answer(200, request.shown(find_org(request, guid)))


def domains_of(world, org):
    return [d for d in world.table("domains").values() if d["_org"] in (None, org["guid"])]


def show_domain(request, domain):
    seen = request.shown(domain)
    seen["relationships"] = {
        "organization": {"data": domain["_org"] and {"guid": domain["_org"]}},
        "shared_organizations": {"data": []}}
    return seen


@route("GET", "/v3/organizations/:guid/domains", takes=NAMED, korifi_takes=NAMED_KORIFI)
def org_domains(request, guid):
    org = find_org(request, guid)
    return request.listed(domains_of(request.world, org), lambda d: show_domain(request, d))


@route("GET", "/v3/organizations/:guid/domains/default")
def default_domain(request, guid):
    for domain in domains_of(request.world, find_org(request, guid)):
        if not domain["internal"] and not domain["router_group"]:
            return Answer(200, show_domain(request, domain))
    raise not_found("Domain")


@route("GET", "/v3/domains", takes=NAMED, korifi_takes=NAMED_KORIFI)
def domains(request):
    world = request.world
    seen = [d for d in world.table("domains").values()
            if d["_org"] is None or org_seen(world, request.user, d["_org"])]
    return request.listed(seen, lambda d: show_domain(request, d))


@route("GET", "/v3/domains/:guid/route_reservations", takes=("host", "path", "port"), korifi=False)
def reservations(request, guid):
    world, asked = request.world, request.query
    domain = world.find("domains", guid)
    wanted = (asked.get("host", "").lower(), domain["guid"], asked.get("path", ""))
    taken = wanted in world.reserved or any(
        (r["host"].lower(), r["_domain"], r["path"]) == wanted
        for r in world.table("routes").values())
    return Answer(200, {"matching_route": taken})


@route("GET", "/v3/spaces", takes=(*NAMED, "organization_guids", "include"),
       korifi_takes=("page", "per_page", "names", "guids", "organization_guids"))
def spaces(request):
    world = request.world
    seen = [s for s in world.table("spaces").values() if world.sees(request.user, s["guid"])]
    seen = request.chosen(seen, organization_guids="_org")
    return request.listed(seen, lambda s: show_space(request, s))


def show_space(request, space):
    seen = request.shown(space)
    seen["relationships"] = {"organization": {"data": {"guid": space["_org"]}},
                             "quota": {"data": None}}
    return seen


@route("GET", "/v3/spaces/:guid")
def space_by_guid(request, guid):
    return Answer(200, show_space(request, request.world.space_for(request.user, guid, "Space")))


@route("GET", "/v3/roles", takes=(*LIST, "guids", "types", "space_guids", "organization_guids",
                                  "user_guids", "include"))
def roles(request):
    """Every role in the spaces that the asking user sees."""
    world = request.world
    found = []
    for user in world.users.values():
        for space, names in user.roles.items():
            if world.sees(request.user, space):
                found += [{"guid": f"{user.guid}-{space}-{name}", "type": name, "created_at": "",
                           "updated_at": "", "_space": space, "_user": user.guid}
                          for name in sorted(names)]
    found = request.chosen(found, space_guids="_space", user_guids="_user")
    return request.listed(found, lambda r: {**request.shown(r), "relationships": {
        "user": {"data": {"guid": r["_user"]}}, "space": {"data": {"guid": r["_space"]}},
        "organization": {"data": None}}})


def writable_space(request, guid, roles_needed):
    """For a body's relationship: what can't be seen is as if it were not there, with another code."""
    world = request.world
    if guid not in world.table("spaces") or not world.sees(request.user, guid):
        raise Refused("UnprocessableEntity",
                      "Invalid space. Ensure that the space exists and you have access to it.")
    return world.space_for(request.user, guid, "Space", roles_needed)
