# SPDX-License-Identifier: Apache-2.0
"""Runs last: the permissions of deploy/ are those that the operator used in all the tests before."""

import json
import os
from pathlib import Path

import pytest
import yaml
from support import ROOT
from test_restart import OPERATOR

# Fewer tests than that have not used everything.
ENOUGH_TESTS = 50


def granted(manifest="rbac.yaml"):
    """(verb, group, resource) of all rules."""
    for doc in yaml.safe_load_all((ROOT / "deploy" / manifest).read_text()):
        for rule in doc.get("rules", []):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield from ((verb, group, resource) for verb in rule["verbs"])


def requested(audit_log, users=(OPERATOR,)):
    """Of each request of the operator: (verb, group, resource), the decision, the URL."""
    with open(audit_log, encoding="utf-8") as f:
        for line in f:
            event = json.loads(line)
            if event["user"].get("username") not in users:
                continue
            ref = event.get("objectRef", {})
            resource = "/".join(filter(None, (ref.get("resource", ""), ref.get("subresource"))))
            decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
            yield (event["verb"], ref.get("apiGroup", ""), resource), decision, event["requestURI"]
            # What an API server would be asked for that does not know lists within watches.
            if "sendInitialEvents=true" in event["requestURI"]:
                yield ("list", ref.get("apiGroup", ""), resource), decision, event["requestURI"]


def kept_logs():
    """The audit logs of other runs (hack/run-e2e keeps them when it spreads the tests)."""
    kept = os.environ.get("PENSTOCK_AUDIT_DIR")
    return sorted(Path(kept).glob("audit-*.log")) if kept else []


@pytest.fixture
def requests_so_far(request):
    logs = kept_logs()
    if not logs:
        cluster = request.getfixturevalue("cluster")
        request.getfixturevalue("operator")
        if not cluster.can_restart:
            pytest.skip("needs the audit log of a control plane of its own")
        logs = [cluster.audit_log]
    return [one for log in logs for one in requested(log)]


def check_nothing_was_forbidden(requests):
    """(An API server that has just started forbids for a moment what it allows later.)"""
    allowed = {what for what, decision, _ in requests if decision == "allow"}
    assert allowed
    assert not {(what, url) for what, decision, url in requests
                if decision == "forbid" and what not in allowed}


def test_nothing_was_forbidden(requests_so_far):
    check_nothing_was_forbidden(requests_so_far)


def test_nothing_is_granted_in_vain(requests_so_far, request):
    if not kept_logs() and sum("operator" in i.fixturenames for i in request.session.items) < ENOUGH_TESTS:
        pytest.skip("only after all the other tests")
    used = {what for what, _, _ in requests_so_far}
    assert sorted(set(granted()) - used) == []
