# SPDX-License-Identifier: Apache-2.0
"""Reads Prometheus' text format 0.0.4 strictly: what a lenient scraper would forgive is an error."""

import math
import re

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)" % NAME)
LABEL = re.compile(r'(%s)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)' % NAME)
SUFFIXES = ("_bucket", "_sum", "_count")


def labels_of(text):
    labels, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        assert match, "labels: %s" % text
        assert match[1] not in labels, "label twice: %s" % text
        labels[match[1]] = match[2]
        at = match.end()
    return labels


class Family:
    def __init__(self, name, kind):
        self.name = name
        self.kind = kind
        self.samples = {}        # (name, sorted labels) -> value

    def add(self, name, labels, value):
        histogram = self.kind == "histogram"
        assert name in [self.name + s for s in SUFFIXES] if histogram else name == self.name, name
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, "series twice: %s" % (key,)
        self.samples[key] = float(value)

    def get(self, **labels):
        """The value of a series, or None."""
        return self.samples.get((self.name, tuple(sorted(labels.items()))))

    def check(self):
        assert self.samples, "%s has no series" % self.name
        for (name, labels), value in self.samples.items():
            assert self.kind == "gauge" or (value >= 0 and math.isfinite(value)), (name, labels)
        if self.kind == "histogram":
            self._check_histograms()

    def _check_histograms(self):
        series = {}
        for (name, labels), value in self.samples.items():
            rest = tuple(x for x in labels if x[0] != "le")
            one = series.setdefault(rest, {"buckets": []})
            if name.endswith("_bucket"):
                one["buckets"].append((float(dict(labels)["le"]), value))
            else:
                one[name[len(self.name):]] = value
        for labels, one in series.items():
            counts = [n for _, n in one["buckets"]]
            assert one["buckets"] == sorted(one["buckets"]), labels
            assert counts == sorted(counts), labels
            assert one["buckets"][-1][0] == math.inf and counts[-1] == one["_count"], labels
            assert "_sum" in one, labels


def parse(text):
    """The families by name. HELP and TYPE stand once, before the series of their family, which
    stand together."""
    assert text.endswith("\n")
    families, help_of, family = {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            help_of = line.split(" ", 3)[2]
            assert help_of not in families and len(line.split(" ", 3)) == 4, line
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == help_of and kind in ("counter", "gauge", "histogram"), line
            family = families[name] = Family(name, kind)
        else:
            match = SAMPLE.fullmatch(line)
            assert match and family, line
            family.add(match[1], labels_of(match[2]), match[3])
    for family in families.values():
        family.check()
    return families
