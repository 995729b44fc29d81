# SPDX-License-Identifier: Apache-2.0
"""Secured metrics: the real API server says whose token it is and what they may. The operator is a
standby for ever, so that it does nothing else. And /debug of it."""

import base64
import concurrent.futures
import datetime
import http.client
import json
import ssl
import urllib.request

import pytest
from exposition import parse
from support import OPERATOR_NAMESPACE, Operator, wait_for

ROLES = "rbac.authorization.k8s.io"
LEASE = "scraped"


class Scraped(Operator):
    """An operator that may do nothing but ask who may read its metrics, and look at its lease."""

    service_account = "penstock-scraped"

    def flags(self):
        self.metrics_port, self.debug_port = self.free_port(), self.free_port()
        return [*super().flags(), "--leader-elect", "--leader-elect-resource-name", LEASE,
                "--metrics-bind-address", "127.0.0.1:%d" % self.metrics_port, "--metrics-secure",
                "--debug-bind-address", "127.0.0.1:%d" % self.debug_port]

    def wait_ready(self):
        wait_for(lambda: self.scrape() == (401, None), "the operator's /metrics")

    def scrape(self, token=None, path="/metrics"):
        """The status, and the body of a 200."""
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.metrics_port, timeout=15,
                                                 context=unverified)
        try:
            connection.request("GET", path, headers={
                "Authorization": "Bearer " + token} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode() if answer.status == 200 else None
        except OSError:
            return None, None
        finally:
            connection.close()


def role(kind, name, rules, namespace=None):
    return {"apiVersion": ROLES + "/v1", "kind": kind,
            "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "rules": rules}


def binding(to, name, account, namespace=None):
    return {"apiVersion": ROLES + "/v1", "kind": to + "Binding",
            "metadata": {"name": account, **({"namespace": namespace} if namespace else {})},
            "roleRef": {"apiGroup": ROLES, "kind": to, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account,
                          "namespace": OPERATOR_NAMESPACE}]}


def rule(group, resource, *verbs):
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def objects():
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    yield from ({"apiVersion": "v1", "kind": "ServiceAccount",
                 "metadata": {"name": name, "namespace": OPERATOR_NAMESPACE}}
                for name in ("penstock-scraped", "reader", "stranger"))
    yield {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
           "metadata": {"name": LEASE, "namespace": OPERATOR_NAMESPACE},
           "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600,
                    "acquireTime": now, "renewTime": now}}
    yield role("ClusterRole", "scraped-auth", [
        rule("authentication.k8s.io", "tokenreviews", "create"),
        rule("authorization.k8s.io", "subjectaccessreviews", "create"),
        rule("", "namespaces", "get")])
    yield binding("ClusterRole", "scraped-auth", "penstock-scraped")
    yield role("ClusterRole", "metrics-reader", [{"nonResourceURLs": ["/metrics"],
                                                  "verbs": ["get"]}])
    yield binding("ClusterRole", "metrics-reader", "reader")
    yield role("Role", "scraped", [rule("coordination.k8s.io", "leases", "get")],
               OPERATOR_NAMESPACE)
    yield binding("Role", "scraped", "penstock-scraped", OPERATOR_NAMESPACE)


@pytest.fixture
def scraped(the_operator, cluster, kubectl, tmp_path):
    made = list(objects())
    kubectl.apply(*made)
    operator = Scraped(the_operator.binary, cluster, kubectl, tmp_path)
    operator.start()
    yield operator
    operator.stop()
    operator.check()
    for obj in reversed(made):
        kubectl.delete(obj["kind"].lower(), obj["metadata"]["name"],
                       obj["metadata"].get("namespace"))


def token(kubectl, account):
    return kubectl("create", "token", account, "-n", OPERATOR_NAMESPACE).strip()


def test_who_may_read_the_metrics(scraped, kubectl):
    reader, stranger = token(kubectl, "reader"), token(kubectl, "stranger")
    # (An API server that was just told of a role forbids for a moment.)
    wait_for(lambda: scraped.scrape(token(kubectl, "reader"))[0] == 200, "the role to be known")
    status, text = scraped.scrape(reader)
    assert status == 200 and parse(text)
    assert scraped.scrape(stranger)[0] == 403
    assert scraped.scrape()[0] == 401
    assert scraped.scrape("a.b.c")[0] == 401
    head, body, signature = reader.split(".")
    other = base64.urlsafe_b64encode(b"x" * 256).decode().rstrip("=")
    assert scraped.scrape(".".join((head, body, other)))[0] == 401
    assert scraped.scrape(reader, "/debug")[0] == 403
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert {s for s, _ in pool.map(lambda _: scraped.scrape(reader), range(60))} == {200}
    log = scraped.log_text()
    assert all(t not in log for t in (reader, stranger, signature))


def test_debug_shows_a_standby(scraped):
    with urllib.request.urlopen("http://127.0.0.1:%d/debug" % scraped.debug_port) as answer:
        text = answer.read().decode()
    shown = json.loads(text)
    assert scraped.token not in text
    assert shown["lease"] == {"leading": False, "elected": True, "mayWrite": False,
                              "holder": "somebody"}
    assert {w["resource"]: w for w in shown["watches"]}["pods"]["inStep"] is False  # may not list
    assert not shown["queue"]["open"] and not shown["queue"]["running"]


def test_without_permission_to_ask_nobody_may(scraped, kubectl):
    kubectl.delete("clusterrolebinding", "penstock-scraped")
    status = wait_for(lambda: [s for s, _ in [scraped.scrape(token(kubectl, "reader"))]
                               if s == 500], "the permission to be gone")
    assert status == [500]
    assert "metrics_review_failed" in scraped.log_text()
