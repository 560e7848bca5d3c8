"""Reads metrics with the official client of Prometheus: its samples, by name and labels, as JSON."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

samples, kinds = {}, {}
for family in text_string_to_metric_families(sys.stdin.read()):
    if not family.documentation:
        raise SystemExit(f"{family.name} has no help")
    kinds[family.name] = family.type
    for sample in family.samples:
        labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        key = f"{sample.name}{{{labels}}}" if labels else sample.name
        if key in samples:
            raise SystemExit(f"{key} comes twice")
        samples[key] = sample.value
json.dump({"samples": samples, "kinds": kinds}, sys.stdout)
