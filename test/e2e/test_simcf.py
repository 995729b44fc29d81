# SPDX-License-Identifier: Apache-2.0
"""The double of Cloud Foundry is as strict and as late as the real one: its own tests."""

import concurrent.futures
import time
import urllib.parse
import zipfile
from io import BytesIO

import pytest
from foundation import Client, Foundation, Place, services, to_one


@pytest.fixture(scope="module", name="keys")
def one_set_of_keys(tmp_path_factory):
    return tmp_path_factory.mktemp("simcf")


@pytest.fixture
def place(keys):
    with Foundation(keys, clock="manual") as cf:
        yield Place(cf)


@pytest.fixture
def korifi(keys):
    with Foundation(keys, mode="korifi") as cf:
        cf.world.korifi_patience = 1 / 600
        place = Place(cf)
        place.pass_time = lambda seconds=.3: time.sleep(seconds)
        yield place


# ---- UAA -----------------------------------------------------------------------------------------

def test_grants(place):
    cf, client = place.cf, place.client
    assert client.ok("GET", "/")["links"]["login"]["href"] == cf.uaa_url != cf.url
    first = client.login("penstock", "s&cret+%", login_hint=urllib.parse.quote('{"origin":"ldap"}'))
    assert cf.uaa.hints[-1] == {"origin": "ldap"}
    status, again, _ = client.form(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert status == 200 and again["refresh_token"] == first["refresh_token"]
    cf.uaa.rotate = True
    _, third, _ = client.form(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert third["refresh_token"] != first["refresh_token"]
    status, body, _ = client.form(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, body["error"]) == (401, "invalid_token")
    robot = cf.developer("robot", None, place.space)
    cf.uaa.client("robot", "r=1", robot)
    status, own, _ = client.form("robot:r%3D1", grant_type="client_credentials")
    assert status == 200 and "refresh_token" not in own


def test_tokens_end_and_users_are_locked_out(place):
    place.cf.uaa.life_s = 10
    client = Client(place.cf)
    client.ok("GET", "/v3/apps")
    place.pass_time(11)
    assert client.refused("GET", "/v3/apps")[:2] == (401, 1000)
    assert Client(place.cf, user=None).refused("GET", "/v3/apps")[:2] == (401, 10002)
    for _ in range(5):
        assert client.form(grant_type="password", username="penstock", password="x")[0] == 401
    status, body, _ = client.form(grant_type="password", username="penstock", password="s&cret+%")
    assert status == 401 and "locked" in body["error_description"]
    place.pass_time(301)
    client.login("penstock", "s&cret+%")


# ---- the thirteen behaviours ---------------------------------------------------------------------

def test_unknown_keys_parameters_and_wrong_values_are_refused(place):
    ok = {"name": "a", "relationships": to_one(space=place.space["guid"])}
    refused = place.client.refused
    assert refused("POST", "/v3/apps", {**ok, "colour": 1})[:2] == (422, 10008)
    assert refused("POST", "/v3/apps", {"name": "a"})[:2] == (422, 10008)
    assert refused("POST", "/v3/apps", {**ok, "environment_variables": {"A": 1}})[:2] == (422,
                                                                                          10008)
    for name in ("VCAP_X", "vcap_x", "PORT", "VMC"):
        assert refused("POST", "/v3/apps", {**ok, "environment_variables": {name: "1"}})[0] == 422
    assert refused("GET", "/v3/apps?colour=1")[:2] == (400, 10005)
    assert refused("GET", "/v3/apps?per_page=0")[:2] == (400, 10005)
    assert refused("GET", "/v3/nothing")[:2] == (404, 10000)
    status, _, _ = place.client.send("POST", place.cf.url + "/v3/apps", b"{", {
        "Authorization": f"bearer {place.client.token}"})
    assert status == 400


def test_a_name_is_given_once_whoever_comes_first(place):
    def post(name):
        return place.client("POST", "/v3/apps", {
            "name": name, "relationships": to_one(space=place.space["guid"])})[0]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = sorted(pool.map(post, ["foo", "FOO", "Foo", "fOO"] * 4))
    assert got == [201] + [422] * 15
    assert len(place.cf.effects("app.create")) == 1


def test_states_change_with_time_alone(place):
    app = place.app(kind="buildpack")
    package = place.client.ok("POST", "/v3/packages", {
        "type": "bits", "relationships": to_one(app=app["guid"])})
    assert package["state"] == "AWAITING_UPLOAD"
    path = f"/v3/packages/{package['guid']}"
    assert place.client.refused("POST", "/v3/builds", {"package": {"guid": package["guid"]}})[0] \
        == 422
    upload(place, path)
    assert place.client.ok("GET", path)["state"] == "PROCESSING_UPLOAD"
    assert upload(place, path)[0] == 400
    place.pass_time()
    assert place.client.ok("GET", path)["state"] == "READY"
    build = place.client.ok("POST", "/v3/builds", {"package": {"guid": package["guid"]}})
    again = place.client.refused("POST", "/v3/builds", {"package": {"guid": package["guid"]}})
    assert again[:2] == (422, 170017)
    place.pass_time()
    build = place.client.ok("GET", f"/v3/builds/{build['guid']}")
    assert build["state"] == "STAGED" and len(place.cf.effects("package.upload")) == 1
    assert place.client.refused("POST", "/v3/packages", {
        "type": "docker", "data": {"image": "a"}, "relationships": to_one(app=app["guid"])})[0] \
        == 422


def upload(place, path):
    jar = BytesIO()
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("a", "b")
    content = (b"--x\r\nContent-Disposition: form-data; name=\"bits\"; filename=\"app.jar\"\r\n"
               b"Content-Type: application/zip\r\n\r\n" + jar.getvalue() + b"\r\n--x--\r\n")
    return place.client.send("POST", place.cf.url + path + "/upload", content, {
        "Authorization": f"bearer {place.client.token}",
        "Content-Type": "multipart/form-data; boundary=x"})


def test_what_runs_is_not_what_is_desired(place):
    app = place.app(environment_variables={"A": "1"})
    assert place.client.refused("POST", f"/v3/apps/{app['guid']}/actions/start")[0] == 422
    place.use(app, place.staged(app))
    assert place.client.ok("POST", f"/v3/apps/{app['guid']}/actions/start")["state"] == "STARTED"
    assert place.states(app) == ["STARTING"]
    place.pass_time()
    assert place.states(app) == ["RUNNING"]
    place.client.ok("PATCH", f"/v3/apps/{app['guid']}/environment_variables",
                    {"var": {"A": None, "B": "2"}})
    place.client.ok("POST", f"/v3/apps/{app['guid']}/processes/web/actions/scale", {"instances": 2})
    assert [s[3]["env"] for s in place.cf.world.started] == [{"A": "1"}, {"B": "2"}]
    assert place.states(app) == ["RUNNING", "STARTING"]
    place.client.ok("POST", f"/v3/apps/{app['guid']}/actions/stop")
    assert place.states(app) == ["STOPPING", "STOPPING"]
    place.pass_time()
    assert place.states(app) == ["DOWN", "DOWN"]


def test_a_rolling_deployment(place):
    app = place.running(count=2)
    old = place.client.ok("GET", f"/v3/apps/{app['guid']}/processes/web")["guid"]
    assert old == app["guid"]
    deployment = deploy(place, app)
    scale = f"/v3/apps/{app['guid']}/processes/web/actions/scale"
    assert place.client.refused("POST", scale, {"instances": 3})[0] == 422
    place.pass_time(5)
    deployment = place.client.ok("GET", f"/v3/deployments/{deployment['guid']}")
    assert deployment["status"]["value"] == "FINALIZED"
    assert deployment["status"]["reason"] == "DEPLOYED"
    assert place.client.ok("GET", f"/v3/apps/{app['guid']}/processes/web")["guid"] != old
    assert place.states(app) == ["RUNNING", "RUNNING"]
    assert place.client.refused("GET", f"/v3/processes/{old}")[0] == 404


def deploy(place, app, **more):
    return place.client.ok("POST", "/v3/deployments", {
        "relationships": to_one(app=app["guid"]), **more})


def test_a_deployment_that_crashes_stands_still_until_it_is_canceled(place):
    app = place.running(count=2)
    before = place.client.ok("GET", f"/v3/apps/{app['guid']}/droplets/current")["guid"]
    droplet = place.staged(app, "reg/bad")
    place.cf.world.behave("foo", run="crash")
    deployment = deploy(place, app, droplet={"guid": droplet})
    path = f"/v3/deployments/{deployment['guid']}"
    place.pass_time(600)
    assert place.client.ok("GET", path)["status"]["value"] == "ACTIVE"
    place.client.ok("POST", path + "/actions/cancel")
    place.pass_time()
    assert place.client.ok("GET", path)["status"]["reason"] == "CANCELED"
    assert place.client.ok("GET", f"/v3/apps/{app['guid']}/droplets/current")["guid"] == before
    crashes = place.client.ok("GET", f"/v3/audit_events?target_guids={app['guid']}&types=app.crash")
    assert crashes["pagination"]["total_results"] > 0


def test_a_canary_waits(place):
    app = place.running(count=4)
    deployment = deploy(place, app, strategy="canary",
                        options={"canary": {"steps": [{"instance_weight": 25}]}})
    path = f"/v3/deployments/{deployment['guid']}"
    place.pass_time(10)
    assert place.client.ok("GET", path)["status"]["reason"] == "PAUSED"
    place.client.ok("POST", path + "/actions/continue")
    place.pass_time(10)
    assert place.client.ok("GET", path)["status"]["reason"] == "DEPLOYED"
    assert place.states(app) == ["RUNNING"] * 4


def test_routes_outlive_their_app(place):
    app = place.running()
    made = place.client.ok("POST", "/v3/routes", {
        "host": "foo", "relationships": to_one(space=place.space["guid"], domain=place.domain)})
    destination = {"destinations": [{"app": {"guid": app["guid"], "process": {"type": "web"}}}]}
    for _ in range(2):
        mapped = place.client.ok("POST", f"/v3/routes/{made['guid']}/destinations", destination)
        assert len(mapped["destinations"]) == 1
    assert place.client.refused("POST", "/v3/routes", {
        "host": "FOO", "relationships": to_one(space=place.space["guid"],
                                               domain=place.domain)})[0] == 422
    done(place, place.client.ok("DELETE", f"/v3/apps/{app['guid']}"))
    assert place.client.ok("GET", f"/v3/routes/{made['guid']}")["destinations"] == []
    place.cf.world.reserved.add(("theirs", place.domain, ""))
    status, _, detail = place.client.refused("POST", "/v3/routes", {
        "host": "theirs", "relationships": to_one(space=place.space["guid"], domain=place.domain)})
    assert status == 422 and "already exists" in detail
    assert place.client.ok("GET", "/v3/routes?hosts=theirs")["resources"] == []
    path = f"/v3/domains/{place.domain}/route_reservations?host=theirs"
    assert place.client.ok("GET", path) == {"matching_route": True}


def done(place, location, state="COMPLETE"):
    assert place.client.ok("GET", location)["state"] == "PROCESSING"
    place.pass_time(5)
    job = place.client.ok("GET", location)
    assert job["state"] == state
    return job


def test_bindings_take_their_time(place):
    app = place.running()
    world = place.cf.world
    ours = services.user_provided(world, place.space, "ups", {"uri": "x"})
    kafka = services.managed(world, place.space, "kafka")
    bad = services.managed(world, place.space, "bad")
    bad["_bind_error"] = "the broker says no"

    def bind(instance, **more):
        return place.client.ok("POST", "/v3/service_credential_bindings", {
            "type": "app", **more,
            "relationships": to_one(service_instance=instance["guid"], app=app["guid"])})
    assert bind(ours)["last_operation"]["state"] == "succeeded"
    job = bind(kafka, parameters={"a": 1})
    path = f"/v3/service_credential_bindings?app_guids={app['guid']}"
    path += f"&service_instance_guids={kafka['guid']}"
    assert place.client.ok("GET", path)["resources"][0]["last_operation"]["state"] == "in progress"
    gone = place.client.ok("DELETE", f"/v3/apps/{app['guid']}")
    place.pass_time(.06)
    assert place.client.ok("GET", gone)["state"] == "FAILED"
    place.pass_time(.06)
    assert place.client.ok("GET", job)["state"] == "POLLING"
    place.pass_time()
    assert place.client.ok("GET", job)["state"] == "COMPLETE"
    job = bind(bad)
    place.pass_time()
    assert place.client.ok("GET", job)["errors"][0]["detail"] == "the broker says no"
    job = bind(bad)  # what failed is replaced
    done(place, job, "FAILED") if place.client.ok("GET", job)["state"] == "PROCESSING" else None
    status, _, detail = place.client.refused("POST", "/v3/service_credential_bindings", {
        "type": "app", "relationships": to_one(service_instance=ours["guid"], app=app["guid"])})
    assert status == 422 and "already bound" in detail


def test_pages_and_what_comes_between_them(place):
    place.cf.world.page_cap = 2
    for i in range(3):
        place.app(f"app-{i}")
    first = place.client.ok("GET", "/v3/apps?per_page=100&order_by=-created_at")
    assert [a["name"] for a in first["resources"]] == ["app-2", "app-1"]
    place.app("app-3")
    second = place.client.ok("GET", first["pagination"]["next"]["href"])
    assert [a["name"] for a in second["resources"]] == ["app-1", "app-0"]  # one of them twice
    assert second["pagination"]["next"] is None
    assert len(place.client.ok("GET", "/v3/apps?names=APP-1,app-0")["resources"]) == 2


def test_labels(place):
    place.app("one", metadata={"labels": {"penstock.dev/app": "x"}})
    two = place.app("two", metadata={"labels": {"penstock.dev/app": "y", "b": ""}})

    def names(selector):
        path = "/v3/apps?label_selector=" + urllib.parse.quote(selector)
        return [a["name"] for a in place.client.ok("GET", path)["resources"]]
    assert names("penstock.dev/app in (x,z)") == ["one"]
    assert names("penstock.dev/app!=x") == names("b") == ["two"]
    assert names("!b,penstock.dev/app") == ["one"]
    place.client.ok("PATCH", f"/v3/apps/{two['guid']}", {"metadata": {"labels": {"b": None}}})
    assert names("b") == []
    for labels in ({"cloudfoundry.org/a": "b"}, {"a": "x" * 64}, {"a b": "c"}):
        assert place.client.refused("PATCH", f"/v3/apps/{two['guid']}",
                                    {"metadata": {"labels": labels}})[0] == 422


def test_limits_and_roles(place):
    app = place.app()
    place.cf.rates.limit = 3
    statuses = [place.client("GET", "/v3/apps") for _ in range(5)]
    assert [s[0] for s in statuses][-1] == 429
    limited = statuses[-1]
    assert int(limited[2]["Retry-After"]) > 0 and limited[2]["Content-Type"] == "text/plain"
    assert limited[1]["errors"][0]["code"] == 10013
    place.cf.rates.limit = None
    place.cf.developer("stranger", "p")
    assert Client(place.cf, "stranger", "p").refused("GET", f"/v3/apps/{app['guid']}")[:2] == (
        404, 10010)
    place.cf.developer("auditor", "p", place.space, role="space_auditor")
    auditor = Client(place.cf, "auditor", "p")
    assert auditor.refused("DELETE", f"/v3/apps/{app['guid']}")[:2] == (403, 10003)
    place.cf.developer("supporter", "p", place.space, role="space_supporter")
    supporter = Client(place.cf, "supporter", "p")
    assert supporter.refused("POST", f"/v3/apps/{app['guid']}/tasks", {"command": "x"})[0] == 403


def test_stats_that_are_not_there(place):
    app = place.running(count=2)
    place.cf.world.behave("foo", run="unplaceable")
    place.client.ok("POST", f"/v3/apps/{app['guid']}/actions/restart")
    place.pass_time()
    stats = place.client.ok("GET", f"/v3/apps/{app['guid']}/processes/web/stats")["resources"]
    assert [s["details"] for s in stats] == ["insufficient resources: memory"] * 2
    assert "host" not in stats[0] and stats[0]["usage"] == {}
    place.cf.world.flags["stats"] = False
    path = f"/v3/apps/{app['guid']}/processes/web/stats"
    assert place.client.refused("GET", path)[:2] == (503, 220002)


def test_faults_before_and_after_the_effect(place):
    body = {"name": "x", "relationships": to_one(space=place.space["guid"])}
    place.cf.faults.on("POST", r"/v3/apps$", "reset_before")
    with pytest.raises(OSError):
        place.client("POST", "/v3/apps", body)
    assert place.cf.effects("app.create") == []
    place.cf.faults.on("POST", r"/v3/apps$", "reset_after")
    with pytest.raises(OSError):
        place.client("POST", "/v3/apps", body)
    assert len(place.cf.effects("app.create")) == 1
    assert place.client.refused("POST", "/v3/apps", body)[:2] == (422, 10016)
    place.cf.faults.on("POST", r"/tasks$", "repeat")
    app = place.running("twice")
    place.client.ok("POST", f"/v3/apps/{app['guid']}/tasks", {"command": "x"})
    assert len(place.cf.effects("task.create")) == 2  # the ledger sees what the client can't
    place.cf.faults.on("GET", r"/v3/apps", "answer", status=502)
    status, page, headers = place.client("GET", "/v3/apps")
    assert status == 502 and b"<html>" in page and headers["Content-Type"] == "text/html"
    place.cf.faults.on("GET", r"/v3/apps", "truncate")
    with pytest.raises(Exception, match="IncompleteRead|reset|JSON"):
        place.client.ok("GET", "/v3/apps")


def test_a_held_answer_is_sent_when_the_test_says_so(place):
    rule = place.cf.faults.on("GET", r"/v3/spaces", "hold_after")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(place.client.ok, "GET", "/v3/spaces")
        assert rule.wait().carried_out == 1 and not answer.done()
        rule.release()
        assert answer.result(10)["pagination"]["total_results"] == 1
    assert [x.status for x in place.cf.asked("GET", "/v3/spaces")] == [200]


def test_tasks(place):
    app = place.app()
    path = f"/v3/apps/{app['guid']}/tasks"
    assert place.client.refused("POST", path, {"command": "x"})[0] == 422
    place.use(app, place.staged(app))
    task = place.client.ok("POST", path, {"command": "run me", "name": "t-1"})
    assert task["state"] == "PENDING" and task["result"] == {"failure_reason": None}
    place.pass_time()
    assert place.client.ok("GET", f"/v3/tasks/{task['guid']}")["state"] == "SUCCEEDED"
    assert "command" not in place.client.ok("GET", "/v3/tasks")["resources"][0]
    assert place.client.refused("POST", f"/v3/tasks/{task['guid']}/actions/cancel")[0] == 422
    place.cf.world.behave("foo", task="forever")
    task = place.client.ok("POST", path, {"command": "run me"})
    place.pass_time()
    place.client.ok("POST", f"/v3/tasks/{task['guid']}/actions/cancel")
    assert place.client.ok("GET", f"/v3/tasks/{task['guid']}")["state"] == "CANCELING"
    place.pass_time()
    assert place.client.ok("GET", f"/v3/tasks/{task['guid']}")["state"] == "FAILED"


# ---- what the API's documentation shows -----------------------------------------------------------

def test_documented_requests_are_taken(place):
    app, other = place.running("my_app"), place.app("other")
    droplet = place.client.ok("GET", f"/v3/apps/{app['guid']}/droplets/current")["guid"]
    ups = services.user_provided(place.cf.world, place.space, "my-ups", {})
    a_route = place.client.ok("POST", "/v3/routes", {
        "host": "a-hostname", "path": "/some_path",
        "relationships": to_one(domain=place.domain, space=place.space["guid"]),
        "metadata": {"labels": {"key": "value"}, "annotations": {"note": "detailed information"}}})
    own = f"/v3/apps/{app['guid']}"
    for method, path, body in (
            ("PATCH", own, {"name": "my_app", "metadata": {"labels": {"k": "v"}}}),
            ("PATCH", own + "/environment_variables", {"var": {"DEBUG": "false"}}),
            ("PATCH", own + "/relationships/current_droplet", {"data": {"guid": droplet}}),
            ("POST", own + "/processes/web/actions/scale", {
                "instances": 5, "memory_in_mb": 256, "disk_in_mb": 1024,
                "log_rate_limit_in_bytes_per_second": 1024}),
            ("PATCH", own + "/processes/web", {"command": "rackup"}),
            ("POST", own + "/tasks", {"command": "rake db:migrate"}),
            ("POST", "/v3/service_credential_bindings", {
                "type": "app", "name": "some-binding-name",
                "relationships": to_one(service_instance=ups["guid"], app=app["guid"]),
                "metadata": {"labels": {"foo": "bar"}, "annotations": {"foo": "bar"}}}),
            ("POST", f"/v3/routes/{a_route['guid']}/destinations", {"destinations": [
                {"app": {"guid": app["guid"]}},
                {"app": {"guid": other["guid"], "process": {"type": "api"}}},
                {"app": {"guid": other["guid"]}, "port": 9000, "protocol": "http2"}]}),
            ("POST", "/v3/deployments", {
                "droplet": {"guid": droplet}, "strategy": "canary",
                "options": {"canary": {"steps": [{"instance_weight": 1}, {"instance_weight": 10}]}},
                "relationships": to_one(app=app["guid"])})):
        place.client.ok(method, path, body)
    listed = place.client.ok("GET", f"/v3/processes?app_guids={app['guid']}&embed=process_instances")
    assert listed["resources"][0]["command"] == "[PRIVATE DATA HIDDEN IN LISTS]"
    assert len(listed["resources"][0]["process_instances"]) == 5


# ---- Korifi --------------------------------------------------------------------------------------

def test_korifi_is_another_server(korifi):
    client = korifi.client
    meta = client.ok("GET", "/")["links"]["cloud_controller_v3"]["meta"]
    assert meta["version"].endswith("+cf-k8s")
    app = korifi.app()
    path = f"/v3/apps/{app['guid']}"
    assert client.ok("GET", path + "/processes")["resources"] == []
    assert client.refused("GET", path + "/processes/web")[0] == 404
    korifi.use(app, korifi.staged(app))
    assert client.ok("GET", path + "/processes/web")["guid"] != app["guid"]
    assert client.ok("POST", path + "/actions/start")["state"] == "STARTED"
    assert korifi.states(app) == ["RUNNING"]  # it has waited
    to_web = {"destinations": [{"app": {"guid": app["guid"]}}]}
    made = client.ok("POST", "/v3/routes", {
        "host": "foo", "relationships": to_one(space=korifi.space["guid"], domain=korifi.domain)})
    for count in (1, 2):
        mapped = client.ok("POST", f"/v3/routes/{made['guid']}/destinations", to_web)
        assert len(mapped["destinations"]) == count
    for path_of, body in (("/v3/deployments", {"strategy": "rolling",
                                               "relationships": to_one(app=app["guid"])}),
                          (path + "/tasks", {"command": "x", "name": "n"})):
        assert client.refused("POST", path_of, body)[0] == 422
    assert client.refused("GET", "/v3/builds?label_selector=a")[:2] == (400, 10005)
    assert client.refused("GET", "/v3/audit_events")[:2] == (404, 10000)
    status, task, _ = client("POST", path + "/tasks", {"command": "x"})
    assert status == 201 and task["name"] == task["guid"] and task["sequence_id"] > 1 << 53


def test_korifi_answers_500_when_an_app_never_runs(korifi):
    korifi.cf.world.behave("foo", run="crash")
    app = korifi.app()
    korifi.use(app, korifi.staged(app))
    assert korifi.client.refused("POST", f"/v3/apps/{app['guid']}/actions/start")[:2] == (500,
                                                                                          10001)
    assert korifi.client.ok("GET", f"/v3/apps/{app['guid']}")["state"] == "STARTED"
