# SPDX-License-Identifier: Apache-2.0
"""Another cluster, for tests of accounts that lead there: a second control plane, and what one test
has of it."""

import base64

from support import (ACCOUNT, OPERATOR_NAMESPACE, ROOT, STREAM, TASK, Kubectl, account, holds,
                     wait_for)

MANIFEST = (ROOT / "deploy" / "remote.yaml").read_text()
SECRET = "secret"
CREDENTIALS = "penstock.dev/credentials"
KINDS = "deployments,statefulsets,replicasets,pods,services,jobs"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Remote:
    """A namespace in the other cluster with the permissions of deploy/remote.yaml, and an account
    with its Secret, both here, that lead there. All of them have one name."""

    def __init__(self, space, plane, server, directory):
        self.space = space
        self.kubectl = space.kubectl
        self.name = space.ns + "-gpu"
        self.plane = plane
        self.server = server             # something with host, port and ca_file before the plane
        self.there = Kubectl(plane.kubectl_program, plane.kubeconfig, directory / "there")
        self.tokens = set()

    def make_place(self):
        self.there("apply", "-f", "-", stdin=MANIFEST.replace("gpuzone-namespace", self.name))

    def create(self):
        self.make_place()
        self.put_secret(self.token())
        self.put_account(self.name)

    def token(self, secret="penstock-token"):
        """That of a Secret of the ServiceAccount, once the other cluster has filled it in."""
        def filled():
            obj = self.there.get(SECRET, secret, self.name)
            return base64.b64decode((obj.get("data") or {}).get("token", "")).decode()
        token = wait_for(filled, "a token in %s" % secret)
        self.tokens.add(token)
        return token

    def another_token(self, secret):
        self.there.apply({"apiVersion": "v1", "kind": "Secret",
                          "type": "kubernetes.io/service-account-token",
                          "metadata": {"name": secret, "namespace": self.name, "annotations": {
                              "kubernetes.io/service-account.name": "penstock"}}})
        return self.token(secret)

    def put_secret(self, token, server=None):
        server = server or self.server
        with open(server.ca_file, encoding="ascii") as f:
            authority = f.read()
        self.put_data({"server": "https://%s:%d" % (server.host, server.port), "token": token,
                       "ca.crt": authority})

    def put_data(self, data):
        self.kubectl.apply({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": self.name, "namespace": OPERATOR_NAMESPACE,
                         "labels": {CREDENTIALS: "true"}},
            "data": {k: encoded(v) for k, v in data.items()}})

    def put_account(self, target):
        """target: the namespace there; None: those of the streams and launches."""
        obj = account(self.name, target)
        obj["spec"]["kubernetes"]["cluster"] = {"secretRef": {"name": self.name}}
        self.kubectl.apply(obj)

    def delete_secret(self):
        self.kubectl.delete(SECRET, self.name, OPERATOR_NAMESPACE)

    # --- what is seen --------------------------------------------------------------------------

    def account(self):
        return self.kubectl.get(ACCOUNT, self.name)

    def wait_account(self, kind="Ready", status="True", reason=None, message=None):
        def met():
            obj = self.account()
            holds(obj, kind, status, reason, message)
            return obj
        return wait_for(met, "%s=%s %s of account %s" % (kind, status, reason or "", self.name))

    def objects(self, kinds=KINDS):
        """What stands there, by kind and name."""
        return {(o["kind"], o["metadata"]["name"]): o for o in self.there.list(kinds, self.name)}

    def deployments(self):
        return {d["metadata"]["name"]: d for d in self.there.list("deployments.apps", self.name)}

    def identities(self):
        """What would change if anything were made anew, rolled, or written into."""
        return {k: (o["metadata"]["uid"], o["metadata"].get("generation"))
                for k, o in self.objects("deployments,services,pods,jobs").items()}

    def wait_running(self, launch):
        """Waits until the pod of a launch runs there."""
        def runs():
            steps = self.space.task(launch).get("status", {}).get("steps") or [{}]
            job = self.objects("jobs").get(("Job", steps[0].get("resource", {}).get("name")))
            assert job and job["status"].get("ready") == 1, (steps, job)
            return True
        self.space.wait_phase(launch, "Running")
        wait_for(runs, "the pod of %s to run there" % launch)

    def wait_clean(self):
        def clean():
            left = sorted(self.objects())
            assert not left, left
            return True
        wait_for(clean, "nothing to be left in the other cluster")

    # --- the end -------------------------------------------------------------------------------

    def remove(self):
        """All that leads there goes, and so has all that was made there."""
        space = self.space
        self.kubectl("delete", STREAM + "," + TASK, "--all", "-n", space.ns, "--timeout=60s")
        self.kubectl("delete", ACCOUNT, self.name, "--ignore-not-found", "--timeout=60s")
        self.wait_clean()
        self.delete_secret()
        self.there.delete("namespace", self.name, wait=False)

    def check_secrecy(self, log):
        """Nobody but the Secret has the tokens."""
        kinds = ",".join((ACCOUNT, STREAM, TASK, "events.events.k8s.io"))
        seen = log + self.kubectl("get", kinds, "-A", "-o", "json")
        assert not any(token in seen for token in self.tokens), "a token is shown"
