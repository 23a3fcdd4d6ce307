#!/usr/bin/env python3
"""Compare two traces of one scenario: compare.py REFERENCE.jsonl OURS.jsonl [--all]

Four questions, each with what differs: do they end the same (every recorded field of every object but pods; false, 0, "" and absent
are equal), did what carries traffic take the same way (PATH; of sizes only the turning points, and nothing that stood for less
than BRIEF), was the same printed (ages, pods and column widths aside), were the same Events told. Exit status 1 unless ends, ways and
prints agree. `--all` also prints the ways of all other fields. What may differ, and why, stands in README.md.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys

PATH = re.compile(
    r"^(status\.(currentStepIndex|canary\.weights\.(canary|stable)\.weight|stableRS|abort|blueGreen\.\w+Selector)|selector\..*|annotations\..*canary-weight|replicas|backends)$"
)
ROUTED = re.compile(
    r"^(VirtualService|DestinationRule|TrafficSplit|Mapping|ApisixRoute|VirtualRouter|VirtualNode|TraefikService|HTTPRoute|GRPCRoute|TCPRoute|TLSRoute)/"
)
TIMING = re.compile(r"^status\.(duration\..*|HPAReplicas|pauseConditions|message)$")
BRIEF = 0.3  # seconds: what stands for less depends on timing; that nothing bad passes by is for invariants to check
EVENT_LIMIT = 25  # the reference's client drops further Events of one object


def carries(name, field):
    """Whether traffic goes by this field of this object."""
    if name.startswith("Ingress/") and re.match(r"annotations\..*(/actions\.|/conditions\.|managed-alb)", field):
        return True
    return bool(PATH.match(field)) or (bool(ROUTED.match(name)) and field.startswith("spec."))


def turns(seq):
    """[10, 9, 8, 9, 10] -> [10, 8, 10]"""
    return [v for i, v in enumerate(seq) if i in (0, len(seq) - 1) or (seq[i - 1] < v) != (v < seq[i + 1])]


def lasting(stamped):
    """The values that stood for at least BRIEF seconds, and the last one; equal neighbours once."""
    kept = [v for i, (t, v) in enumerate(stamped) if i + 1 == len(stamped) or stamped[i + 1][0] - t >= BRIEF]
    return [v for i, v in enumerate(kept) if i == 0 or v != kept[i - 1]]


def ways(trace):
    """{object: {field: its values in order}}; pods and other controllers' ReplicaSets left out. Of a condition: status and reason."""
    out, foreign = {}, set()
    for e in trace:
        name = e.get("object", "")
        if e.get("owner") not in (None, "Rollout", "Experiment"):
            foreign.add(name)
        if not name or name.startswith("Pod/") or name in foreign:
            continue
        for k, v in e.items():
            if k in ("t", "object", "flipped"):
                continue
            if k.startswith("status.conditions.") and v:
                v = v.split(" | ")[0]
            out.setdefault(name, {}).setdefault(k, []).append((e["t"], v))
    out = {name: {k: lasting(v) for k, v in fields.items()} for name, fields in out.items()}
    for fields in out.values():
        if all(isinstance(v, int) for v in fields.get("replicas", ["-"])):
            fields["replicas"] = turns(fields["replicas"])
    return out


def events(trace):
    told = {}
    for e in trace:
        if "event" in e:
            told.setdefault(e["of"], []).append(
                (e["event"], e["message"].removeprefix("(combined from similar events): "))
            )
    return told


def printed(trace):
    """[(command, its lines)] without ages, widths and pods."""

    def plain(line):
        return None if re.search(r"\bPod\b", line) else " ".join(re.sub(r"\b(\d+[smhd]){1,2}\b", "<age>", line).split())

    return [(e["do"], sorted(filter(None, map(plain, e.get("printed", []))))) for e in trace if "do" in e]


def main():
    everything = "--all" in sys.argv
    a, b = (
        [json.loads(line) for line in pathlib.Path(p).read_text().splitlines()]
        for p in [x for x in sys.argv[1:] if x != "--all"]
    )
    wa, wb, bad = ways(a), ways(b), 0
    for name in sorted({*wa, *wb}):
        fa, fb = wa.get(name, {}), wb.get(name, {})
        for k in sorted({*fa, *fb}):
            va, vb = fa.get(k, [None]), fb.get(k, [None])
            if (va[-1] or None) != (vb[-1] or None) and not TIMING.match(k):
                bad += 1
                print(f"END   {name} {k}\n        reference {va[-1]!r}\n        ours      {vb[-1]!r}")
            elif va != vb and (carries(name, k) or everything):
                bad += carries(name, k)
                print(f"WAY   {name} {k}\n        reference {va}\n        ours      {vb}")
    for (do, la), (_, lb) in zip(printed(a), printed(b), strict=False):
        if la != lb:
            bad += 1
            print(f"PRINT {do}")
            [print("        reference", x) for x in la if x not in lb]
            [print("        ours     ", x) for x in lb if x not in la]
    ea, eb = events(a), events(b)
    for who in sorted({*ea, *eb}):
        la, lb = ea.get(who, []), eb.get(who, [])
        for x in dict.fromkeys(la):
            if x not in lb:
                print("EVENT missing", who, *x)
        for x in dict.fromkeys(lb[:EVENT_LIMIT]):
            if x not in la and len(la) < EVENT_LIMIT:
                print("EVENT extra  ", who, *x)
    print(f"{bad} differences in ends, ways and prints")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
