# SPDX-License-Identifier: Apache-2.0
"""What `kubectl get -o json` answers, over one connection that stays open. A test that waits asks
several times a second: a process for each question would cost more than all that is tested."""

import base64
import http.client
import json
import ssl
import tempfile
import threading
import urllib.parse
from pathlib import Path

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TIMEOUT_S = 60


def for_kubeconfig(path):
    """A Reader for the kubeconfig of a control plane of hack/controlplane, which is JSON and has
    one user with a certificate; None for any other."""
    try:
        config = json.loads(Path(path).read_text())
        (user,), (cluster,) = config["users"], config["clusters"]
        parts = [user["user"][k] for k in ("client-certificate-data", "client-key-data")]
        cluster = cluster["cluster"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
    except (OSError, ValueError, LookupError):
        return None
    context = ssl.create_default_context(cadata=ca)
    with tempfile.NamedTemporaryFile() as pair:     # ssl reads it from a file alone
        pair.write(b"".join(map(base64.b64decode, parts)))
        pair.flush()
        context.load_cert_chain(pair.name)
    server = urllib.parse.urlsplit(cluster["server"])
    return Reader(server.hostname, server.port, context)


class Unknown(Exception):
    """No such kind."""


class Reader:
    """For several threads, one after the other."""

    def __init__(self, host, port, context):
        self.address, self.context = (host, port), context
        self.connection = None
        self.kinds = {}                  # any name of a kind -> (path of its group, resource)
        self.lock = threading.Lock()

    def get(self, kind, name, namespace=None):
        """The object, or None if there is none; Unknown if there is no such kind."""
        status, answer = self._ask(self._path(kind, namespace or "default", name))
        if status == 404 and isinstance(answer, dict) and answer.get("details", {}).get("name"):
            return None
        return shown(self._good(status, answer))

    def list(self, kinds, namespace=None, selector=None):
        found = []
        query = "?" + urllib.parse.urlencode({"labelSelector": selector}) if selector else ""
        for kind in kinds.split(","):
            answer = self._good(*self._ask(self._path(kind, namespace) + query))
            # Items of a list say what they are only where there are no Go types for them.
            told = {"apiVersion": answer["apiVersion"], "kind": answer["kind"][:-len("List")]}
            found += [shown({**told, **item}) for item in answer["items"]]
        return found

    def _good(self, status, answer):
        if status == 404:
            self.kinds = {}              # the kind may have gone
        assert status == 200, "the API server answers %d: %s" % (status, str(answer)[:500])
        return answer

    def _path(self, kind, namespace, name=None):
        if kind not in self.kinds:
            self.kinds = dict(self._discover())
        if kind not in self.kinds:
            raise Unknown(kind)
        base, resource, namespaced = self.kinds[kind]
        parts = ["namespaces", namespace] if namespaced and namespace else []
        return "/".join([base, *parts, resource, *([name] if name else [])])

    def _discover(self):
        """Each name of each kind; kubectl takes the first group that has it, so that comes last."""
        names = []
        for root in ("/api", "/apis"):
            for group in self._good(*self._ask(root, DISCOVERY))["items"]:
                names += _names(root, group["metadata"].get("name", ""), group["versions"][0])
        return reversed(names)

    def _ask(self, path, accept="application/json"):
        with self.lock:
            for again in (True, False):
                try:
                    return self._exchange(path, accept)
                except (OSError, http.client.HTTPException) as error:
                    self.connection.close()
                    self.connection = None
                    if not again:        # not only a connection that had been open for too long
                        raise AssertionError("GET %s: %s" % (path, error)) from None

    def _exchange(self, path, accept):
        self.connection = self.connection or http.client.HTTPSConnection(
            *self.address, context=self.context, timeout=TIMEOUT_S)
        self.connection.request("GET", path, headers={"Accept": accept})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text


def _names(root, group, version):
    base = "/".join(filter(None, (root, group, version["version"])))
    for resource in version["resources"]:
        plural = resource["resource"]
        place = base, plural, resource["scope"] == "Namespaced"
        for name in (plural, resource.get("singularResource"), *resource.get("shortNames", [])):
            if name:
                yield name, place
                yield "%s.%s" % (name, group), place


def shown(obj):
    """As kubectl shows it: without the record of who wrote what."""
    obj["metadata"].pop("managedFields", None)
    return obj
