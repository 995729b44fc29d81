# SPDX-License-Identifier: Apache-2.0
"""Lists: which parameters a list takes, label selectors, order, pages."""

import re
import urllib.parse

from .errors import Refused

PAGE, PER_PAGE, PER_PAGE_MAX = 1, 50, 5000
REQUIREMENTS_MAX = 50
SET = re.compile(r"\s*(?P<key>\S+)\s+(?P<word>in|notin)\s*\((?P<values>[^)]*)\)\s*$")


def bad(detail):
    return Refused("BadQueryParameter", f"The query parameter is invalid: {detail}")


def read(raw, allowed):
    """The parameters of a URL; those with commas become lists."""
    found = {}
    for key, value in urllib.parse.parse_qsl(raw, keep_blank_values=True):
        if key not in allowed:
            raise bad(f"Unknown query parameter(s): '{key}'. Valid parameters are: "
                      + ", ".join(f"'{k}'" for k in sorted(allowed)))
        if key in found:
            raise bad(f"'{key}' is given twice")
        found[key] = value
    return found


def texts(value):
    """A comma inside of a value is encoded twice."""
    return [urllib.parse.unquote(part) for part in value.split(",")]


def number(query, key, usual, most):
    value = query.get(key)
    if value is None:
        return usual
    if not value.isdigit() or not 1 <= int(value) <= most:
        raise bad(f"{key} must be a positive integer of at most {most}")
    return int(value)


def _split(selector):
    """At the commas outside of brackets."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector)]


def _requirement(part):
    match = SET.match(part)
    if match:
        values = [v.strip() for v in match["values"].split(",")]
        wanted = match["word"] == "in"
        return lambda labels: (labels.get(match["key"]) in values) == wanted
    for sign, wanted in (("!=", False), ("==", True), ("=", True)):
        if sign in part:
            key, _, value = part.partition(sign)
            return lambda labels: (labels.get(key.strip()) == value.strip()) == wanted
    if part.startswith("!"):
        return lambda labels: part[1:].strip() not in labels
    if not part:
        raise bad("label_selector: an empty requirement")
    return lambda labels: part in labels


def selected(selector, resources):
    parts = _split(selector)
    if len(parts) > REQUIREMENTS_MAX:
        raise bad(f"label_selector: at most {REQUIREMENTS_MAX} requirements")
    tests = [_requirement(part) for part in parts]
    return [r for r in resources if all(test(r["metadata"]["labels"]) for test in tests)]


def ordered(query, resources):
    key = query.get("order_by", "created_at")
    name = key.lstrip("+-")
    if name not in ("created_at", "updated_at", "name", "state"):
        raise bad("order_by can only be: 'created_at', 'updated_at', 'name', 'state'")
    return sorted(resources, key=lambda r: (str(r.get(name, "")), r.get("_row", 0)),
                  reverse=key.startswith("-"))


def page(query, raw, url, resources, cap):
    """One page of them and the way to the others. `cap`: the server's own limit of a page."""
    number_of = number(query, "page", PAGE, 1 << 31)
    size = min(number(query, "per_page", PER_PAGE, PER_PAGE_MAX), cap)
    pages = max(1, -(-len(resources) // size))
    others = [(k, v) for k, v in urllib.parse.parse_qsl(raw, keep_blank_values=True)
              if k not in ("page", "per_page")]

    def link(to):
        if not 1 <= to <= pages:
            return None
        text = urllib.parse.urlencode([*others, ("page", to), ("per_page", size)])
        return {"href": f"{url}?{text}"}

    return {
        "pagination": {
            "total_results": len(resources), "total_pages": pages, "first": link(1),
            "last": link(pages), "next": link(number_of + 1), "previous": link(number_of - 1)},
        "resources": resources[(number_of - 1) * size:number_of * size],
    }
