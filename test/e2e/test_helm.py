# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: what its values do, what it refuses, and its life on a cluster that has nothing.

No container runs here, so the test starts the operator as the Deployment on the API server says:
arguments, environment, ServiceAccount, name of the pod."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support import (ACCOUNT, ROOT, STREAM, Kubectl, Operator, account, condition, controlplane,
                     holds, namespace, registry, stream, wait_for, watchdogs)

CHART = ROOT / "deploy" / "helm" / "penstock"
SPACE = "streaming-ops"      # where the chart is installed
RELEASE = "penstock"
DIGEST = "sha256:" + "0123456789abcdef" * 4
OUR_KINDS = {"%s.penstock.dev" % plural
             for plural in ("platformaccounts", "streamdeployments", "tasklaunches")}


class Helm:
    """The helm of hack/helm, with all its files in one directory."""

    def __init__(self, directory, kubeconfig=os.devnull):
        built = subprocess.run([str(ROOT / "hack" / "helm" / "build")], stdout=subprocess.PIPE,
                               text=True, check=False)
        assert built.returncode == 0, "hack/helm/build failed, see its output above"
        self.program = built.stdout.strip()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory),
                            "KUBECONFIG": str(kubeconfig)}

    def run(self, *args):
        return subprocess.run([self.program, *map(str, args)], env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180,
                              check=False)

    def __call__(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, "helm %s: %s" % (" ".join(map(str, args)), done.stderr)
        return done.stdout

    def template(self, values=None, chart=CHART, release=RELEASE):
        """The objects of the chart by (kind, name)."""
        text = self("template", release, chart, "-n", SPACE, *sets(values or {}))
        objects = [o for o in yaml.safe_load_all(text) if o]
        named = {(o["kind"], o["metadata"]["name"]): o for o in objects}
        assert len(named) == len(objects)
        return named


def sets(values):
    """{path: value} as helm's arguments."""
    return [a for path, value in values.items()
            for a in ("--set-json", "%s=%s" % (path, json.dumps(value)))]


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    return Helm(tmp_path_factory.mktemp("helm"))


# --- without a cluster -----------------------------------------------------------------------


def test_lint(helm):
    out = helm("lint", "--strict", CHART)
    assert "0 chart(s) failed" in out and "WARNING" not in out and "ERROR" not in out


def test_names_follow_the_release(helm):
    def names(release, values=None):
        values = {"metrics.enabled": False, **(values or {})}
        return {n for (k, n) in helm.template(values, release=release)
                if k != "CustomResourceDefinition"}
    assert names("penstock") == {"penstock"}
    assert names("mine") == {"mine-penstock"}
    assert names("mine", {"nameOverride": "streams"}) == {"mine-streams"}
    assert names("mine", {"fullnameOverride": "streams"}) == {"streams"}
    assert {len(n) for n in names("a" * 53, {"nameOverride": "b" * 30})} == {63}


POD = ("Deployment", RELEASE, "spec", "template")
CONTAINER = (*POD, "spec", "containers", 0)
SERVICE = ("Service", "penstock-metrics")
METRICS = {"metrics.enabled": True}
SECURE = {**METRICS, "metrics.secure": True}
ELECT = {"leaderElection.enabled": True}
ALONE = {"leaderElection.enabled": False}
BUDGET = {"podDisruptionBudget.enabled": True}
KEEP = ("CustomResourceDefinition", "platformaccounts.penstock.dev", "metadata", "annotations")
# Of each value: what else it needs, another value, where it arrives (kind, name, path), and what is
# there then. GONE: nothing is there any more.
GONE = object()
EFFECTS = {
    "crds.install": ({}, False, KEEP[:2], GONE),
    "crds.keep": ({}, False, KEEP, GONE),
    "image.repository": ({}, "registry.example:5000/ops/penstock", (*CONTAINER, "image"),
                         "registry.example:5000/ops/penstock:0.1.0-dev"),
    "image.tag": ({}, "1.2.3", (*CONTAINER, "image"), "penstock:1.2.3"),
    "image.digest": ({"image.tag": "1.2.3"}, DIGEST, (*CONTAINER, "image"), "penstock@" + DIGEST),
    "image.pullPolicy": ({}, "Always", (*CONTAINER, "imagePullPolicy"), "Always"),
    "imagePullSecrets": ({}, [{"name": "pull"}], (*POD, "spec", "imagePullSecrets"),
                         [{"name": "pull"}]),
    "nameOverride": ({}, "streams", ("Deployment", "penstock-streams", "kind"), "Deployment"),
    "fullnameOverride": ({}, "streams", ("Deployment", "streams", "kind"), "Deployment"),
    "replicas": (ELECT, 2, ("Deployment", RELEASE, "spec", "replicas"), 2),
    "leaderElection.enabled": (ALONE, True, (*CONTAINER, "args"), "--leader-elect=true"),
    "leaderElection.leaseDuration": (ELECT, "30s", (*CONTAINER, "args"),
                                     "--leader-elect-lease-duration=30s"),
    "leaderElection.renewDeadline": (ELECT, "12s", (*CONTAINER, "args"),
                                     "--leader-elect-renew-deadline=12s"),
    "leaderElection.retryPeriod": (ELECT, "1s500ms", (*CONTAINER, "args"),
                                   "--leader-elect-retry-period=1s500ms"),
    "logLevel": ({}, "debug", (*CONTAINER, "args"), "--log-level=debug"),
    "accountVars": ({}, {"PASS": "a=b \"c\" {{x}} '%s': 1e3"}, (*CONTAINER, "args"),
                    "--account-var=PASS=a=b \"c\" {{x}} '%s': 1e3"),
    "extraArgs": ({}, ["--installation=one: two"], (*CONTAINER, "args"), "--installation=one: two"),
    "extraEnv": ({}, [{"name": "TZ", "value": "UTC"}], (*CONTAINER, "env"),
                 {"name": "TZ", "value": "UTC"}),
    "metrics.enabled": ({"metrics.enabled": False}, True, (*CONTAINER, "args"), "--metrics-bind-address=0.0.0.0:8080"),
    "metrics.port": (METRICS, 9090, (*SERVICE, "spec", "ports", 0, "port"), 9090),
    "metrics.secure": (METRICS, True, (*CONTAINER, "args"), "--metrics-secure=true"),
    "metrics.certSecret": (SECURE, "tls", (*POD, "spec", "volumes"), [
        {"name": "metrics-cert", "secret": {"secretName": "tls"}}]),
    "metrics.service.annotations": (METRICS, {"prometheus.io/scrape": "true"}, (
        *SERVICE, "metadata", "annotations"), {"prometheus.io/scrape": "true"}),
    "serviceAccount.create": ({}, False, ("ServiceAccount", RELEASE), GONE),
    "serviceAccount.name": ({}, "ops", ("ClusterRoleBinding", RELEASE, "subjects", 0, "name"),
                            "ops"),
    "serviceAccount.annotations": ({}, {"a": "b"}, (
        "ServiceAccount", RELEASE, "metadata", "annotations"), {"a": "b"}),
    "rbac.create": ({}, False, ("ClusterRole", RELEASE), GONE),
    "podDisruptionBudget.enabled": ({}, True, (
        "PodDisruptionBudget", RELEASE, "spec", "maxUnavailable"), 1),
    "podDisruptionBudget.maxUnavailable": (BUDGET, "50%", (
        "PodDisruptionBudget", RELEASE, "spec", "maxUnavailable"), "50%"),
    "podAnnotations": ({}, {"a": "b"}, (*POD, "metadata", "annotations"), {"a": "b"}),
    "podLabels": ({}, {"team": "ops"}, (*POD, "metadata", "labels", "team"), "ops"),
    "nodeSelector": ({}, {"disk": "ssd"}, (*POD, "spec", "nodeSelector"), {"disk": "ssd"}),
    "tolerations": ({}, [{"key": "k", "operator": "Exists"}], (*POD, "spec", "tolerations"),
                    [{"key": "k", "operator": "Exists"}]),
    "affinity": ({}, {"podAffinity": {}}, (*POD, "spec", "affinity"), {"podAffinity": {}}),
    "topologySpreadConstraints": ({}, [{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}], (
            *POD, "spec", "topologySpreadConstraints", 0, "maxSkew"), 1),
    "priorityClassName": ({}, "high", (*POD, "spec", "priorityClassName"), "high"),
    "resources": ({}, {"limits": {"cpu": "1"}}, (*CONTAINER, "resources", "limits"),
                  {"cpu": "1", "memory": "256Mi"}),
    "podSecurityContext": ({}, {"runAsUser": None}, (
        *POD, "spec", "securityContext", "runAsUser"), GONE),
    "securityContext": ({}, {"privileged": False}, (
        *CONTAINER, "securityContext", "privileged"), False),
}


def at(objects, path):
    """What stands at a path of the objects, or GONE."""
    found = objects.get(path[:2], GONE)
    for step in path[2:]:
        try:
            found = found[step] if found is not GONE else GONE
        except (KeyError, IndexError, TypeError):
            return GONE
    return found


def arrived(objects, path, expected):
    found = at(objects, path)
    if isinstance(found, list) and not isinstance(expected, list):
        return expected in found
    return found == expected


def leaves(schema, path=""):
    """The values that the schema knows; maps whose keys are free are one value."""
    for name, part in schema.get("properties", {}).items():
        if "properties" in part:
            yield from leaves(part, path + name + ".")
        else:
            yield path + name


def test_every_value_is_known_and_tested():
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(leaves(schema)) - {"global"}
    assert known == set(EFFECTS)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in known:
        found = defaults
        for name in path.split("."):
            assert name in found, "values.yaml has no %s" % path
            found = found[name]


@pytest.mark.parametrize("path", sorted(EFFECTS))
def test_a_value_has_its_effect(helm, path):
    needs, value, where, expected = EFFECTS[path]
    assert not arrived(helm.template(needs), where, expected)
    changed = helm.template({**needs, path: value})
    assert arrived(changed, where, expected), at(changed, where)


REFUSED = [
    ({"replica": 1}, ["replica"]),
    ({"image.repo": "x"}, ["image", "repo"]),
    ({"replicas": "two"}, ["replicas", "integer"]),
    ({"replicas": 2, **ALONE}, ["replicas is 2", "leaderElection.enabled"]),
    ({"logLevel": "loud"}, ["logLevel", "debug"]),
    ({"image.digest": "sha256:12"}, ["image/digest"]),
    ({"image.pullPolicy": "Sometimes"}, ["image/pullPolicy", "IfNotPresent"]),
    ({"leaderElection.leaseDuration": "15"}, ["leaderElection/leaseDuration"]),
    ({"accountVars": {"A=B": "c"}}, ["/accountVars", "A=B"]),
    ({"accountVars": {"A": 5}}, ["accountVars/A", "string"]),
    ({"extraArgs": ["debug"]}, ["extraArgs/0"]),
    ({"metrics.port": 80}, ["metrics/port", "1,024"]),
    ({"metrics.port": 8081, **METRICS}, ["metrics.port is 8081", "/healthz"]),
    ({"metrics.certSecret": "tls"}, ["metrics.certSecret", "metrics.secure"]),
    ({"metrics.certSecret": "T"}, ["metrics/certSecret"]),
    ({"podLabels": {"app.kubernetes.io/name": "x"}}, [
        "podLabels has app.kubernetes.io/name", "remove it"]),
    ({"podDisruptionBudget.maxUnavailable": "half"}, ["podDisruptionBudget/maxUnavailable"]),
    ({"imagePullSecrets": ["pull"]}, ["imagePullSecrets/0", "object"]),
    ({"crds.keep": "yes"}, ["crds/keep", "boolean"]),
]


@pytest.mark.parametrize("values, words", REFUSED, ids=lambda v: next(iter(v)))
def test_bad_values_are_refused_with_words(helm, values, words):
    done = helm.run("template", RELEASE, CHART, *sets(values))
    assert done.returncode != 0 and not done.stdout
    assert all(word in done.stderr for word in words), done.stderr


def test_secure_metrics_grant_two_reviews_and_a_role_for_readers(helm):
    """(test_metrics.py has the same rules.)"""
    objects = helm.template({**SECURE, "metrics.certSecret": "tls"})
    added = {k: o for k, o in objects.items() if k not in helm.template(METRICS)}
    assert {k for k, _ in added} == {"ClusterRole", "ClusterRoleBinding"}
    assert [(r["resources"], r["verbs"]) for r in
            objects["ClusterRole", "penstock-metrics-auth"]["rules"]] == [
                (["tokenreviews"], ["create"]), (["subjectaccessreviews"], ["create"])]
    assert objects["ClusterRoleBinding", "penstock-metrics-auth"]["subjects"] == [
        {"kind": "ServiceAccount", "name": RELEASE, "namespace": SPACE}]
    assert objects["ClusterRole", "penstock-metrics-reader"]["rules"] == [
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    container = at(objects, CONTAINER)
    mount, = container["volumeMounts"]
    assert "--metrics-cert-path=" + mount["mountPath"] in container["args"]


def rules(objects):
    return [o["rules"] for o in objects if o["kind"] in ("ClusterRole", "Role")]


def test_permissions_are_those_of_the_plain_manifests(helm):
    plain = list(yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()))
    assert rules(plain) and rules(helm.template().values()) == rules(plain)


def role(objects):
    """(verbs, group, resources, names) of the rules for the operator's own namespace."""
    return [(r["verbs"], r["apiGroups"], r["resources"], r.get("resourceNames"))
            for r in objects["Role", RELEASE]["rules"]]


SECRETS = (["list", "watch"], [""], ["secrets"], None)


def test_leader_election_grants_one_lease(helm):
    objects = helm.template(ELECT)
    group, leases = ["coordination.k8s.io"], ["leases"]
    assert role(objects) == [SECRETS, (["create"], group, leases, None),
                             (["get", "update"], group, leases, ["penstock"])]
    assert objects["RoleBinding", RELEASE]["subjects"] == [
        {"kind": "ServiceAccount", "name": RELEASE, "namespace": SPACE}]


def test_secrets_are_read_in_its_own_namespace_only(helm):
    objects = helm.template(ALONE)
    assert role(objects) == [SECRETS]
    assert not any("secrets" in r["resources"] or "*" in r["resources"]
                   for r in objects["ClusterRole", RELEASE]["rules"])


def test_crds_are_those_of_the_tree(helm):
    ours = [yaml.safe_load(f.read_text()) for f in sorted((ROOT / "crds").glob("*.yaml"))]
    assert {c["metadata"]["name"] for c in ours} == OUR_KINDS
    plain, kept = helm.template({"crds.keep": False}), helm.template()
    for crd in ours:
        key = crd["kind"], crd["metadata"]["name"]
        assert plain[key] == crd
        crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
        assert kept[key] == crd


def test_a_package_is_whole(helm, tmp_path):
    helm("package", CHART, "-d", tmp_path)
    packed, = tmp_path.glob("*.tgz")
    assert helm.template(chart=packed) == helm.template()


# --- on a cluster of its own -----------------------------------------------------------------


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A control plane that knows nothing of us."""
    plane = controlplane.ControlPlane(tmp_path_factory.mktemp("empty"))
    plane.start()
    yield plane
    plane.stop()


class ChartOperator(Operator):
    """The operator as a Deployment of the chart runs it."""

    namespace = SPACE

    def start_as(self, deployment):
        """Starts it with what the Deployment and a pod of it say; only the ports and the
        place of the token, which a container has for itself, are others."""
        template = deployment["spec"]["template"]
        container = template["spec"]["containers"][0]
        labels = deployment["spec"]["selector"]["matchLabels"]
        pods = self.kubectl.list("pods", SPACE, ",".join("%s=%s" % p for p in labels.items()))
        self.service_account = template["spec"]["serviceAccountName"]
        self.token = None
        ports = {"--health-probe-bind-address=0.0.0.0:8081", "--metrics-bind-address=0.0.0.0:8080"}
        assert ports < set(container["args"])
        self.arguments = [a for a in container["args"] if a not in ports]
        self.arguments.append("--metrics-bind-address=127.0.0.1:%d" % self.free_port())
        self.start({e["name"]: self.value(e, pods[0]) for e in container["env"]})

    def flags(self):
        return super().flags() + self.arguments

    @staticmethod
    def value(variable, pod):
        if "value" in variable:
            return variable["value"]
        where, field = variable["valueFrom"]["fieldRef"]["fieldPath"].split(".")
        return pod[where][field]


class Site:
    """The empty cluster with the tools to use it."""

    def __init__(self, plane, directory):
        self.kubectl = Kubectl(plane.kubectl_program, plane.kubeconfig, directory / "cache")
        self.helm = Helm(directory, plane.kubeconfig)
        binary = Path(os.environ.get("PENSTOCK_BIN") or ROOT / "build" / "asan" / "penstock")
        self.operator = ChartOperator(binary.resolve(), plane, self.kubectl, directory)

    def crds(self):
        return {c["metadata"]["name"] for c in self.kubectl.list("crds")}

    def deployment(self):
        return self.kubectl.get("deployments.apps", RELEASE, SPACE)

    def restart_operator(self):
        """What the Deployment would do when it has changed."""
        self.stop_operator()
        self.operator.start_as(self.deployment())

    def stop_operator(self):
        if self.operator.running:
            self.operator.stop()
            self.operator.check()

    def wait_stream(self, name):
        def ready():
            obj = self.kubectl.get(STREAM, name, "cars")
            holds(obj, "Ready")
            return obj
        return wait_for(ready, "the stream %s to be ready" % name)

    def apps(self):
        """(generation, first container) of the Deployments of streams."""
        return {d["metadata"]["name"]: (d["metadata"]["generation"],
                                        d["spec"]["template"]["spec"]["containers"][0])
                for d in self.kubectl.list("deployments.apps", "cars")}


@pytest.fixture
def site(plane, tmp_path):
    one = Site(plane, tmp_path)
    watchdogs.append(one.operator.alive)
    yield one
    watchdogs.remove(one.operator.alive)
    one.operator.kill()


def test_every_value_is_taken_by_the_api_server(site):
    """What the chart makes of all values at once are objects that the server takes as they are."""
    site.kubectl.apply(namespace(SPACE))
    together = {path: value for path, (_, value, _, _) in EFFECTS.items()
                if path not in ("crds.install", "serviceAccount.create", "rbac.create")}
    objects = site.helm.template({**together, "priorityClassName": "system-cluster-critical"})
    assert len(objects) == 3 + 11
    site.kubectl.apply(*objects.values(),
                       extra=("--dry-run=server", "--server-side", "--validate=strict"))
    site.kubectl.delete("namespace", SPACE)


def with_a_column(tmp_path):
    """The chart of a later version: a CRD has one more column."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    crd = chart / "files" / "crds" / "penstock.dev_platformaccounts.yaml"
    text, column = crd.read_text(), "    additionalPrinterColumns:\n"
    assert text.count(column) == 1
    more = "    - {name: Uid, type: string, jsonPath: .metadata.uid}\n"
    crd.write_text(text.replace(column, column + more))
    return chart


def install(site):
    notes = site.helm("install", RELEASE, CHART, "-n", SPACE, "--create-namespace", "--wait",
                      "--timeout", "60s")
    assert "kubectl rollout status -n %s deployment/%s" % (SPACE, RELEASE) in notes
    assert "no registry serves" in notes and "crds.keep" in notes
    assert site.crds() == OUR_KINDS
    site.restart_operator()


def deploy_a_stream(site):
    site.kubectl.apply(namespace("cars"))
    site.kubectl.apply(registry("cars"), account("default", properties={
        "environmentVariables": "ZONE=${ZONE:nowhere}"}), stream("foo", "cars", "time | log"))
    site.wait_stream("foo")
    apps = site.apps()
    assert len(apps) == 2
    for _, container in apps.values():
        assert {"name": "ZONE", "value": "nowhere"} in container["env"]


def upgrade(site, tmp_path):
    """Other values, a CRD that has grown: what runs is not restarted, what is new knows them."""
    before = site.apps()
    site.helm("upgrade", RELEASE, with_a_column(tmp_path), "-n", SPACE, "--wait", "--timeout",
              "60s", *sets({"logLevel": "debug", "accountVars": {"ZONE": "north east"},
                     "resources": {"limits": {"memory": "64Mi"}}}))
    crd = site.kubectl.get("crds", ACCOUNT)
    assert crd["spec"]["versions"][0]["additionalPrinterColumns"][0]["name"] == "Uid"
    container = site.deployment()["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "64Mi"}
    site.restart_operator()
    site.kubectl.apply(stream("bar", "cars", "time | log"))
    site.wait_stream("bar")
    after = site.apps()
    assert {n: after[n] for n in before} == before
    for name in set(after) - set(before):
        assert {"name": "ZONE", "value": "north east"} in after[name][1]["env"]
    assert '"level":"debug"' in site.operator.log_text().replace(" ", "")


def uninstall_and_come_back(site):
    """With crds.keep all that users made stays; installed again, it is served again."""
    site.stop_operator()
    said = site.helm.run("uninstall", RELEASE, "-n", SPACE, "--wait", "--timeout", "60s")
    assert said.returncode == 0, said.stderr
    assert site.crds() == OUR_KINDS
    assert site.deployment() is None
    for kind in ("clusterrole", "clusterrolebinding"):
        assert site.kubectl.get(kind, RELEASE) is None
    assert site.kubectl.get("serviceaccount", RELEASE, SPACE) is None
    assert {s["metadata"]["name"] for s in site.kubectl.list(STREAM)} == {"foo", "bar"}
    assert condition(site.kubectl.get(ACCOUNT, "default"), "Ready")
    left = site.apps()
    site.helm("install", RELEASE, CHART, "-n", SPACE, "--wait", "--timeout", "60s")
    site.restart_operator()
    site.kubectl.patch(STREAM, "foo", {"spec": {"properties": {"app.time.period": "2"}}}, "cars")
    wait_for(lambda: site.kubectl.get(STREAM, "foo", "cars")["status"].get("revision") == 2,
             "the second revision of foo")
    assert {n: a for n, a in site.apps().items() if n.startswith("bar")} == {
        n: a for n, a in left.items() if n.startswith("bar")}


def uninstall_all(site):
    """As docs/user/operator.md says, with crds.keep off."""
    site.helm("upgrade", RELEASE, CHART, "-n", SPACE, *sets({"crds.keep": False}))
    site.kubectl("delete", "streamdeployments,tasklaunches", "--all", "-A", "--timeout=60s")
    site.stop_operator()
    site.helm("uninstall", RELEASE, "-n", SPACE, "--wait", "--timeout", "60s")
    wait_for(lambda: not site.crds(), "the CRDs to be gone")
    assert site.deployment() is None


def test_from_install_to_uninstall(site, tmp_path):
    install(site)
    deploy_a_stream(site)
    upgrade(site, tmp_path)
    uninstall_and_come_back(site)
    uninstall_all(site)


def test_an_installation_by_kubectl_is_taken_over(site):
    """As docs/user/operator.md says: what `kubectl apply -k deploy` made becomes the release's."""
    site.kubectl("apply", "-k", str(ROOT / "deploy"))
    values = sets({"image.repository": "registry.example/penstock"})
    command = ("install", RELEASE, CHART, "-n", "penstock-system", *values)
    done = site.helm.run(*command)
    assert done.returncode != 0 and "cannot be imported" in done.stderr, done.stderr
    before = site.kubectl.get("deployments.apps", RELEASE, "penstock-system")
    site.helm(*command, "--take-ownership", "--force-conflicts")
    after = site.kubectl.get("deployments.apps", RELEASE, "penstock-system")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    image = after["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.example/penstock:0.1.0-dev"
    site.helm("uninstall", RELEASE, "-n", "penstock-system")
    assert site.crds() == OUR_KINDS
    site.kubectl("delete", "-k", str(ROOT / "crds"))
