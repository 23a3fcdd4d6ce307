#!/usr/bin/env python3
"""Play scenarios against a Rollouts controller and write down everything that it did.

    record.py --kubeconfig FILE --plugin PATH --out DIR scenarios/*.yaml

Needs kubectl on PATH (or --kubectl), PyYAML, and the plugin `kubectl-argo-rollouts` for `cli:` lines. Every scenario gets a
namespace of its own, removed afterwards. README.md describes scenarios and traces; compare.py compares two of them.
"""

from __future__ import annotations

import argparse
import copy
import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

import yaml

KINDS = (
    "rollouts.argoproj.io",
    "replicasets.apps",
    "services",
    "ingresses.networking.k8s.io",
    "pods",
    "events",
    "deployments.apps",
    "analysisruns.argoproj.io",
    "experiments.argoproj.io",
)
ROUTING = (
    "VirtualService",
    "DestinationRule",
    "TrafficSplit",
    "Mapping",
    "ApisixRoute",
    "VirtualRouter",
    "VirtualNode",
    "TraefikService",
    "HTTPRoute",
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
WEB = re.compile(r"^(kubectl\.kubernetes\.io/last-applied-configuration|deployment\.kubernetes\.io/.*)$")


def flat(value, path=""):
    """{"a": {"b": 1}} -> {"a.b": 1}; lists and empty maps are leaves."""
    if isinstance(value, dict) and value:
        out = {}
        for k, v in value.items():
            out.update(flat(v, f"{path}.{k}" if path else k))
        return out
    return {} if value == {} else {path: value}


def conditions(items):
    return {
        c["type"]: " ".join(filter(None, (c["status"], c.get("reason"), "|", c.get("message")))).rstrip(" |")
        for c in items or []
    }


def seen(kind, o):
    """The part of an object that a scenario's trace speaks of."""
    meta, spec, status = o["metadata"], o.get("spec", {}), copy.deepcopy(o.get("status", {}))
    notes = {k: v for k, v in meta.get("annotations", {}).items() if not WEB.match(k)}
    gone = {"deleting": True} if meta.get("deletionTimestamp") else {}
    if kind == "Rollout":
        status["conditions"] = conditions(status.get("conditions"))
        status.pop("observedGeneration", None)
        return {
            "annotations": notes,
            "spec.replicas": spec.get("replicas"),
            "spec.paused": spec.get("paused"),
            "spec.restartAt": spec.get("restartAt"),
            "status": status,
            **gone,
        }
    if kind == "ReplicaSet":
        keep = {k: status.get(k, 0) for k in ("replicas", "readyReplicas", "availableReplicas")}
        pod = spec["template"]["metadata"]
        return {
            "annotations": notes,
            "replicas": spec.get("replicas"),
            "minReadySeconds": spec.get("minReadySeconds"),
            "podLabels": pod.get("labels"),
            "podAnnotations": pod.get("annotations"),
            "images": [c.get("image") for c in spec["template"]["spec"]["containers"]],
            "owner": (meta.get("ownerReferences") or [{}])[0].get("kind"),
            "status": keep,
            **gone,
        }
    if kind == "Service":
        return {"annotations": notes, "selector": spec.get("selector"), **gone}
    if kind == "Ingress":
        back = [
            [r.get("host"), p.get("path"), p["backend"]["service"]["name"]]
            for r in spec.get("rules", [])
            for p in r.get("http", {}).get("paths", [])
        ]
        return {"annotations": notes, "class": spec.get("ingressClassName"), "backends": back, **gone}
    if kind == "Pod":
        return {
            "labels": meta.get("labels"),
            "annotations": notes,
            "ready": conditions(status.get("conditions")).get("Ready", "False").split()[0],
            **gone,
        }
    if kind in ROUTING:
        return {
            "labels": meta.get("labels"),
            "annotations": notes,
            "spec": spec,
            "owner": (meta.get("ownerReferences") or [{}])[0].get("kind"),
            **gone,
        }
    if kind == "Deployment":
        return {
            "annotations": notes,
            "replicas": spec.get("replicas"),
            "available": status.get("availableReplicas", 0),
            **gone,
        }
    for k in ("startedAt", "completedAt", "conditions"):
        status.pop(k, None)
    return {"labels": meta.get("labels"), "annotations": notes, "status": status, **gone}


def collapse(entries, gap=1.0):
    """Of an object that flips between two states, less than `gap` seconds apart, keep the first two rounds and one line with the count."""
    out, past, runs = [], {}, {}

    def close(name):
        if name in runs:
            n, t, body = runs.pop(name)
            out.append((t, {**body, "flipped": n} if n > 1 else body))

    for t, body in entries:
        if not (name := body.get("object")):
            out.append((t, body))
            continue
        line, h = json.dumps(body, sort_keys=True), past.setdefault(name, [])
        if len(h) >= 4 and line == h[-2][1] == h[-4][1] and h[-1][1] == h[-3][1] and t - h[-1][0] < gap:
            runs[name] = (runs.get(name, (0,))[0] + 1, t, body)
        else:
            close(name)
            out.append((t, body))
        h.append((t, line))
    for name in list(runs):
        close(name)
    return sorted(out, key=lambda e: e[0])


class Metrics(http.server.ThreadingHTTPServer):
    """The monitoring system of a play: answers what the play says, and tells what it was asked."""

    def __init__(self, answers, asked):
        self.answers, self.asked = dict(answers), asked
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked(
            {
                "asked": f"{self.command} {self.path}",
                **({"body": body} if body else {}),
                **({"X-K": self.headers["X-K"]} if "X-K" in self.headers else {}),
            }
        )
        a = self.server.answers.get(self.path.split("?")[0], {"status": 404, "body": "not found"})
        a = a if isinstance(a, dict) and "body" in a else {"body": a}
        out = a["body"] if isinstance(a["body"], str) else json.dumps(a["body"])
        self.send_response(a.get("status", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out.encode())))
        self.end_headers()
        self.wfile.write(out.encode())

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Recorder:
    def __init__(self, a, ns):
        self.a, self.ns, self.t0 = a, ns, time.monotonic()
        self.entries, self.actions, self.objects, self.last, self.touched = [], [], {}, {}, time.monotonic()
        self.lock, self.procs = threading.Lock(), []
        self.metrics, self.url = None, "<metrics>"
        self.base = [a.kubectl, "--kubeconfig", a.kubeconfig, "-n", ns]

    def run(self, *args, stdin=None, check=True):
        r = subprocess.run([*self.base, *args], input=stdin, capture_output=True, text=True, timeout=120)
        if check and r.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {r.stderr.strip()}")
        return r.stdout + r.stderr

    def watch(self, more=()):
        for kind in (*KINDS, *more):
            p = subprocess.Popen(
                [*self.base, "get", kind, "-w", "--output-watch-events", "-o", "json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.procs.append(p)
            threading.Thread(target=self.follow, args=(p,), daemon=True).start()
        time.sleep(1.5)

    def follow(self, p):
        buf = ""
        while chunk := p.stdout.readline():
            buf += chunk
            try:
                event = json.loads(buf)
            except json.JSONDecodeError:
                continue
            buf = ""
            with self.lock:
                self.note(event["type"], event["object"])

    def note(self, what, o):
        kind, meta = o["kind"], o["metadata"]
        t, rv = round(time.monotonic() - self.t0, 2), int(meta.get("resourceVersion", 0))
        self.touched = time.monotonic()
        if kind == "Event":
            if o["involvedObject"]["kind"] in ("Rollout", "Experiment", "AnalysisRun"):
                self.entries.append(
                    (
                        rv,
                        t,
                        {
                            "event": f"{o.get('type')} {o.get('reason')}",
                            "of": f"{o['involvedObject']['kind']}/{o['involvedObject']['name']}",
                            "message": o.get("message"),
                        },
                    )
                )
            return
        if meta["name"] in ("kube-root-ca.crt",):
            return
        key = f"{kind}/{meta['name']}"
        if what == "DELETED":
            self.objects.pop(key, None)
            self.last.pop(key, None)
            self.entries.append((rv, t, {"object": key, "deleted": True}))
            return
        self.objects[key] = o
        new = flat(seen(kind, o))
        old = self.last.get(key, {})
        diff = {k: v for k, v in new.items() if old.get(k) != v and not (k not in old and v in (None, "", [], {}))}
        diff.update({k: None for k in old if k not in new})
        self.last[key] = new
        if diff:
            self.entries.append((rv, t, {"object": key, **diff}))

    def act(self, text, printed="", began=None):
        self.touched = time.monotonic()
        self.actions.append(
            (
                round((began or time.monotonic()) - self.t0, 2),
                {"do": text, **({"printed": printed.rstrip("\n").split("\n")} if printed.strip() else {})},
            )
        )

    def wait(self, cond, timeout=120):
        """cond: {"Rollout/web": {"status.phase": "Paused"}, "quiet": seconds without any change}"""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self.lock:

                def holds(key, want):
                    if key == "quiet":
                        return time.monotonic() - self.touched >= want
                    if want is None:
                        return key not in self.objects
                    have = flat(self.objects.get(key, {}))
                    if key.startswith("Rollout/") and key in self.objects:
                        o = self.objects[key]
                        if str(o.get("status", {}).get("observedGeneration")) != str(o["metadata"]["generation"]):
                            return False
                    return all(have.get(k) == v for k, v in want.items())

                if all(holds(k, v) for k, v in cond.items()):
                    return
            time.sleep(0.05)
        self.act(f"wait timed out: {json.dumps(cond)}")

    def asked(self, what):
        with self.lock:
            self.entries.append(
                (self.entries[-1][0] if self.entries else 0, round(time.monotonic() - self.t0, 2), what)
            )

    def play(self, sc):
        if "answers" in sc:
            self.metrics = Metrics(sc["answers"], self.asked)
            self.url = f"127.0.0.1:{self.metrics.server_port}"
        docs = {
            f"{d['kind']}/{d['metadata']['name']}": d
            for d in yaml.safe_load_all(sc["objects"].replace("$METRICS", self.url).replace("$NAMESPACE", self.ns))
        }
        self.run("create", "namespace", self.ns)
        self.watch(sc.get("kinds", ()))
        self.t0 = time.monotonic()
        for step in sc["do"]:
            ((verb, arg),) = step.items()
            began = time.monotonic()
            if verb == "wait":
                self.wait(arg)
            elif verb == "sleep":
                time.sleep(arg)
            elif verb == "answer":
                self.metrics.answers.update(arg)
                self.act(f"answer {json.dumps(arg)}", began=began)
            elif verb == "apply":
                names = list(docs) if arg == "all" else arg
                out = self.run("apply", "-f", "-", stdin=yaml.safe_dump_all([docs[n] for n in names]))
                self.act(f"apply {' '.join(names)}", out, began)
            elif verb == "try":
                out = self.run(
                    "apply",
                    "-f",
                    "-",
                    stdin=yaml.safe_dump_all([docs[n] for n in (list(docs) if arg == "all" else arg)], sort_keys=False),
                    check=False,
                )
                self.act(f"try {arg}", out, began)
            elif verb == "image":
                name, image = arg
                docs[name]["spec"]["template"]["spec"]["containers"][0]["image"] = image
                self.act(f"image {name} {image}", self.run("apply", "-f", "-", stdin=yaml.safe_dump(docs[name])), began)
            elif verb == "patch":
                name, body = arg
                out = self.run("patch", *name.split("/"), "--type", "merge", "-p", json.dumps(body), check=False)
                self.act(f"patch {name} {json.dumps(body)}", out, began)
            elif verb == "cli":
                r = subprocess.run(
                    [self.a.plugin, "--kubeconfig", self.a.kubeconfig, "-n", self.ns, *arg.split()],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.act(
                    f"kubectl argo rollouts {arg}",
                    r.stdout + r.stderr + (f"(exit {r.returncode})" if r.returncode else ""),
                    began,
                )
            elif verb == "kubectl":
                self.act(f"kubectl {arg}", self.run(*arg.split(), check=False), began)
            else:
                raise SystemExit(f"unknown step {verb}")
        self.wait({"quiet": sc.get("settle", 4)}, timeout=60)

    def trace(self):
        with self.lock:
            entries = sorted(self.entries, key=lambda e: e[0])
        out, acts = [], list(self.actions)
        for t, body in collapse([(t, b) for _, t, b in entries]):
            while acts and acts[0][0] <= t:
                out.append({"t": acts[0][0], **acts.pop(0)[1]})
            out.append({"t": t, **body})
        out += [{"t": t, **b} for t, b in acts]
        pods, n = {}, {}

        def named(m):
            """Pod names end in five random characters: number them per ReplicaSet in order of appearance."""
            if m.group(0) not in pods:
                n[m.group(1)] = n.get(m.group(1), 0) + 1
                pods[m.group(0)] = f"{m.group(1)}-#{n[m.group(1)]:04}"
            return pods[m.group(0)]

        sets = {k.split("/")[1] for _, _, b in entries for k in [b.get("object", "")] if k.startswith("ReplicaSet/")}
        text = "\n".join(json.dumps(x, ensure_ascii=False) for x in out)
        text = TIME.sub("<time>", text).replace(self.ns, "<namespace>").replace(self.url, "<metrics>")
        if sets:
            text = re.sub(
                "("
                + "|".join(map(re.escape, sorted(sets, key=len, reverse=True)))
                + r")-([bcdfghjklmnpqrstvwxz2456789]{5})\b",
                named,
                text,
            )
        return text

    def close(self):
        for p in self.procs:
            p.terminate()
        if self.metrics:
            self.metrics.shutdown()
        self.run("delete", "namespace", self.ns, "--wait=false", check=False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kubeconfig", required=True)
    p.add_argument("--kubectl", default="kubectl")
    p.add_argument("--plugin", default="kubectl-argo-rollouts")
    p.add_argument("--out", required=True)
    p.add_argument("scenarios", nargs="+")
    a = p.parse_args()
    pathlib.Path(a.out).mkdir(parents=True, exist_ok=True)
    for path in a.scenarios:
        sc = yaml.safe_load(pathlib.Path(path).read_text())
        name = pathlib.Path(path).stem
        r = Recorder(a, f"rec-{name}")
        try:
            r.play(sc)
            (pathlib.Path(a.out) / f"{name}.jsonl").write_text(r.trace() + "\n")
            print(
                name,
                f"{time.monotonic() - r.t0:.0f}s",
                len(r.entries),
                "entries",
                [b["do"] for _, b in r.actions if "timed out" in b["do"]],
                flush=True,
            )
        except Exception as e:
            print(name, "FAILED", e, file=sys.stderr, flush=True)
        finally:
            r.close()


if __name__ == "__main__":
    main()
