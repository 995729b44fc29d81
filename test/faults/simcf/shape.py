# SPDX-License-Identifier: Apache-2.0
"""What a request's body may look like: unknown keys and wrong types are refused, never ignored.

A checker is called with a path and a value; it returns the value or raises Refused.
"""

import re

from .errors import unprocessable

KEY = re.compile(r"([a-zA-Z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
ANNOTATION_MAX = 5000
LABELS_MAX, ANNOTATIONS_MAX = 50, 200
FORBIDDEN_ENV = re.compile(r"(VCAP_.*|VMC.*|PORT)$", re.IGNORECASE)
ENV_MAX = 64 * 1024


def name_of(path):
    return path.replace("_", " ").capitalize() if path else "Body"


def text(longest=250, pattern=None, empty=False):
    def check(path, value):
        if not isinstance(value, str):
            raise unprocessable(f"{name_of(path)} must be a string")
        if not value and not empty:
            raise unprocessable(f"{name_of(path)} can't be blank")
        if len(value) > longest:
            raise unprocessable(f"{name_of(path)} is too long (maximum is {longest} characters)")
        if pattern and not re.fullmatch(pattern, value):
            raise unprocessable(f"{name_of(path)} is invalid")
        return value
    return check


def integer(least=None, most=None):
    def check(path, value):
        if not isinstance(value, int) or isinstance(value, bool):
            raise unprocessable(f"{name_of(path)} is not a number")
        if least is not None and value < least:
            raise unprocessable(f"{name_of(path)} must be greater than or equal to {least}")
        if most is not None and value > most:
            raise unprocessable(f"{name_of(path)} must be less than or equal to {most}")
        return value
    return check


def boolean(path, value):
    if not isinstance(value, bool):
        raise unprocessable(f"{name_of(path)} must be a boolean")
    return value


def anything(_, value):
    return value


def mapping(path, value):
    if not isinstance(value, dict):
        raise unprocessable(f"{name_of(path)} must be an object")
    return value


def one_of(*words):
    def check(path, value):
        if value not in words:
            raise unprocessable(f"{name_of(path)} must be one of {', '.join(words)}")
        return value
    return check


def nullable(inner):
    return lambda path, value: None if value is None else inner(path, value)


def many(inner, most=None):
    def check(path, value):
        if not isinstance(value, list):
            raise unprocessable(f"{name_of(path)} must be an array")
        if most is not None and len(value) > most:
            raise unprocessable(f"{name_of(path)} must have at most {most} items")
        return [inner(path, item) for item in value]
    return check


def record(fields, required=()):
    """An object with these keys and no others."""
    def check(path, value):
        mapping(path, value)
        unknown = sorted(set(value) - set(fields))
        if unknown:
            raise unprocessable("Unknown field(s): " + ", ".join(f"'{k}'" for k in unknown))
        for key in required:
            if key not in value:
                raise unprocessable(f"{name_of(key)} can't be blank")
        return {key: fields[key](key, item) for key, item in value.items()}
    return check


def related(*names, optional=()):
    """`relationships`: {name: {"data": {"guid": …}}}; the value is {name: guid}."""
    to_one = record({"data": record({"guid": text()}, ["guid"])}, ["data"])

    def check(path, value):
        found = record({n: to_one for n in (*names, *optional)}, names)(path, value)
        return {n: item["data"]["guid"] for n, item in found.items()}
    return check


def environment(path, value):
    """Values are texts; null takes a variable away."""
    mapping(path, value)
    for key, item in value.items():
        if not key:
            raise unprocessable("Environment variables key must be a minimum length of 1")
        if FORBIDDEN_ENV.match(key):
            raise unprocessable(f"Environment variables cannot contain {key}: it is reserved")
        if item is not None and not isinstance(item, str):
            raise unprocessable(f"Non-string value in environment variable for key '{key}'")
    if sum(len(k) + len(v or "") for k, v in value.items()) > ENV_MAX:
        raise unprocessable("Environment variables exceeded the maximum length allowed of 65536")
    return value


def _labels(_, value):
    for key, item in mapping("labels", value).items():
        if not KEY.match(key) or key.partition("/")[0] == "cloudfoundry.org":
            raise unprocessable(f"Metadata label key error: '{key}' is not allowed")
        if item is not None and (not isinstance(item, str) or not VALUE.match(item)):
            raise unprocessable(f"Metadata label value error: the value of '{key}' is not allowed")
    return value


def _annotations(_, value):
    for key, item in mapping("annotations", value).items():
        if not KEY.match(key):
            raise unprocessable(f"Metadata annotation key error: '{key}' is not allowed")
        if item is not None and (not isinstance(item, str) or len(item) > ANNOTATION_MAX):
            raise unprocessable("Metadata annotation value error: is greater than 5000 characters")
    return value


metadata = record({"labels": _labels, "annotations": _annotations})


def merge_metadata(into, change):
    """PATCH merges; null takes a key away."""
    for part, most in (("labels", LABELS_MAX), ("annotations", ANNOTATIONS_MAX)):
        for key, value in (change or {}).get(part, {}).items():
            if value is None:
                into[part].pop(key, None)
            else:
                into[part][key] = value
        if len(into[part]) > most:
            raise unprocessable(f"Metadata: failed to add {len(into[part])} {part}: at most {most}")
