# SPDX-License-Identifier: Apache-2.0
"""kubectl-penstock: what it prints, to the byte, and what it changes in a cluster."""

import ast
import base64
import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from support import (ACCOUNT, API_VERSION, FINALIZER, ROOT, SANITIZER_REPORT, STREAM, TASK, account,
                     stream, task, wait_for)

OTHER = "example.com/keep"
ATTEMPT = "penstock.dev/attempt"


class Plugin:
    def __init__(self, home):
        operator = Path(os.environ.get("PENSTOCK_BIN") or ROOT / "build" / "asan" / "penstock")
        self.program = operator.resolve().parent / "kubectl-penstock"
        if not os.access(self.program, os.X_OK):
            pytest.fail("no plugin at %s; run `make asan` or set PENSTOCK_BIN" % self.program)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home),
                            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}

    def start(self, *args, **options):
        return subprocess.Popen([self.program, *map(str, args)], env=self.environment, **options)

    def __call__(self, *args, stdin="", status=0, environment=None):
        """Its standard output; with the expected exit code."""
        done = self.run(*args, stdin=stdin, environment=environment)
        assert done.returncode == status, "%s: status %d\n%s%s" % (
            args, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout

    def run(self, *args, stdin="", environment=None):
        done = subprocess.run([self.program, *map(str, args)], input=stdin,
                              env={**self.environment, **(environment or {})}, encoding="utf-8",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False)
        assert not SANITIZER_REPORT.search(done.stderr), done.stderr[-4000:]
        return done


@pytest.fixture
def plugin(tmp_path):
    return Plugin(tmp_path)


# --- usage -----------------------------------------------------------------------------------


def test_version_and_help(plugin):
    assert re.fullmatch(r"kubectl-penstock \S+\n", plugin("version"))
    assert plugin("help") == plugin("--help") == plugin("lint", "-h")
    assert plugin("help").startswith("usage: kubectl penstock COMMAND\n")


@pytest.mark.parametrize("args", [
    [], ["stream"], ["frob"], ["stream", "frob"], ["version", "--jsonl"], ["version", "x"],
    ["--frob"], ["lint"], ["lint", "--kind", "app", "a"], ["lint", "--kind"], ["lint", "-f"],
    ["lint", "--jsonl=yes"], ["lint", "--jsonl", "a"], ["lint", "-f", "x", "--name", "a"],
    ["release", "-A", "-n", "x"], ["stream", "platform-list", "-n", "x"]], ids=" ".join)
def test_wrong_usage_ends_with_64(plugin, args):
    done = plugin.run(*args)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("kubectl penstock: ")


# --- lint ------------------------------------------------------------------------------------


def test_lint_shows_where_with_a_caret(plugin):
    assert plugin("lint", "time | log", ":foo.time > log", "a || b") == ""
    assert plugin("lint", "time | log", "cardata | | cassandra", "--name", "cars", status=1) == (
        "definition 2: 118E:(pos 10): expected app name but found '|'\n"
        "cardata | | cassandra\n"
        "       *  ^\n")
    assert plugin("lint", "--name=9a", "time | log", status=1) == (
        "definition 1: 122E:(pos 0): illegal name for a stream '9a'\n9a\n^\n")


def test_lint_hides_secrets(plugin):
    out = plugin("lint", "db --password=hunter2 | log ; x", status=1)
    assert "hunter2" not in out and "--password=*******" in out


def test_lint_of_a_task_shows_all_problems(plugin):
    assert plugin("lint", "--kind", "task", "A && <B || C> 'x'->D", status=1) == (
        "definition 1: 163E:(pos 14): after parsing a valid task, there is still more data: "
        "''x''\n"
        "A && <B || C> 'x'->D\n"
        "            * ^\n")
    done = plugin.run("lint", "--kind=task", "A --x=1 'FAILED'->B", "A 'f'->:no && B && B;C")
    twice = "duplicate app name. Use a label to ensure uniqueness"
    assert (done.returncode, done.stdout) == (1, (
        "definition 2: 166E:(pos 19): %s\nA 'f'->:no && B && B;C\n                   ^\n"
        "definition 2: 158E:(pos 21): secondary sequences must have labels or are unreachable\n"
        "A 'f'->:no && B && B;C\n                     ^\n"
        "definition 2: 160E:(pos 2): transition specifies an undefined label\n"
        "A 'f'->:no && B && B;C\n  ^\n") % twice)
    assert done.stderr == "checked: 2, findings: 3\n"
    assert plugin("lint", "--kind", "task", "--name", "9a", "A", status=1) == (
        "definition 1: 123E:(pos 0): illegal name for a task '9a'\n9a\n^\n")
    assert "hunter2" not in plugin("lint", "--kind=task", "A --password=hunter2 && ", status=1)


FILES = """\
# a comment, then what is none of ours
apiVersion: v1
kind: Service
metadata: {name: s}
---
apiVersion: penstock.dev/v1alpha1
kind: StreamDeployment
metadata: {name: foo, namespace: cars}
spec:
  definition: "cardata | | cassandra"
--- # in a list
apiVersion: v1
kind: List
items:
- apiVersion: penstock.dev/v1alpha1
  kind: StreamDeployment
  metadata: {name: bar}
  spec:
    definition: a | b
    propertys: {}
    properties: {foo.bar: 1, app.c.x: 2, deployer.*.count: 1, version.a: 1.2.3}
    apps: [{name: z}]
- {apiVersion: penstock.dev/v1, kind: StreamDeployment, metadata: {name: old}}
...
---

apiVersion: v1
kind: ConfigMap
metadata: {name: apps, labels: {penstock.dev/app-registry: "true"}}
data:
  apps.properties: |
    source.time=docker:example/time:1
    bogus
---
a: [
}
---
{apiVersion: penstock.dev/v1alpha1, kind: PlatformAccount, metadata: {name: cf}, spec: {type: X}}
---
{apiVersion: penstock.dev/v1alpha1, kind: StreamDeployment, metadata: {name: f}, spec: {}}
---
{apiVersion: penstock.dev/v1alpha1, kind: Stream, metadata: {name: f}}
"""
FINDINGS = """\
FILE:6: StreamDeployment cars/foo: spec.definition: 118E:(pos 10): expected app name but found '|'
cardata | | cassandra
       *  ^
FILE:12: items[0]: StreamDeployment bar: spec.propertys: there is no such field
FILE:12: items[0]: StreamDeployment bar: spec.properties: app.c.x: the definition has no app c
FILE:12: items[0]: StreamDeployment bar: spec.properties: expected keys starting with app., \
deployer. or version. and the name of an app, found foo.bar
FILE:12: items[0]: StreamDeployment bar: spec.apps[0].name: the definition has no app z
FILE:12: items[1]: StreamDeployment old: apiVersion: expected penstock.dev/v1alpha1, found \
penstock.dev/v1
FILE:27: ConfigMap apps: data[apps.properties], line 2: no = found: expected <type>.<name>=<uri>, \
<type>.<name>.metadata=<uri> or <type>.<name>.bootVersion=<version>
FILE: not YAML: line 36, column 1: did not find expected node content
FILE:38: PlatformAccount cf: spec.type: expected Kubernetes, found X
FILE:40: StreamDeployment f: spec.definition: expected a stream definition such as "time | log"
FILE:42: Stream f: kind: expected StreamDeployment, TaskLaunch or PlatformAccount, found Stream
"""


def test_lint_reads_files_of_many_documents(plugin, tmp_path):
    path = tmp_path / "all.yaml"
    path.write_text(FILES)
    assert plugin("lint", "-f", path, status=1) == FINDINGS.replace("FILE", str(path))
    assert plugin("lint", "-f", "-", stdin=FILES, status=1) == FINDINGS.replace(
        "FILE", "standard input")
    path.write_text(FILES.replace("\n", "\r\n"))
    assert plugin("lint", "-f", path, status=1).count("\n") == FINDINGS.count("\n")


def test_lint_of_good_files_is_silent(plugin, tmp_path):
    """Examples, several files behind one -f, JSON, directives; a file that is not there is told."""
    examples = sorted((ROOT / "crds" / "examples").glob("*.yaml"))
    assert examples
    (tmp_path / "a.json").write_text(json.dumps(stream("s", "default", "time | log"), indent=2))
    (tmp_path / "b.yaml").write_text("%%YAML 1.1\n---\n%s\n---\n---\n...\n" % json.dumps(
        account("a", "b")))
    done = plugin.run("lint", "-f", *examples, tmp_path / "a.json", tmp_path / "b.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"checked: [1-9]\d*, findings: 0\n", done.stderr)
    done = plugin.run("lint", "-f", tmp_path / "a.json", tmp_path / "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "none: can't be opened: there is no such file" in done.stderr


TASK_FILES = """\
--- {apiVersion: penstock.dev/v1alpha1, kind: TaskLaunch, metadata: {name: good}, spec: {definition: train}}
---
apiVersion: penstock.dev/v1alpha1
kind: TaskLaunch
metadata: {name: train-1, namespace: cars}
spec: {definition: "train --epochs= --x"}
---
apiVersion: penstock.dev/v1alpha1
kind: TaskLaunch
metadata: {name: labels}
spec:
  definition: "a: train"
  argument: [x]
  properties: {deployer.*.cpu: 1, app.*.x: 2, app.train.y: 3, app.a.z: 4, app.b.x: 5, foo.bar: 6}
  apps: [{name: a}, {name: train}]
---
apiVersion: penstock.dev/v1alpha1
kind: TaskLaunch
metadata: {name: graph}
spec: {definition: "a && b", properties: {app.b.x: 1}}
---
apiVersion: penstock.dev/v1alpha1
kind: TaskLaunch
metadata: {name: clash}
spec: {definition: "a && b && a && b"}
---
apiVersion: penstock.dev/v1alpha1
kind: TaskLaunch
metadata: {name: wait}
spec: {definition: a, retry: {backoff: {initial: 30}}}
---
{apiVersion: penstock.dev/v1alpha1, kind: TaskLaunch, metadata: {name: named}, spec: {definition: a, taskName: a_b}}
"""
TASK_FINDINGS = """\
standard input:3: TaskLaunch cars/train-1: spec.definition: 105E:(pos 16): Expected an argument \
value but was 'null'
train --epochs= --x
     *          ^
standard input:8: TaskLaunch labels: spec.argument: there is no such field
standard input:8: TaskLaunch labels: spec.properties: app.*.x: in a task * is for deployer keys \
only, as in Data Flow; write the app's label
standard input:8: TaskLaunch labels: spec.properties: app.b.x: the definition has no app b
standard input:8: TaskLaunch labels: spec.properties: expected keys starting with app., deployer. \
or version. and the name of an app, found foo.bar
standard input:8: TaskLaunch labels: spec.apps[1].name: the definition has no app train
standard input:17: TaskLaunch graph: spec.definition: composed tasks cannot be launched yet; \
launch their apps one by one
standard input:22: TaskLaunch clash: spec.definition: 166E:(pos 10): duplicate app name. Use \
a label to ensure uniqueness
a && b && a && b
          ^
standard input:22: TaskLaunch clash: spec.definition: 166E:(pos 15): duplicate app name. Use \
a label to ensure uniqueness
a && b && a && b
               ^
standard input:27: TaskLaunch wait: spec.retry.backoff.initial: expected a string, found an integer
standard input:32: TaskLaunch named: Task name a_b is invalid. Task name must consist of \
alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric \
character (e.g. 'my-name', or 'abc-123'); at most 63 characters. Set spec.taskName.
"""


def test_lint_checks_launches(plugin):
    assert plugin("lint", "-f", "-", stdin=TASK_FILES, status=1) == TASK_FINDINGS


@pytest.mark.parametrize("plural", ["streamdeployments", "platformaccounts", "tasklaunches"])
def test_lint_knows_the_fields_of_the_crds(plugin, plural):
    crd = yaml.safe_load((ROOT / "crds" / ("penstock.dev_%s.yaml" % plural)).read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    obj = {"apiVersion": API_VERSION, "kind": crd["spec"]["names"]["kind"],
           "metadata": {"name": "a"},
           "spec": {key: None for key in [*schema["properties"]["spec"]["properties"], "frob"]}}
    unknown = re.findall(r"spec\.(\w+): there is no such field",
                         plugin("lint", "-f", "-", stdin=json.dumps(obj), status=1))
    assert unknown == ["frob"]


# --- lint --jsonl ----------------------------------------------------------------------------


def ask(plugin, *questions):
    """The answers to questions: objects, or texts for lines that are none."""
    lines = [q if isinstance(q, str) else json.dumps(q) for q in questions]
    answers = plugin("lint", "--jsonl", stdin="".join(line + "\n" for line in lines))
    assert answers.count("\n") == len(lines)
    return [json.loads(line) for line in answers.splitlines()]


def question(text, name="test", kind="stream"):
    return {"kind": kind, "name": name, "text": text}


def test_jsonl_answers_all_that_is_known_of_a_stream(plugin):
    bindings = "spring.cloud.stream.bindings."
    answer = ask(plugin, question(":s.time --group=g > a: foo --x=1 --x='it''s' | log > :out"))[0]
    assert answer == {
        "name": "test", "ok": True,
        "apps": [{"name": "foo", "label": "a", "options": [["x", "1"], ["x", "it's"]]},
                 {"name": "log", "label": "log", "options": []}],
        "source": {"destination": "s.time"}, "sink": {"destination": "out"}, "tap": True,
        "definitions": [
            {"registeredName": "foo", "label": "a", "type": "processor",
             "properties": {"x": "it's", bindings + "input.destination": "s.time",
                            bindings + "input.group": "g",
                            bindings + "output.destination": "test.a",
                            bindings + "output.producer.requiredGroups": "test"}},
            {"registeredName": "log", "label": "log", "type": "processor",
             "properties": {bindings + "input.destination": "test.a",
                            bindings + "input.group": "test",
                            bindings + "output.destination": "out"}}]}
    answer = ask(plugin, question("time | log"))[0]
    assert (answer["source"], answer["sink"], answer["tap"]) == (None, None, False)
    assert not ask(plugin, question(":topic > log"))[0]["tap"]
    assert ask(plugin, question("foo | | bar", "s")) == [
        {"name": "s", "ok": False, "error": "EXPECTED_APPNAME", "code": 118, "position": 6,
         "message": "expected app name but found '|'"}]


def test_jsonl_answers_all_that_is_known_of_a_task(plugin):
    answers = ask(plugin, question("x: A --k=1 --k='b c' 'f'->$END && B", "ct", "task"),
                  question("A", "ct", "task"), question("A 'f'->t: B && C 'g'->:t", "ct", "task"),
                  question("A && A && A", "ct", "task"), question("A", "a.b", "task"))
    assert answers[0] == {
        "name": "ct", "ok": True, "composed": True, "dsl": "x: A --k=1 --k='b c' 'f'->$END && B",
        "executable": "ct-x 'f'->ct-$END && ct-B",
        "apps": [{"name": "A", "label": "x", "executableName": "ct-x",
                  "args": [["k", "1"], ["k", "b c"]]},
                 {"name": "$END", "label": "$END", "executableName": "ct-$END", "args": []},
                 {"name": "B", "label": "B", "executableName": "ct-B", "args": []}],
        "nodes": [{"id": 0, "name": "START"}, {"id": 1, "name": "A", "label": "x"},
                  {"id": 2, "name": "$END"}, {"id": 3, "name": "B"}, {"id": 4, "name": "END"}],
        "links": [{"from": 0, "to": 1}, {"from": 1, "to": 2, "transition": "f"},
                  {"from": 1, "to": 3}, {"from": 3, "to": 4}]}
    assert (answers[1]["composed"], answers[1]["executable"]) == (False, "ct-A")
    assert answers[2]["ok"] and answers[2]["nodes"] is None and answers[2]["links"] is None
    assert answers[3] == {
        "name": "ct", "ok": False, "error": "TASK_VALIDATION_APP_NAME_ALREADY_IN_USE", "code": 166,
        "position": 5, "message": "duplicate app name. Use a label to ensure uniqueness"}
    assert (answers[4]["error"], answers[4]["position"]) == ("ILLEGAL_TASK_NAME", 0)


def task_vectors():
    """The rows of the parser's own table, as dicts of what was looked at."""
    source = (ROOT / "test" / "unit" / "dsl" / "task_vectors.c").read_text()
    columns = {"OK": ("id", "text", "nodes", "links", "executable", "dsl"),
               "ONE": ("id", "text", "nodes", "executable", "dsl"),
               "BAD": ("id", "text", "error", None),
               "": ("id", "text", "nodes", "links", "executable", "dsl", "error", None, "name",
                    None)}
    field = r'\w+\("(?:\\.|[^"\\])*"\)|(?:"(?:\\.|[^"\\])*"\s*)+|\w+'
    rows = []
    for macro, body in re.findall(r"^(OK|ONE|BAD|)[({](.*)[)}],(?: /\*.*\*/)?$", source, re.M):
        values = re.findall(field, body)
        assert len(values) == len(columns[macro]), body
        row = {key: ast.literal_eval("b" + value).decode()
               for key, value in zip(columns[macro], values, strict=True)
               if key and value.startswith('"')}
        if macro == "ONE":
            row.update(nodes="[0:START]%s[2:END]" % row["nodes"], links="[0-1][1-2]")
        rows.append({"error": "none", "name": "ct", **row})
    assert len(rows) == len(re.findall(r'^(?:OK|ONE|BAD|)[({]"', source, re.M)) > 140
    return rows


def describe_task(answer):
    """An answer in the words of the table."""
    if not answer["ok"]:
        return {"error": "%d@%d" % (answer["code"], answer["position"])}
    args = {app["label"]: "".join(":%s=%s" % pair for pair in dict(app["args"]).items())
            for app in answer["apps"]}
    nodes = []
    for node in answer["nodes"] or []:
        label = node.get("label")
        nodes.append("[%d:%s%s%s]" % (node["id"], label + ":" if label else "", node["name"],
                                      args.get(label or node["name"], "")))
    links = ["[%s%d-%d]" % (link["transition"] + ":" if "transition" in link else "",
                            link["from"], link["to"]) for link in answer["links"] or []]
    return {"error": "none", "nodes": "".join(nodes), "links": "".join(links),
            "executable": answer["executable"], "dsl": answer["dsl"]}


def test_jsonl_agrees_with_all_task_vectors(plugin):
    rows = task_vectors()
    answers = ask(plugin, *(question(row["text"], row["name"], "task") for row in rows))
    wrong = []
    for row, answer in zip(rows, answers, strict=True):
        got = describe_task(answer)
        want = {key: row[key] for key in ("error", "nodes", "links", "executable", "dsl")
                if key in row}
        if want != {key: got.get(key) for key in want}:
            wrong.append("%s: %s\n  want %s\n  got  %s" % (row["id"], row["text"], want, got))
    assert not wrong, "\n".join(wrong)


def vectors():
    """The rows of the parser's own table: (id, name, text, want)."""
    source = (ROOT / "test" / "unit" / "dsl" / "vectors.c").read_text()
    macros = dict(re.findall(r'^#define (\w+) +("(?:\\.|[^"\\])*")', source, re.M))
    text = r'(?:"(?:\\.|[^"\\])*"|\b[A-Z]+\b|\s)+'
    found = re.findall(r"^\{(%s),(%s),(%s),(%s),(%s)\}," % ((text,) * 5), source, re.M)
    assert len(found) > 150

    def value(literal):
        parts = re.findall(r'"(?:\\.|[^"\\])*"|\w+', literal)
        if parts == ["NULL"]:
            return None
        joined = "".join(ast.literal_eval("b" + macros.get(part, part)).decode("latin-1")
                         for part in parts)
        return joined.encode("latin-1")
    return [tuple(map(value, row))[:4] for row in found]


def describe(answer):
    """An answer in the words of the table."""
    if not answer["ok"]:
        return "ERR %d@%d" % (answer["code"], answer["position"])
    apps = []
    for one, app in zip(answer["definitions"], answer["apps"], strict=True):
        assert (one["registeredName"], one["label"]) == (app["name"], app["label"])
        properties = dict(one["properties"])

        def take(key, properties=properties):
            return properties.pop("spring.cloud.stream.bindings." + key, None)
        source, sink = take("input.destination"), take("output.destination")
        group = take("input.group")
        take("output.producer.requiredGroups")
        text = "%s %s" % ({"app": "A", "source": "S", "processor": "P", "sink": "K"}[one["type"]],
                          app["name"])
        if app["label"] != app["name"]:
            text = "%s %s(%s)" % (text[0], app["label"], app["name"])
        if properties:
            text += "{%s}" % ",".join("%s=%s" % item for item in properties.items())
        text += " <" + source if source else ""
        text += " >" + sink if sink else ""
        text += " g=" + group if group not in (None, answer["name"]) else ""
        apps.append(text)
    return " ; ".join(apps)


def test_jsonl_agrees_with_all_vectors(plugin):
    rows = []
    for ident, name, text, want in vectors():
        try:
            rows.append((ident.decode(), "test" if name is None else name.decode(),
                         text.decode(), want.decode()))
        except UnicodeDecodeError:
            continue  # no JSON text could hold it
    assert len(rows) > 150
    answers = ask(plugin, *(question(text, name) for _, name, text, _ in rows))
    wrong = ["%s: %s\n  want %s\n  got  %s" % (ident, text, want, describe(answer))
             for (ident, _, text, want), answer in zip(rows, answers, strict=True)
             # Labels that equal the app's name can't be told apart here.
             if describe(answer) != re.sub(r"\b(\w+)\(\1\)", r"\1", want)]
    assert not wrong, "\n".join(wrong)


def test_jsonl_goes_on_after_lines_that_are_no_questions(plugin):
    good = question("time | log")
    huge = json.dumps(question("a" * (9 << 20)))
    answers = ask(plugin, good, "nonsense", "", '{"kind":"stream"', "[]", "7", "\x00",
                  {"kind": "stream", "text": "a"}, {"kind": "stream", "name": "s"}, question(1),
                  question("a", kind="frob"), question("a", kind=None), question("a", name="n" * 256),
                  question("a\0b"), '{"kind":"stream","kind":"stream","name":"a","text":"a"}',
                  huge, good)
    assert [a["ok"] for a in answers] == [True] + [False] * 15 + [True]
    for answer in answers[1:-1]:
        assert answer["error"] == "INVALID_INPUT" and answer["message"], answer
        assert answer["code"] is None and answer["position"] is None
    assert answers[-2]["message"] == "the line is too long"


def test_jsonl_takes_a_last_line_without_its_end(plugin):
    assert json.loads(plugin("lint", "--jsonl", stdin=json.dumps(question("a"))))["ok"]
    assert plugin("lint", "--jsonl") == ""


def test_jsonl_answers_before_more_is_asked(plugin):
    process = plugin.start("lint", "--jsonl", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process, contextlib.closing(process.stdin):
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        for text in ("time | log", "a |"):
            process.stdin.write(json.dumps(question(text)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["ok"] == (text == "time | log")
        watchdog.cancel()


# --- a server that gives what it is told ------------------------------------------------------


class FakeServer:
    """Answers from a list of (method, path with query, status, object); each once, in order."""

    def __init__(self, directory):
        self.script, self.seen, self.unexpected = [], [], []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.seen.append(json.loads(body) if body else None)
                expected = fake.script.pop(0) if fake.script else (None, None, 500, {})
                if (self.command, self.path) != expected[:2]:
                    fake.unexpected.append((self.command, self.path))
                text = json.dumps(expected[3]).encode()
                self.send_response(expected[2])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            do_GET = do_PATCH = answer

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.kubeconfig = directory / "fake-kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake",
                                                      "namespace": "cars"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {}}]}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self):
        assert not self.unexpected and not self.script, (self.unexpected, self.script)


@pytest.fixture
def fake(tmp_path):
    server = FakeServer(tmp_path)
    yield server
    server.server.shutdown()
    server.server.server_close()
    server.check()


def described(name, target, **spec):
    obj = account(name, target, **spec)
    obj["status"] = {"description": "master url = [https://10.0.0.1:443/], namespace = [%s], "
                                    "api version = [v1]" % target}
    return obj


ACCOUNTS = "/apis/penstock.dev/v1alpha1/platformaccounts?limit=500"
R1 = [described("kafkazone", "kafka-namespace", usage=["Stream"]),
      described("highmemory", "highmemory-namespace", usage=["Task"]),
      described("default", "default")]
STREAM_TABLE = """\
╔═════════╤══════════╤═══════════════════════════════════════════════════════════════════════════════════════╗
║  Name   │   Type   │                                      Description                                      ║
╠═════════╪══════════╪═══════════════════════════════════════════════════════════════════════════════════════╣
║default  │kubernetes│master url = [https://10.0.0.1:443/], namespace = [default], api version = [v1]        ║
║kafkazone│kubernetes│master url = [https://10.0.0.1:443/], namespace = [kafka-namespace], api version = [v1]║
╚═════════╧══════════╧═══════════════════════════════════════════════════════════════════════════════════════╝
"""
TASK_TABLE = """\
╔═════════════╤═════════════╤════════════════════════════════════════════════════════════════════════════════════════════╗
║Platform Name│Platform Type│                                        Description                                         ║
╠═════════════╪═════════════╪════════════════════════════════════════════════════════════════════════════════════════════╣
║default      │Kubernetes   │master url = [https://10.0.0.1:443/], namespace = [default], api version = [v1]             ║
║highmemory   │Kubernetes   │master url = [https://10.0.0.1:443/], namespace = [highmemory-namespace], api version = [v1]║
╚═════════════╧═════════════╧════════════════════════════════════════════════════════════════════════════════════════════╝
"""


@pytest.mark.parametrize("kind, table", [("stream", STREAM_TABLE), ("task", TASK_TABLE)])
def test_platform_tables_equal_those_of_the_shell(plugin, fake, kind, table):
    fake.script += [("GET", ACCOUNTS, 200, {"items": R1[:2], "metadata": {"continue": "a=b"}}),
                    ("GET", ACCOUNTS + "&continue=a%3Db", 200, {"items": R1[2:]})]
    assert plugin(kind, "platform-list", "--kubeconfig", fake.kubeconfig) == table


def test_platform_tables_of_nothing_and_of_others(plugin, fake):
    fake.script += [("GET", ACCOUNTS, 200, {"items": []})]
    assert plugin("stream", "platform-list", environment={
        "KUBECONFIG": ":%s:/nowhere" % fake.kubeconfig}) == (
            "╔════╤════╤═══════════╗\n"
            "║Name│Type│Description║\n"
            "╠════╪════╪═══════════╣\n"
            "╚════╧════╧═══════════╝\n")
    cf = {"metadata": {"name": "größe"}, "spec": {"type": "CloudFoundry"},
          "status": {"description": "org = [o], space = [s], url = [u]"}}
    fake.script += [("GET", ACCOUNTS, 200, {"items": [cf]})] * 2
    assert "║größe│cloudfoundry│org = [o], space = [s], url = [u]║\n" in plugin(
        "stream", "platform-list", "--kubeconfig", fake.kubeconfig)
    assert "║größe        │Cloud Foundry│org = [o], space = [s], url = [u]║\n" in plugin(
        "task", "platform-list", "--kubeconfig", fake.kubeconfig)


def test_a_refusal_of_the_server_is_told(plugin, fake):
    fake.script += [("GET", ACCOUNTS, 403, {
        "kind": "Status", "message": "platformaccounts is forbidden", "reason": "Forbidden"})]
    done = plugin.run("stream", "platform-list", "--kubeconfig", fake.kubeconfig)
    assert (done.returncode, done.stdout) == (1, "")
    assert "PlatformAccounts: " in done.stderr and "is forbidden" in done.stderr


def test_without_a_kubeconfig_it_ends_with_78(plugin, fake, tmp_path):
    for args in ([], ["--kubeconfig", tmp_path / "none"],
                 ["--kubeconfig", fake.kubeconfig, "--context", "none"]):
        done = plugin.run("stream", "platform-list", *args)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith("kubectl penstock: kubeconfig ")


def test_a_program_gives_the_credential(plugin, cluster, tmp_path):
    """Its client certificate, on a real server; the user is in another file than the cluster."""
    user = json.loads(Path(cluster.kubeconfig).read_text())["users"][0]
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({
        "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
        "status": {"clientCertificateData": decoded(user["user"]["client-certificate-data"]),
                   "clientKeyData": decoded(user["user"]["client-key-data"])}}))
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\ntest -n \"$KUBERNETES_EXEC_INFO\" && exec cat \"$1\"\n")
    program.chmod(0o700)
    (tmp_path / "user").write_text(json.dumps({"users": [{"name": user["name"], "user": {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login",
                 "args": [str(answer)], "interactiveMode": "IfAvailable"}}}]}))
    files = {"KUBECONFIG": ":".join(map(str, (tmp_path / "none", tmp_path / "user",
                                              cluster.kubeconfig)))}
    assert "Name" in plugin("stream", "platform-list", environment=files)
    answer.write_text("hush")
    done = plugin.run("stream", "platform-list", environment=files)
    assert (done.returncode, done.stdout) == (1, "")
    assert "its answer is no ExecCredential" in done.stderr and "hush" not in done.stderr


def decoded(text):
    return base64.b64decode(text).decode()


STREAMS = "/apis/penstock.dev/v1alpha1/namespaces/cars/streamdeployments"
OPERATORS = ("/apis/apps/v1/deployments?limit=500&labelSelector=app.kubernetes.io%2Fname%3Dpenstock"
             "%2Capp.kubernetes.io%2Fcomponent%3Doperator")
PATCH = "?fieldManager=penstock&fieldValidation=Strict"


def test_release_reads_again_what_was_changed_meanwhile(plugin, fake):
    def version(number, *finalizers):
        return {"metadata": {"name": "foo", "namespace": "cars", "uid": "u",
                             "resourceVersion": str(number), "finalizers": list(finalizers)}}
    fake.script += [
        ("GET", OPERATORS, 403, {}),
        ("GET", STREAMS + "?limit=500", 200, {"items": [version(1, FINALIZER)]}),
        ("PATCH", STREAMS + "/foo" + PATCH, 409, {"reason": "Conflict"}),
        ("GET", STREAMS + "/foo", 200, version(2, OTHER, FINALIZER)),
        ("PATCH", STREAMS + "/foo" + PATCH, 200, version(3, OTHER)),
        ("GET", STREAMS.replace("streamdeployments", "tasklaunches") + "?limit=500", 404, {}),
        ("GET", "/apis/batch/v1/jobs?limit=500&labelSelector=penstock.dev%2Fowner-uid", 200,
         {"items": []})]
    assert plugin("release", "--yes", "--kubeconfig", fake.kubeconfig) == (
        "StreamDeployment cars/foo: released\n")
    assert fake.seen[2] == {"metadata": {"resourceVersion": "1", "finalizers": []}}
    assert fake.seen[4] == {"metadata": {"resourceVersion": "2", "finalizers": [OTHER]}}


# --- a real cluster ----------------------------------------------------------------------------


@pytest.fixture
def no_operator(the_operator):
    """Tests that need it will start it again."""
    if the_operator.running:
        the_operator.stop()


def test_platform_list_of_a_cluster(plugin, kubectl, cluster, no_operator, bare_space):
    kubectl.apply(account("p-anywhere"))
    bare_space.extra.append((ACCOUNT, "p-anywhere"))
    server = json.loads(kubectl("config", "view", "--minify", "-o", "json"))[
        "clusters"][0]["cluster"]["server"]
    text = "master url = [%s/], namespace = [%s], api version = [v1]"
    # Other tests may have left accounts, of which the operator has told.
    rows = {a["metadata"]["name"]: a.get("status", {}).get("description")
            for a in kubectl.list(ACCOUNT)}
    rows.update({bare_space.account: text % (server, bare_space.target),
                 "p-anywhere": text % (server, "(of the stream)")})
    rows = sorted(rows.items())
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = plugin("stream", "platform-list", "--kubeconfig", cluster.kubeconfig).splitlines()
    assert lines[3:-1] == ["║%s│kubernetes│%s║" % (name.ljust(widths[0]), what.ljust(widths[1]))
                           for name, what in rows]
    assert len(plugin("task", "platform-list", "--kubeconfig",
                      cluster.kubeconfig).splitlines()) == len(rows) + 4


def finalizers(kubectl, name, space):
    return kubectl.get(STREAM, name, space)["metadata"].get("finalizers", [])


def finalized(name, space, *names):
    obj = stream(name, space, "time | log")
    obj["metadata"]["finalizers"] = list(names)
    return obj


def test_release_takes_off_ours_and_nothing_else(plugin, kubectl, cluster, no_operator,
                                                  bare_space):
    ns, other = bare_space.ns, bare_space.target
    kubectl.apply(finalized("foo", ns, FINALIZER, OTHER), finalized("bar", ns, FINALIZER),
                  finalized("free", ns), finalized("foo", other, FINALIZER))
    where = ("--kubeconfig", cluster.kubeconfig, "-n", ns)

    assert plugin("release", *where, status=1) == (
        "StreamDeployment %s/bar: would be released\n"
        "StreamDeployment %s/foo: would be released\n" % (ns, ns))
    assert finalizers(kubectl, "foo", ns) == [FINALIZER, OTHER]

    done = plugin.run("release", *where, "--yes", "foo", "none")
    assert (done.returncode, done.stdout) == (1, "StreamDeployment %s/foo: released\n" % ns)
    assert "nothing is called none" in done.stderr
    assert finalizers(kubectl, "foo", ns) == [OTHER]
    assert finalizers(kubectl, "bar", ns) == [FINALIZER]

    kubectl.delete(STREAM, "bar", ns, wait=False)
    assert finalizers(kubectl, "bar", ns) == [FINALIZER]
    assert plugin("release", *where, "--yes") == "StreamDeployment %s/bar: released\n" % ns
    wait_for(lambda: kubectl.get(STREAM, "bar", ns) is None, "the released stream to go")
    assert plugin("release", *where, "--yes") == plugin("release", *where) == ""

    out = plugin("release", "--kubeconfig", cluster.kubeconfig, "-A", "--yes")
    assert "StreamDeployment %s/foo: released\n" % other in out
    assert finalizers(kubectl, "foo", other) == []
    kubectl.patch(STREAM, "foo", {"metadata": {"finalizers": None}}, ns)
    kubectl.delete(STREAM, "foo", other)


def test_release_finds_the_jobs_of_attempts(plugin, kubectl, cluster, no_operator, bare_space):
    """Jobs stand in other namespaces than their launches, and are asked for by those."""
    launch = task("train", bare_space.ns)
    launch["metadata"]["finalizers"] = [FINALIZER, OTHER]
    kubectl.apply(launch, {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "train-1", "namespace": bare_space.target, "finalizers": [ATTEMPT, OTHER],
                     "labels": {"penstock.dev/owner-uid": "u"},
                     "annotations": {"penstock.dev/owner": "TaskLaunch/%s/train" % bare_space.ns}},
        "spec": {"suspend": True, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "a", "image": "example/a"}]}}}})
    where = ("--kubeconfig", cluster.kubeconfig)
    assert plugin("release", *where, "--yes", "-n", bare_space.target) == ""
    assert plugin("release", *where, "--yes", "-n", bare_space.ns, "train") == (
        "TaskLaunch %s/train: released\nJob %s/train-1: released\n" % (
            bare_space.ns, bare_space.target))
    launch = kubectl.get(TASK, "train", bare_space.ns)
    assert launch["metadata"]["finalizers"] == [OTHER]
    job = kubectl.get("jobs", "train-1", bare_space.target)
    left = job["metadata"]["finalizers"]
    assert ATTEMPT not in left and OTHER in left
    kubectl.patch("jobs", "train-1", {"metadata": {"finalizers": None}}, bare_space.target)
    kubectl.patch(TASK, "train", {"metadata": {"finalizers": None}}, bare_space.ns)
    kubectl.delete("jobs", "train-1", bare_space.target)
    kubectl.delete(TASK, "train", bare_space.ns)


def test_release_does_not_race_a_running_operator(plugin, kubectl, cluster, no_operator,
                                                  bare_space):
    labels = {"app.kubernetes.io/name": "penstock", "app.kubernetes.io/component": "operator"}
    kubectl.apply(finalized("foo", bare_space.ns, FINALIZER), {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "op", "namespace": bare_space.ns, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "a", "image": "example/a"}]}}}})
    where = ("--kubeconfig", cluster.kubeconfig, "-n", bare_space.ns, "--yes")
    done = plugin.run("release", *where)
    assert (done.returncode, done.stdout) == (1, "")
    assert "kubectl -n %s scale deployment op --replicas=0" % bare_space.ns in done.stderr
    assert finalizers(kubectl, "foo", bare_space.ns) == [FINALIZER]

    kubectl("scale", "deployment", "op", "--replicas=0", "-n", bare_space.ns)
    out = wait_for(lambda: plugin.run("release", *where).stdout, "the operator's pods to go")
    assert out == "StreamDeployment %s/foo: released\n" % bare_space.ns
    kubectl.delete("deployments", "op", bare_space.ns)
