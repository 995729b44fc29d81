# SPDX-License-Identifier: Apache-2.0
"""The schemas and rules of the CRDs: for each one, an object that breaks it and what the user is
told. No operator is needed; the API server decides."""

import copy
import json

import pytest
import yaml
from support import ACCOUNT, ROOT, STREAM, TASK, account, stream, task, wait_for

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


def a_remote_account(cluster):
    return an_account(kubernetes={"namespace": "somewhere", "cluster": cluster})


def a_launch(**spec):
    return changed(task("t", "default"), **spec)


def a_retry(**members):
    return a_launch(retry=members)


def a_backoff(**members):
    return a_retry(backoff=members)


def an_app(**members):
    return a_stream(apps=[{"name": "log", **members}])


def an_expression(**members):
    return {"selector": {"matchExpressions": [members]}}


def many(count):
    return {"app.log.p%d" % i: "x" for i in range(count)}


# --- PlatformAccount -------------------------------------------------------------------------

SECRET_RULE = "expected the name of a Secret: lower-case letters, digits, \"-\" and \".\""
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
    ("cluster without a Secret", a_remote_account({}),
     "spec.kubernetes.cluster.secretRef: Required value"),
    ("Secret without a name", a_remote_account({"secretRef": {}}),
     "spec.kubernetes.cluster.secretRef.name: Required value"),
    ("Secret of another namespace", a_remote_account({"secretRef": {"name": "a/b"}}),
     "spec.kubernetes.cluster.secretRef.name: Invalid value: … " + SECRET_RULE),
    ("empty Secret", a_remote_account({"secretRef": {"name": ""}}), SECRET_RULE),
    ("address beside the Secret",
     a_remote_account({"secretRef": {"name": "a"}, "server": "https://x"}),
     'unknown field "spec.kubernetes.cluster.server"'),
    ("member of a later release", an_account(cloudFoundry={}), 'unknown field "spec.cloudFoundry"'),
    ("allowed names are no list", an_account(allowedNamespaces={"names": "cars"}),
     'spec.allowedNamespaces.names in body must be of type array: "string"'),
    ("allowed name in capitals", an_account(allowedNamespaces={"names": ["Cars"]}),
     "spec.allowedNamespaces.names[0] in body should match"),
    ("one name twice", an_account(allowedNamespaces={"names": ["a", "a"]}),
     'spec.allowedNamespaces.names[1]: Duplicate value: "a"'),
    ("unknown way to allow", an_account(allowedNamespaces={"all": True}),
     'unknown field "spec.allowedNamespaces.all"'),
    ("label that is no text", an_account(allowedNamespaces={"selector": {"matchLabels": {"a": 1}}}),
     'spec.allowedNamespaces.selector.matchLabels.a in body must be of type string: "integer"'),
    ("no operator", an_account(allowedNamespaces=an_expression(key="a")),
     "spec.allowedNamespaces.selector.matchExpressions[0].operator: Required value"),
    ("unknown operator", an_account(allowedNamespaces=an_expression(key="a", operator="Is")),
     'matchExpressions[0].operator: Unsupported value: "Is": supported values: "In"'),
    ("In without values", an_account(allowedNamespaces=an_expression(key="a", operator="In")),
     "Invalid value: … In and NotIn need at least one value, Exists and DoesNotExist take none"),
    ("Exists with values",
     an_account(allowedNamespaces=an_expression(key="a", operator="Exists", values=["b"])),
     "In and NotIn need at least one value, Exists and DoesNotExist take none"),
    ("unknown level", an_account(policy={"podSecurity": "baseline"}),
     'spec.policy.podSecurity: Unsupported value: "baseline"'),
    ("service accounts are no list", an_account(policy={"serviceAccounts": "default"}),
     'spec.policy.serviceAccounts in body must be of type array: "string"'),
    ("service account in capitals", an_account(policy={"serviceAccounts": ["Default"]}),
     "spec.policy.serviceAccounts[0] in body should match"),
    ("member of the policy of a later release", an_account(policy={"secrets": []}),
     'unknown field "spec.policy.secrets"'),
    ("brokers without a name", an_account(binder={"clusterId": ""}),
     "spec.binder.clusterId in body should be at least 1 chars long"),
    ("brokers in numbers", an_account(binder={"clusterId": 1}),
     'spec.binder.clusterId in body must be of type string: "integer"'),
    ("unknown member of binder", an_account(binder={"brokers": "k:9092"}),
     'unknown field "spec.binder.brokers"'),
    ("empty usage", an_account(usage=[]),
     "spec.usage in body should have at least 1 items"),
    ("unknown usage", an_account(usage=["Tasks"]),
     'spec.usage[0]: Unsupported value: "Tasks": supported values: "Stream", "Task"'),
    ("one usage twice", an_account(usage=["Task", "Task"]),
     'spec.usage[1]: Duplicate value: "Task"'),
    ("usage is no list", an_account(usage="Task"),
     'spec.usage in body must be of type array: "string"'),
    ("fewer than no tasks", an_account(maxConcurrentTasks=-1),
     "spec.maxConcurrentTasks in body should be greater than or equal to 0"),
    ("too many tasks", an_account(maxConcurrentTasks=100001),
     "spec.maxConcurrentTasks in body should be less than or equal to 100000"),
    ("tasks in words", an_account(maxConcurrentTasks="20"),
     'spec.maxConcurrentTasks in body must be of type integer: "string"'),
    ("taskProperties are no object", an_account(taskProperties=[]),
     'spec.taskProperties in body must be of type object: "array"'),
    ("too many taskProperties", an_account(taskProperties=many(501)),
     "spec.taskProperties: Too many: 501: must have at most 500 items"),
    ("application property of tasks", an_account(applicationProperties={"task": {"x": 1.5}}),
     'spec.applicationProperties.task.x in body %s: "number"' % INTEGER_OR_STRING),
    ("long key of tasks", an_account(applicationProperties={"task": {"k" * 513: "x"}}),
     "spec.applicationProperties.task: Invalid value: the name of a property has 1 to 512"),
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
    ("another cluster", a_remote_account({"secretRef": {"name": "gpu.zone-1"}})),
    ("nested and flat properties", an_account(properties={
        "limits": {"memory": "2Gi"}, "requests.cpu": "100m", "readinessProbeDelay": 180,
        "list": ["a", {"b": True}]}, streamProperties={"limits.memory": "3Gi"})),
    ("application properties", an_account(applicationProperties={"stream": {
        "spring.a": "b", "n": 7, "": "x"} | {"k" * 512: "v" * 32768}})),
    ("500 properties", an_account(properties=many(500))),
    ("for streams", an_account(usage=["Stream"], maxConcurrentTasks=0)),
    ("a policy", an_account(policy={"podSecurity": "Restricted",
                                    "serviceAccounts": ["*", "default", "a.b-c"]})),
    ("for both", an_account(usage=["Task", "Stream"], maxConcurrentTasks=100000, taskProperties={
        "limits": {"memory": "4Gi"}}, applicationProperties={"task": {"a": 1}})),
    ("allowed for nobody", an_account(allowedNamespaces={})),
    ("allowed by name and label", an_account(allowedNamespaces={
        "names": ["cars"], "selector": {"matchLabels": {"team": "cars"}}})),
    ("allowed by expressions", an_account(allowedNamespaces={"selector": {"matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["gold"]},
        {"key": "team", "operator": "NotIn", "values": ["x", "y"]},
        {"key": "team", "operator": "Exists"}, {"key": "old", "operator": "DoesNotExist"}]}})),
]
del GOOD_ACCOUNTS[4][1]["spec"]["applicationProperties"]["stream"][""]

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
    ("platform of an app in capitals", an_app(platform="GPU"),
     "spec.apps[0].platform: Invalid value: … expected the name of a PlatformAccount"),
    ("long platform of an app", an_app(platform="p" * 254),
     "spec.apps[0].platform: Too long: may not be more than 253"),
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
    ("another word", a_stream(driftPolicy="correct"),
     'spec.driftPolicy: Unsupported value: "correct": supported values: "Correct", "Report"'),
    ("another word for the end", a_stream(deletionPolicy="Retain"),
     'spec.deletionPolicy: Unsupported value: "Retain": supported values: "Delete", "Orphan"'),
    ("member of a later release", a_stream(upgrade={}), 'unknown field "spec.upgrade"'),
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
    ("drift that stays", a_stream(driftPolicy="Report")),
    ("objects that stay", a_stream(deletionPolicy="Orphan")),
]

# --- TaskLaunch ------------------------------------------------------------------------------

TASK_NAME_RULE = 'spec.taskName: Invalid value: … expected the name of a task: letters, digits'
DURATION = "expected a duration such as 30s, 10m or 1h30m, at most ten years"
BAD_LAUNCHES = [
    ("no spec", {**a_launch(), "spec": None}, "spec: Required value"),
    ("no definition", a_launch(definition=None), "spec.definition: Required value"),
    ("empty definition", a_launch(definition=""),
     "spec.definition in body should be at least 1 chars long"),
    ("long definition", a_launch(definition="x" * 65537),
     "spec.definition: Too long: may not be more than 65536"),
    ("task name with an underscore", a_launch(taskName="a_b"), TASK_NAME_RULE),
    ("task name ending with a dash", a_launch(taskName="a-"), TASK_NAME_RULE),
    ("task name beginning with a digit", a_launch(taskName="1a"), TASK_NAME_RULE),
    ("empty task name", a_launch(taskName=""), TASK_NAME_RULE),
    ("long task name", a_launch(taskName="t" * 64),
     "spec.taskName: Too long: may not be more than 63"),
    ("platform in capital letters", a_launch(platform="HighMemory"), PLATFORM_RULE),
    ("arguments in one text", a_launch(arguments="--a=b --c=d"),
     'spec.arguments in body must be of type array: "string"'),
    ("argument that is a number", a_launch(arguments=["a", 7]),
     'spec.arguments[1] in body must be of type string: "integer"'),
    ("too many arguments", a_launch(arguments=["a"] * 501),
     "spec.arguments: Too many: 501: must have at most 500 items"),
    ("long argument", a_launch(arguments=["a" * 32769]),
     "spec.arguments[0]: Too long: may not be more than 32768"),
    ("property 1.10", a_launch(properties={"version.train": 1.10}),
     'spec.properties.version.train in body %s: "number"' % INTEGER_OR_STRING),
    ("too many properties", a_launch(properties=many(501)),
     "spec.properties: Too many: 501: must have at most 500 items"),
    ("empty key", a_launch(properties={"": "x"}),
     "spec.properties: Invalid value: the name of a property has 1 to 512 characters; shorten it"),
    ("app without a name", a_launch(apps=[{"image": "x"}]), "spec.apps[0].name: Required value"),
    ("one app twice", a_launch(apps=[{"name": "a"}, {"name": "a"}]),
     'spec.apps[1]: Duplicate value: {"name":"a"}'),
    ("replicas", a_launch(apps=[{"name": "a", "replicas": 1}]),
     'unknown field "spec.apps[0].replicas"'),
    ("platform of an app", a_launch(apps=[{"name": "a", "platform": "P"}]),
     "spec.apps[0].platform: Invalid value: … expected the name of a PlatformAccount"),
    ("limit below zero", a_launch(apps=[{"name": "a", "resources": {"limits": {"cpu": "-1"}}}]),
     "spec.apps[0].resources.limits: Invalid value: " + QUANTITIES),
    ("variable with =", a_launch(apps=[{"name": "a", "env": [{"name": "A=B"}]}]),
     "spec.apps[0].env[0].name: Invalid value: … expected the name of an environment variable"),
    ("no time", a_launch(activeDeadlineSeconds=0),
     "spec.activeDeadlineSeconds in body should be greater than or equal to 1"),
    ("too much time", a_launch(activeDeadlineSeconds=316224001),
     "spec.activeDeadlineSeconds in body should be less than or equal to 316224000"),
    ("retry in words", a_launch(retry="3"), 'spec.retry in body must be of type object: "string"'),
    ("negative limit", a_retry(limit=-1),
     "spec.retry.limit in body should be greater than or equal to 0"),
    ("high limit", a_retry(limit=1001),
     "spec.retry.limit in body should be less than or equal to 1000"),
    ("misspelt member", a_retry(limits=1), 'unknown field "spec.retry.limits"'),
    ("wait without a unit", a_backoff(initial="30"),
     "spec.retry.backoff.initial: Invalid value: … " + DURATION),
    ("wait that is a number", a_backoff(initial=30),
     'spec.retry.backoff.initial in body must be of type string: "integer"'),
    ("negative wait", a_backoff(max="-1s"), DURATION),
    ("wait in days", a_backoff(max="1d"), DURATION),
    ("empty wait", a_backoff(max=""), DURATION),
    ("long wait", a_backoff(max="87841h"), "spec.retry.backoff.max: Invalid value: … " + DURATION),
    ("absurd wait", a_backoff(max="99999999999h"), "spec.retry.backoff.max: Invalid value: "),
    ("shrinking waits", a_backoff(factor=0.5),
     "spec.retry.backoff.factor in body should be greater than or equal to 1"),
    ("exploding waits", a_backoff(factor=100.5),
     "spec.retry.backoff.factor in body should be less than or equal to 100"),
    ("factor in words", a_backoff(factor="2"),
     'spec.retry.backoff.factor in body must be of type number: "string"'),
    ("too much jitter", a_backoff(jitterPercent=101),
     "spec.retry.backoff.jitterPercent in body should be less than or equal to 100"),
    ("exit code 0", a_retry(notOnExitCodes=[0]),
     "spec.retry.notOnExitCodes[0] in body should be greater than or equal to 1"),
    ("exit code 256", a_retry(notOnExitCodes=[1, 256]),
     "spec.retry.notOnExitCodes[1] in body should be less than or equal to 255"),
    ("one exit code twice", a_retry(notOnExitCodes=[1, 1]),
     "spec.retry.notOnExitCodes[1]: Duplicate value: 1"),
    ("too many exit codes", a_retry(notOnExitCodes=list(range(1, 66))),
     "spec.retry.notOnExitCodes: Too many: 65: must have at most 64 items"),
    ("suspend in words", a_launch(suspend="yes"),
     'spec.suspend in body must be of type boolean: "string"'),
    ("a day is no time", a_launch(notAfter="2026-11-22"),
     'spec.notAfter in body must be of type date-time: "2026-11-22"'),
    ("negative time to live", a_launch(ttlSecondsAfterFinished=-1),
     "spec.ttlSecondsAfterFinished in body should be greater than or equal to 0"),
    ("unknown member", a_launch(deletionPolicy="Orphan"), 'unknown field "spec.deletionPolicy"'),
]

GOOD_LAUNCHES = [
    ("the least", a_launch()),
    ("a name like that of a day", {**a_launch(), "metadata": {
        "name": "1.train-2026-11-21", "namespace": "default"}}),
    ("everything", a_launch(
        taskName="Train-1", platform="highmemory", arguments=["--a=b", "", "c d"],
        properties={"deployer.train.memory": "16Gi", "deployer.train.cpu": 2},
        apps=[{"name": "train", "image": "r.example/train:1", "resources": {
            "limits": {"memory": "16Gi"}}, "env": [{"name": "A", "value": "1"}]}],
        activeDeadlineSeconds=1, suspend=False, notAfter="2026-11-22T00:00:00.5+02:00",
        ttlSecondsAfterFinished=0, retry={
            "limit": 1000, "onUnknown": True, "notOnExitCodes": [1, 255], "backoff": {
                "initial": "500ms", "factor": 1.5, "max": "1h30m", "jitterPercent": 0}})),
    ("the longest wait", a_backoff(initial="0s", max="87840h", factor=1)),
    ("500 arguments", a_launch(arguments=["a" * 1000] * 500)),
    ("500 properties", a_launch(properties=many(500))),
    ("100 apps", a_launch(apps=[{"name": "a%d" % i} for i in range(100)])),
]

# --- changes ---------------------------------------------------------------------------------

NAMESPACE_FIXED = ("spec.kubernetes.namespace: Invalid value: the namespace of an account can't be "
                   "set, changed or removed later, since apps may run there; create another account")
CLUSTER = {"cluster": {"secretRef": {"name": "a"}}}
CLUSTER_FIXED = ("spec.kubernetes.cluster: Invalid value: the cluster of an account can't be set, "
                 "changed or removed later, since apps may run there; create another account")
NAME_FIXED = ("spec.streamName: Invalid value: the name of a stream can't be set, changed or "
              "removed later, since destinations and consumer groups are named by it; create "
              "another StreamDeployment")
LAUNCH_FIXED = ("spec.%s: Invalid value: … a launch is one run, so its %s can't be set, changed or "
                "removed later; create another TaskLaunch")
APP = {"name": "a", "image": "i"}
NO_CHANGES = [
    ("another namespace", an_account(), {"kubernetes": {"namespace": "elsewhere"}},
     NAMESPACE_FIXED),
    ("no namespace any more", an_account(), {"kubernetes": {"namespace": None}}, NAMESPACE_FIXED),
    ("a namespace at last", account("a"), {"kubernetes": {"namespace": "x"}}, NAMESPACE_FIXED),
    ("a cluster at last", an_account(), {"kubernetes": CLUSTER}, CLUSTER_FIXED),
    ("another cluster", an_account(kubernetes=CLUSTER),
     {"kubernetes": {"cluster": {"secretRef": {"name": "b"}}}}, CLUSTER_FIXED),
    ("no cluster any more", an_account(kubernetes=CLUSTER), {"kubernetes": {"cluster": None}},
     CLUSTER_FIXED),
    ("no block any more", an_account(), {"kubernetes": None}, "needs the block spec.kubernetes"),
    ("another stream name", a_stream(streamName="a"), {"streamName": "b"}, NAME_FIXED),
    ("no stream name any more", a_stream(streamName="a"), {"streamName": None}, NAME_FIXED),
    ("a stream name at last", a_stream(), {"streamName": "s"}, NAME_FIXED),
    ("another task definition", a_launch(), {"definition": "other"},
     "spec.definition: Invalid value: … a launch is one run, so its definition can't be changed"),
    *[("launch: another %s" % field, a_launch(**{field: before}), {field: after},
       LAUNCH_FIXED % (field, field))
      for field, before, after in [
          ("taskName", "a", "b"), ("taskName", "a", None), ("taskName", None, "a"),
          ("platform", "a", "b"), ("platform", "a", None), ("platform", None, "a"),
          ("arguments", ["a"], ["b"]), ("arguments", ["a", "b"], ["b", "a"]),
          ("arguments", ["a"], None), ("arguments", None, ["a"]),
          ("properties", {"a": "b"}, {"a": 1}), ("properties", {"a": "b"}, {"c": "d"}),
          ("properties", {"a": "b"}, None), ("properties", None, {"a": "b"}),
          ("apps", [APP], [{**APP, "image": "j"}]), ("apps", [APP], None), ("apps", None, [APP]),
          ("notAfter", "2026-11-22T00:00:00Z", "2026-11-22T00:00:01Z"),
          ("notAfter", "2026-11-22T00:00:00Z", None), ("notAfter", None, "2026-11-22T00:00:00Z")]],
]


def rows(table):
    return [pytest.param(*row[1:], id=row[0]) for row in table]


@pytest.mark.parametrize("obj, message", rows(BAD_ACCOUNTS) + rows(BAD_STREAMS) +
                         rows(BAD_LAUNCHES))
def test_refused(kubectl, obj, message):
    said = kubectl.refused(obj, *DRY)
    assert all(part in said for part in message.split(" … ")), said


@pytest.mark.parametrize("obj", rows(GOOD_ACCOUNTS) + rows(GOOD_STREAMS) +
                         rows(GOOD_LAUNCHES))
def test_accepted(kubectl, obj):
    kubectl("create", *DRY, "-f", "-", stdin=json.dumps(obj))


@pytest.mark.parametrize("obj, patch, message", rows(NO_CHANGES))
def test_change_refused(kubectl, bare_space, obj, patch, message):
    kind = {"PlatformAccount": ACCOUNT, "TaskLaunch": TASK}.get(obj["kind"], STREAM)
    where = None if kind == ACCOUNT else bare_space.ns
    obj = copy.deepcopy(obj)
    obj["metadata"]["name"] = bare_space.ns + "-x"
    if where:
        obj["metadata"]["namespace"] = where
    else:
        bare_space.extra.append((ACCOUNT, obj["metadata"]["name"]))
    kubectl.apply(obj)
    with pytest.raises(AssertionError) as refusal:
        kubectl.patch(kind, obj["metadata"]["name"], {"spec": patch}, where)
    said = str(refusal.value)
    assert all(part in said for part in message.split(" … ")), said


def test_what_may_change_about_a_launch(kubectl, bare_space):
    kubectl.apply(task("t", bare_space.ns, platform="p", arguments=["a"], properties={"a": "b"},
                       apps=[APP], suspend=True, activeDeadlineSeconds=5,
                       notAfter="2026-11-22T00:00:00Z"))
    for patch in ({"suspend": False}, {"suspend": None}, {"activeDeadlineSeconds": 9},
                  {"activeDeadlineSeconds": None}, {"ttlSecondsAfterFinished": 60},
                  {"ttlSecondsAfterFinished": None},
                  {"retry": {"limit": 3, "backoff": {"initial": "1s"}}}, {"retry": {"limit": 4}},
                  {"retry": None}):
        kubectl.patch(TASK, "t", {"spec": patch}, bare_space.ns)
    kubectl.delete(TASK, "t", bare_space.ns)


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
    more = sorted((ROOT / "deploy" / "examples").glob("*.yaml"))
    assert more
    for example in examples[1:] + more:
        kubectl("apply", *DRY, "-f", str(example))


def test_deploy_is_accepted_with_the_crds(kubectl):
    out = kubectl("apply", *DRY, "-k", str(ROOT / "deploy"))
    for name in (ACCOUNT, STREAM, TASK, "clusterrole.rbac.authorization.k8s.io/penstock",
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
    assert header == ["NAME", "TYPE", "NAMESPACE", "READY", "REASON", "STREAMS", "TASKS",
                      "DESCRIPTION", "AGE"]
    kubectl.apply(task("t", bare_space.ns))
    header, row = kubectl("get", "taskl", "-n", bare_space.ns).splitlines()
    assert header.split() == ["NAME", "READY", "PHASE", "PLATFORM", "ATTEMPT", "EXIT", "REASON",
                              "AGE"]
    assert row.split()[0] == "t"
    wide = kubectl("get", "tasklaunch", "t", "-n", bare_space.ns, "-o", "wide").splitlines()
    assert wide[0].split()[-2:] == ["DEFINITION", "AGE"] and "train" in wide[1]
    every = kubectl("get", "penstock", "-n", bare_space.ns)
    for kind in ("streamdeployment", "platformaccount", "tasklaunch"):
        assert kind in every
