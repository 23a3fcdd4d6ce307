#!/usr/bin/env python3
"""Black-box cases, from public reports and from users' files, against any instance.

    cases.py --kubeconfig F [--gateway URL] [--bin DIR] cases/*.yaml

A case is a play (README.md) with `expect`, each asked until it holds or `within` seconds (10) are over:
  {get: "pods -l app=web -o jsonpath=...", is|has|hasnt: text}     kubectl get; spaces folded
  {cli: "status web --watch=false", has: text, code: 0}            kubectl argo rollouts
  {run: "serinus why web", has: text}                               any command of the project's bin, `-n NAMESPACE` added
  {curl: "web.test/color", times: 20, ok: 20}                       through the gateway
`never: [...]`, of the same form, must not hold at any moment of the play (asked every 0.5 s). Prints a line a case; exit 1 if one fails.
"""

import argparse
import concurrent.futures
import contextlib
import importlib.util
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

import yaml

here = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("record", here / "record.py")
record = importlib.util.module_from_spec(spec)
sys.modules["record"] = record
spec.loader.exec_module(record)


class Case(record.Recorder):
    def ask(self, e):
        """(whether it holds, what was seen)"""
        if "curl" in e:
            host, _, path = e["curl"].partition("/")
            ok, host = 0, host.replace("web.test", f"{self.ns}.test")
            for _ in range(e.get("times", 1)):
                headers = {"Host": host, **e.get("headers", {})}
                request = urllib.request.Request(f"{self.a.gateway}/{path}", headers=headers)
                with contextlib.suppress(Exception):
                    ok += urllib.request.urlopen(request, timeout=5).status == 200
            return ok == e["ok"], f"{ok} answers"
        if "get" in e:
            cmd = [*self.base, "get", *e["get"].split()]
        elif "cli" in e:
            cmd = [self.a.plugin, "--kubeconfig", self.a.kubeconfig, "-n", self.ns, *e["cli"].split()]
        else:
            first, *rest = e["run"].split()
            cmd = [str(pathlib.Path(self.a.bin) / first), *rest, "-n", self.ns, "--kubeconfig", self.a.kubeconfig]
        r = subprocess.run(cmd, capture_output=True, text=True, timeout=60)
        text = " ".join((r.stdout + r.stderr).split())
        good = (
            ("is" not in e or text == str(e["is"]))
            and all(h in text for h in ([e["has"]] if isinstance(e.get("has"), str) else e.get("has", [])))
            and all(h not in text for h in ([e["hasnt"]] if isinstance(e.get("hasnt"), str) else e.get("hasnt", [])))
            and ("code" not in e or r.returncode == e["code"])
        )
        return good, f"{text[:240]} (exit {r.returncode})"

    def holds(self, e):
        end = time.monotonic() + e.get("within", 10)
        while True:
            good, seen = self.ask(e)
            if good or time.monotonic() > end:
                return good, seen
            time.sleep(0.4)


def held(a, path):
    """(name of the case, the answers that were wrong); prints its line."""
    sc = yaml.safe_load(path.read_text())
    c = Case(a, f"case-{path.stem}"[:60])
    wrong, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.5):
            for e in sc.get("never", []):
                good, seen = c.ask(e)
                if good:
                    wrong.append(f"happened: {e} -> {seen}")
                    return

    try:
        if sc.get("never"):
            threading.Thread(target=watch, daemon=True).start()
        sc.setdefault("settle", 1)
        sc["objects"] = sc["objects"].replace("web.test", f"{c.ns}.test")  # a host of its own: cases run side by side
        c.play(sc)
        for e in sc["expect"]:
            good, seen = c.holds(e)
            if not good:
                wrong.append(f"{ {k: v for k, v in e.items() if k != 'within'} } -> {seen}")
        wrong += [b["do"] for _, b in c.actions if "timed out" in b["do"]]
    except Exception as x:
        wrong.append(repr(x)[:300])
    finally:
        stop.set()
        c.close()
    print(("ok   " if not wrong else "FAIL ") + path.stem, *("\n       " + w for w in wrong), flush=True)
    return path.stem, wrong


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kubeconfig", required=True)
    p.add_argument("--kubectl", default="")
    p.add_argument("--plugin", default="")
    p.add_argument("--bin", default=".venv/bin")
    p.add_argument("--gateway", default="")
    p.add_argument("--jobs", type=int, default=3)
    p.add_argument("cases", nargs="+")
    a = p.parse_args()
    a.kubectl = a.kubectl or f"{a.bin}/kubectl"
    a.plugin = a.plugin or f"{a.bin}/kubectl-argo-rollouts"
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        bad = [name for name, wrong in pool.map(lambda path: held(a, path), map(pathlib.Path, a.cases)) if wrong]
    print(f"{len(a.cases) - len(bad)} of {len(a.cases)} cases hold")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
