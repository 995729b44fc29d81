# SPDX-License-Identifier: Apache-2.0
"""A bare client of the Cloud Foundry double, and the steps that its tests take over and over."""

import base64
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
from simcf import Foundation, services  # noqa: E402, F401


def to_one(**guids):
    return {name: {"data": {"guid": guid}} for name, guid in guids.items()}


class Client:
    """A client that does nothing for its user."""

    def __init__(self, cf, user="penstock", password="s&cret+%"):
        self.cf = cf
        self.context = ssl.create_default_context(cafile=cf.ca_file)
        self.token = None
        if user:
            self.token = self.login(user, password)["access_token"]

    def login(self, user, password, **more):
        status, body, _ = self.form(grant_type="password", username=user, password=password, **more)
        assert status == 200, body
        return body

    def form(self, client="cf:", **fields):
        code = base64.b64encode(client.encode()).decode()
        return self.send("POST", self.cf.uaa_url + "/oauth/token",
                         urllib.parse.urlencode(fields).encode(),
                         {"Authorization": f"Basic {code}",
                          "Content-Type": "application/x-www-form-urlencoded"})

    def send(self, method, url, content, headers):
        request = urllib.request.Request(url, data=content, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as error:
            return self._read(error)

    @staticmethod
    def _read(answer):
        body = answer.read()
        kind = answer.headers.get("Content-Type", "")
        if body and (kind.startswith("application/json") or body.startswith(b"{")):
            body = json.loads(body)
        return answer.status, body, answer.headers

    def __call__(self, method, path, body=None):
        headers = {"Authorization": f"bearer {self.token}"} if self.token else {}
        content = None
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        url = path if path.startswith("https:") else self.cf.url + path
        return self.send(method, url, content, headers)

    def ok(self, method, path, body=None):
        status, answer, headers = self(method, path, body)
        assert 200 <= status < 300, (status, answer)
        return headers["Location"] if status == 202 and not answer else answer

    def refused(self, method, path, body=None):
        status, answer, _ = self(method, path, body)
        assert status >= 400, answer
        return status, answer["errors"][0]["code"], answer["errors"][0]["detail"]


class Place:
    """A foundation with one space, and what tests do in it over and over."""

    def __init__(self, cf):
        self.cf = cf
        _, self.space = cf.place()
        cf.developer("penstock", "s&cret+%", self.space)
        self.client = Client(cf)
        self.domain = next(iter(cf.world.table("domains")))

    def app(self, name="foo", kind="docker", **more):
        return self.client.ok("POST", "/v3/apps", {
            "name": name, "lifecycle": {"type": kind, "data": {}},
            "relationships": to_one(space=self.space["guid"]), **more})

    def pass_time(self, seconds=1.0):
        self.cf.clock.advance(seconds)

    def staged(self, app, image="reg/img@sha256:1"):
        """The guid of a droplet."""
        package = self.client.ok("POST", "/v3/packages", {
            "type": "docker", "data": {"image": image}, "relationships": to_one(app=app["guid"])})
        build = self.client.ok("POST", "/v3/builds", {"package": {"guid": package["guid"]}})
        assert build["state"] == "STAGING" and build["droplet"] is None
        self.pass_time()
        build = self.client.ok("GET", f"/v3/builds/{build['guid']}")
        assert build["state"] == "STAGED", build
        return build["droplet"]["guid"]

    def running(self, name="foo", count=1):
        app = self.app(name)
        self.use(app, self.staged(app))
        self.client.ok("POST", f"/v3/apps/{app['guid']}/processes/web/actions/scale",
                       {"instances": count})
        self.client.ok("POST", f"/v3/apps/{app['guid']}/actions/start")
        self.pass_time()
        return app

    def use(self, app, droplet):
        self.client.ok("PATCH", f"/v3/apps/{app['guid']}/relationships/current_droplet",
                       {"data": {"guid": droplet}})

    def states(self, app):
        stats = self.client.ok("GET", f"/v3/apps/{app['guid']}/processes/web/stats")
        return [i["state"] for i in stats["resources"]]
