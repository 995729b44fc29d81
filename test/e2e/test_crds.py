# SPDX-License-Identifier: Apache-2.0
"""The schemas and rules of the CRDs: for each one, an object that breaks it and what the user is
told. No operator is needed; the API server decides."""

import copy
import json

import pytest
import yaml
from support import ACCOUNT, ROOT, STREAM, account, stream, wait_for

DRY = ("--dry-run=server",)
DEFINITION = "time | log"


def changed(obj, **spec):
    """The object with members of its spec replaced; None removes one."""
    obj = copy.deepcopy(obj)
    for key, value in spec.items():
        obj["spec"][key] = value
        if value is None:
            del obj["spec"][key]
    return obj


def a_stream(**spec):
    return changed(stream("s", "default", DEFINITION), **spec)


def an_account(**spec):
    return changed(account("a", "somewhere"), **spec)


def an_app(**members):
    return a_stream(apps=[{"name": "log", **members}])


def many(count):
    return {"app.log.p%d" % i: "x" for i in range(count)}


# --- PlatformAccount -------------------------------------------------------------------------

QUANTITIES = "expected quantities, such as 500m, 2 or 2Gi, not below zero"
NAMESPACE_RULE = "expected the name of a namespace: lower-case letters, digits and \"-\""
INTEGER_OR_STRING = "must be of type integer,string"
BAD_ACCOUNTS = [
    ("no spec", {**account("a"), "spec": None}, "spec: Required value"),
    ("no type", an_account(type=None), "spec.type: Required value"),
    ("unknown type", an_account(type="Nomad"),
     'spec.type: Unsupported value: "Nomad": supported values: "Kubernetes"'),
    ("no block for the type", an_account(kubernetes=None),
     "spec: Required value: an account of type Kubernetes needs the block spec.kubernetes; write"),
    ("capital letters", an_account(kubernetes={"namespace": "Kafka"}),
     "spec.kubernetes.namespace: Invalid value: … " + NAMESPACE_RULE),
    ("empty namespace", an_account(kubernetes={"namespace": ""}), NAMESPACE_RULE),
    ("dash at the end", an_account(kubernetes={"namespace": "kafka-"}), NAMESPACE_RULE),
    ("dots", an_account(kubernetes={"namespace": "a.b"}), NAMESPACE_RULE),
    ("long namespace", an_account(kubernetes={"namespace": "n" * 64}),
     "spec.kubernetes.namespace: Too long: may not be more than 63"),
    ("unknown member", an_account(kubernetes={"namespaces": "x"}),
     'unknown field "spec.kubernetes.namespaces"'),
    ("member of a later release", an_account(usage=["Task"]), 'unknown field "spec.usage"'),
    ("properties are no object", an_account(properties=["x"]),
     'spec.properties in body must be of type object: "array"'),
    ("streamProperties are no object", an_account(streamProperties="x"),
     'spec.streamProperties in body must be of type object: "string"'),
    ("too many properties", an_account(properties=many(501)),
     "spec.properties: Too many: 501: must have at most 500 items"),
    ("too many streamProperties", an_account(streamProperties=many(501)),
     "spec.streamProperties: Too many: 501: must have at most 500 items"),
    ("application property true", an_account(applicationProperties={"stream": {"x": True}}),
     "spec.applicationProperties.stream.x in body %s: \"boolean\"" % INTEGER_OR_STRING),
    ("application property 1.10", an_account(applicationProperties={"stream": {"x": 1.10}}),
     "spec.applicationProperties.stream.x in body %s: \"number\"" % INTEGER_OR_STRING),
    ("too many application properties", an_account(applicationProperties={"stream": many(501)}),
     "spec.applicationProperties.stream: Too many: 501: must have at most 500 items"),
    ("long key", an_account(applicationProperties={"stream": {"k" * 513: "x"}}),
     "the name of a property has 1 to 512 characters; shorten it"),
    ("long value", an_account(applicationProperties={"stream": {"x": "v" * 32769}}),
     "spec.applicationProperties.stream.x: Too long: may not be more than 32768"),
]

GOOD_ACCOUNTS = [
    ("the namespace of the stream", account("a")),
    ("a namespace", account("a", "kafka-namespace")),
    ("nested and flat properties", an_account(properties={
        "limits": {"memory": "2Gi"}, "requests.cpu": "100m", "readinessProbeDelay": 180,
        "list": ["a", {"b": True}]}, streamProperties={"limits.memory": "3Gi"})),
    ("application properties", an_account(applicationProperties={"stream": {
        "spring.a": "b", "n": 7, "": "x"} | {"k" * 512: "v" * 32768}})),
    ("500 properties", an_account(properties=many(500))),
]
del GOOD_ACCOUNTS[3][1]["spec"]["applicationProperties"]["stream"][""]

# --- StreamDeployment ------------------------------------------------------------------------

PLATFORM_RULE = 'spec.platform: Invalid value: … expected the name of a PlatformAccount'
STREAM_NAME_RULE = 'spec.streamName: Invalid value: … expected the name of a stream: letters, digits'
META_NAME_RULE = "metadata.name is no name for a stream, which has at most 63 letters, digits"
BAD_STREAMS = [
    ("no definition", a_stream(definition=None), "spec.definition: Required value"),
    ("empty definition", a_stream(definition=""),
     "spec.definition in body should be at least 1 chars long"),
    ("long definition", a_stream(definition="x" * 65537),
     "spec.definition: Too long: may not be more than 65536"),
    ("definition is no text", a_stream(definition=["time"]),
     'spec.definition in body must be of type string: "array"'),
    ("stream name with a dot", a_stream(streamName="a.b"), STREAM_NAME_RULE),
    ("stream name beginning with a digit", a_stream(streamName="1a"), STREAM_NAME_RULE),
    ("stream name ending with a dash", a_stream(streamName="a-"), STREAM_NAME_RULE),
    ("stream name with an underscore", a_stream(streamName="a_b"), STREAM_NAME_RULE),
    ("empty stream name", a_stream(streamName=""), STREAM_NAME_RULE),
    ("long stream name", a_stream(streamName="s" * 64),
     "spec.streamName: Too long: may not be more than 63"),
    ("metadata.name with a dot", stream("a.b", "default", DEFINITION), META_NAME_RULE),
    ("metadata.name beginning with a digit", stream("1a", "default", DEFINITION), META_NAME_RULE),
    ("long metadata.name", stream("n" * 64, "default", DEFINITION), META_NAME_RULE),
    ("platform in capital letters", a_stream(platform="KafkaZone"), PLATFORM_RULE),
    ("empty platform", a_stream(platform=""), PLATFORM_RULE),
    ("platform with two dots", a_stream(platform="a..b"), PLATFORM_RULE),
    ("long platform", a_stream(platform="p" * 254),
     "spec.platform: Too long: may not be more than 253"),
    ("property 1.10", a_stream(properties={"version.log": 1.10}),
     'spec.properties.version.log in body %s: "number"' % INTEGER_OR_STRING),
    ("property true", a_stream(properties={"app.log.x": True}),
     'spec.properties.app.log.x in body %s: "boolean"' % INTEGER_OR_STRING),
    ("nested property", a_stream(properties={"app": {"log.x": "y"}}),
     'strict decoding error: unknown field "spec.properties.app.log.x"'),
    ("too many properties", a_stream(properties=many(501)),
     "spec.properties: Too many: 501: must have at most 500 items"),
    ("long key", a_stream(properties={"k" * 513: "x"}),
     "spec.properties: Invalid value: the name of a property has 1 to 512 characters; shorten it"),
    ("empty key", a_stream(properties={"": "x"}),
     "spec.properties: Invalid value: the name of a property has 1 to 512 characters; shorten it"),
    ("long value", a_stream(properties={"app.log.x": "v" * 32769}),
     "spec.properties.app.log.x: Too long: may not be more than 32768"),
    ("app without a name", a_stream(apps=[{"image": "x"}]), "spec.apps[0].name: Required value"),
    ("app with an empty name", a_stream(apps=[{"name": ""}]),
     "spec.apps[0].name in body should be at least 1 chars long"),
    ("app with a long name", a_stream(apps=[{"name": "n" * 64}]),
     "spec.apps[0].name: Too long: may not be more than 63"),
    ("one app twice", a_stream(apps=[{"name": "log"}, {"name": "log"}]),
     'spec.apps[1]: Duplicate value: {"name":"log"}'),
    ("too many apps", a_stream(apps=[{"name": "a%d" % i} for i in range(101)]),
     "spec.apps: Too many: 101: must have at most 100 items"),
    ("empty image", an_app(image=""), "spec.apps[0].image in body should be at least 1 chars long"),
    ("long image", an_app(image="i" * 1025),
     "spec.apps[0].image: Too long: may not be more than 1024"),
    ("negative replicas", an_app(replicas=-1),
     "spec.apps[0].replicas in body should be greater than or equal to 0"),
    ("too many replicas", an_app(replicas=10001),
     "spec.apps[0].replicas in body should be less than or equal to 10000"),
    ("half a replica", an_app(replicas=1.5), 'spec.apps[0].replicas in body must be of type int'),
    ("replicas in words", an_app(replicas="three"),
     'spec.apps[0].replicas in body must be of type integer: "string"'),
    ("limit in words", an_app(resources={"limits": {"memory": "lots"}}),
     "spec.apps[0].resources.limits: Invalid value: " + QUANTITIES),
    ("limit with another unit", an_app(resources={"limits": {"memory": "2g"}}), QUANTITIES),
    ("limit below zero", an_app(resources={"limits": {"cpu": "-1"}}), QUANTITIES),
    ("limit below zero, unquoted", an_app(resources={"limits": {"cpu": -1}}), QUANTITIES),
    ("empty request", an_app(resources={"requests": {"cpu": ""}}),
     "spec.apps[0].resources.requests: Invalid value: " + QUANTITIES),
    ("limit 0.5 unquoted", an_app(resources={"limits": {"cpu": 0.5}}),
     'spec.apps[0].resources.limits.cpu in body %s: "number"' % INTEGER_OR_STRING),
    ("long quantity", an_app(resources={"limits": {"cpu": "1" * 65}}),
     "spec.apps[0].resources.limits.cpu: Too long: may not be more than 64"),
    ("too many limits", an_app(resources={"limits": {"r%d" % i: 1 for i in range(33)}}),
     "spec.apps[0].resources.limits: Too many: 33: must have at most 32 items"),
    ("too many requests", an_app(resources={"requests": {"r%d" % i: 1 for i in range(33)}}),
     "spec.apps[0].resources.requests: Too many: 33: must have at most 32 items"),
    ("variable without a name", an_app(env=[{"value": "x"}]),
     "spec.apps[0].env[0].name: Required value"),
    ("variable with an empty name", an_app(env=[{"name": ""}]),
     "spec.apps[0].env[0].name in body should be at least 1 chars long"),
    ("variable with =", an_app(env=[{"name": "A=B"}]),
     "spec.apps[0].env[0].name: Invalid value: … expected the name of an environment variable"),
    ("variable with an umlaut", an_app(env=[{"name": "Ä"}]), "printable ASCII characters"),
    ("variable with a long name", an_app(env=[{"name": "N" * 254}]),
     "spec.apps[0].env[0].name: Too long: may not be more than 253"),
    ("variable with a long value", an_app(env=[{"name": "A", "value": "v" * 32769}]),
     "spec.apps[0].env[0].value: Too long: may not be more than 32768"),
    ("variable with a number", an_app(env=[{"name": "A", "value": 1}]),
     'spec.apps[0].env[0].value in body must be of type string: "integer"'),
    ("one variable twice", an_app(env=[{"name": "A"}, {"name": "A"}]),
     'spec.apps[0].env[1]: Duplicate value: {"name":"A"}'),
    ("too many variables", an_app(env=[{"name": "V%d" % i} for i in range(201)]),
     "spec.apps[0].env: Too many: 201: must have at most 200 items"),
    ("suspend in words", a_stream(suspend="yes"),
     'spec.suspend in body must be of type boolean: "string"'),
    ("negative history", a_stream(revisionHistoryLimit=-1),
     "spec.revisionHistoryLimit in body should be greater than or equal to 0"),
    ("long history", a_stream(revisionHistoryLimit=101),
     "spec.revisionHistoryLimit in body should be less than or equal to 100"),
    ("member of a later release", a_stream(deletionPolicy="Orphan"),
     'unknown field "spec.deletionPolicy"'),
    ("misspelt member", an_app(replica=1), 'unknown field "spec.apps[0].replica"'),
]

GOOD_STREAMS = [
    ("the least", a_stream()),
    ("SCDF's name", a_stream(streamName="My-Stream1")),
    ("another name makes up for metadata.name", {
        **a_stream(streamName="ab"), "metadata": {"name": "1.a", "namespace": "default"}}),
    ("the longest names", {**a_stream(streamName="S" * 63, platform="p" * 253),
                           "metadata": {"name": "n" * 100, "namespace": "default"}}),
    ("a long definition", a_stream(definition="ü" * 65536)),
    ("500 properties", a_stream(properties=many(500))),
    ("text and integers", a_stream(properties={
        "deployer.log.count": 3, "version.log": "1.10", "app.*.x": "true", "k" * 512: "v" * 32768})),
    ("typed apps", an_app(image="r.example/log@sha256:" + "0" * 64, replicas=0, resources={
        "limits": {"cpu": 2, "memory": "2Gi", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "500m", "memory": "1e9"}},
        env=[{"name": "A", "value": "1"}, {"name": "a.b-c d"}])),
    ("100 apps", a_stream(apps=[{"name": "a%d" % i, "replicas": 10000} for i in range(100)])),
    ("suspended", a_stream(suspend=True, revisionHistoryLimit=0)),
]

# --- changes ---------------------------------------------------------------------------------

NAMESPACE_FIXED = ("spec.kubernetes.namespace: Invalid value: the namespace of an account can't be "
                   "set, changed or removed later, since apps may run there; create another account")
NAME_FIXED = ("spec.streamName: Invalid value: the name of a stream can't be set, changed or "
              "removed later, since destinations and consumer groups are named by it; create "
              "another StreamDeployment")
NO_CHANGES = [
    ("another namespace", an_account(), {"kubernetes": {"namespace": "elsewhere"}},
     NAMESPACE_FIXED),
    ("no namespace any more", an_account(), {"kubernetes": {"namespace": None}}, NAMESPACE_FIXED),
    ("a namespace at last", account("a"), {"kubernetes": {"namespace": "x"}}, NAMESPACE_FIXED),
    ("no block any more", an_account(), {"kubernetes": None}, "needs the block spec.kubernetes"),
    ("another stream name", a_stream(streamName="a"), {"streamName": "b"}, NAME_FIXED),
    ("no stream name any more", a_stream(streamName="a"), {"streamName": None}, NAME_FIXED),
    ("a stream name at last", a_stream(), {"streamName": "s"}, NAME_FIXED),
]


def rows(table):
    return [pytest.param(*row[1:], id=row[0]) for row in table]


@pytest.mark.parametrize("obj, message", rows(BAD_ACCOUNTS) + rows(BAD_STREAMS))
def test_refused(kubectl, obj, message):
    said = kubectl.refused(obj, *DRY)
    assert all(part in said for part in message.split(" … ")), said


@pytest.mark.parametrize("obj", rows(GOOD_ACCOUNTS) + rows(GOOD_STREAMS))
def test_accepted(kubectl, obj):
    kubectl("create", *DRY, "-f", "-", stdin=json.dumps(obj))


@pytest.mark.parametrize("obj, patch, message", rows(NO_CHANGES))
def test_change_refused(kubectl, bare_space, obj, patch, message):
    kind, where = (ACCOUNT, ()) if obj["kind"] == "PlatformAccount" else (STREAM, bare_space.ns)
    obj = copy.deepcopy(obj)
    obj["metadata"]["name"] = bare_space.ns + "-x"
    if where:
        obj["metadata"]["namespace"] = where
    else:
        bare_space.extra.append((ACCOUNT, obj["metadata"]["name"]))
    kubectl.apply(obj)
    with pytest.raises(AssertionError) as refusal:
        kubectl.patch(kind, obj["metadata"]["name"], {"spec": patch}, where or None)
    assert message in str(refusal.value)


def test_type_of_an_account_is_fixed(kubectl):
    """There is one type so far, so the rule is tried in a copy of the CRD that has two."""
    crd = yaml.safe_load((ROOT / "crds" / "penstock.dev_platformaccounts.yaml").read_text())
    crd["spec"]["group"] = "copy.penstock.dev"
    crd["metadata"]["name"] = "platformaccounts.copy.penstock.dev"
    crd["spec"]["names"].update(shortNames=[], categories=[])
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["type"]["enum"].append("Other")
    kubectl.apply(crd)
    try:
        kubectl("wait", "--for=condition=Established", "crd", crd["metadata"]["name"])
        obj = {**account("a", "x"), "apiVersion": "copy.penstock.dev/v1alpha1"}
        kind = crd["metadata"]["name"]
        wait_for(lambda: kubectl.apply(obj), "the copy of the CRD to be served")
        with pytest.raises(AssertionError) as refusal:
            kubectl.patch(kind, "a", {"spec": {"type": "Other"}})
        assert ('spec.type: Invalid value: "Other": the type of an account can\'t be changed; create '
                "another account") in str(refusal.value)
    finally:
        kubectl.delete("crd", crd["metadata"]["name"])


def test_examples_are_accepted(kubectl):
    examples = sorted((ROOT / "crds" / "examples").glob("*.yaml"))
    assert examples
    kubectl("apply", "-f", str(examples[0]))      # the namespaces that the others are in
    for example in examples[1:]:
        kubectl("apply", *DRY, "-f", str(example))


def test_deploy_is_accepted_with_the_crds(kubectl):
    out = kubectl("apply", *DRY, "-k", str(ROOT / "deploy"))
    for name in (ACCOUNT, STREAM, "clusterrole.rbac.authorization.k8s.io/penstock",
                 "deployment.apps/penstock"):
        assert name in out, out


def test_names_columns_and_category(kubectl, bare_space):
    bare_space.apply("foo", DEFINITION)
    header, row = kubectl("get", "stream", "-n", bare_space.ns).splitlines()
    assert header.split() == ["NAME", "READY", "PHASE", "PLATFORM", "REVISION", "REASON", "AGE"]
    assert row.split()[0] == "foo"
    assert kubectl("get", "sd", "foo", "-n", bare_space.ns, "-o", "name").strip() == STREAM.replace(
        "streamdeployments", "streamdeployment") + "/foo"
    wide = kubectl("get", "stream", "foo", "-n", bare_space.ns, "-o", "wide").splitlines()[0]
    assert "DEFINITION" in wide
    header = kubectl("get", "pacct", bare_space.account, "-o", "wide").splitlines()[0].split()
    assert header == ["NAME", "TYPE", "NAMESPACE", "READY", "REASON", "STREAMS", "DESCRIPTION",
                      "AGE"]
    both = kubectl("get", "penstock", "-n", bare_space.ns)
    assert "streamdeployment" in both and "platformaccount" in both
