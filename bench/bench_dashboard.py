"""What a user of the dashboard waits for, and what it costs: 2,000 Rollouts, each with 2 ReplicaSets and 2 pods.

start         from the command to an answer that has every Rollout
first paint   from the navigation to the first card on the screen, as a real chromium tells it (each time a new browser profile)
a change      from the acknowledged write of a status to the card that shows it
a click       from the click that confirms Promote to the card that shows its effect
memory        of the dashboard's process, with the page open, before and after 10,000 changes, and once the page of a Rollout was
              opened, which brings the engine along
page weight   bytes of all that the page loads, the stream apart

Needs chromium (or $CHROMIUM) and the dev tools. `--rollouts N` for another size. `bench_dashboard_pages.py` has the load of many
pages. The load average of the machine is beside the numbers: they are those of a machine with other work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Response, sync_playwright

from serinus.api.resources import BY_KIND, ROLLOUTS
from serinus.kube.client import Client
from serinus.kube.configuration.config import Flags, load
from serinus.kube.http.https import HttpsHandler
from serinus.kube.sync import SyncClient
from tests.support.dashboard import scenes

BIN = Path(sys.executable).parent
VISITS, CHANGES, CLICKS, STORM = 7, 40, 10, 10_000
AT_ONCE = 16

PAINTED = """window.painted = new Promise(done => new MutationObserver((_, observer) => {
  if (!document.querySelector("[data-item]")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => done(performance.now())));
}).observe(document, {subtree: true, childList: true}))"""

SHOWN = """([name, wanted]) => { window.shown = new Promise(done => new MutationObserver((_, observer) => {
  const card = document.querySelector(`[data-item="default/${name}"]`);
  if (!card?.textContent.includes(wanted)) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => done(Date.now())));
}).observe(document.body, {subtree: true, childList: true, characterData: true})); }"""

EFFECT = """name => { window.effect = new Promise(done => {
  const why = () => document.querySelector(`[data-item="default/${name}"] .why`)?.textContent;
  const before = why();
  let clicked = 0;
  addEventListener("submit", () => { clicked = performance.now(); }, {capture: true, once: true});
  new MutationObserver((_, observer) => {
    if (!clicked || why() === before) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - clicked)));
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}); }"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=2000)
    parser.add_argument("--kubeconfig", help="an API server that this bench has filled, instead of one of its own")
    given = parser.parse_args()
    count: int = given.rollouts
    if given.kubeconfig:
        print(json.dumps(measured(given.kubeconfig, count), indent=2))
        return
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        command = [sys.executable, "-m", "serinus.local.apiserver", "--data", str(data), "--memory"]
        api = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert api.stdout is not None
            api.stdout.readline()
            kubeconfig = str(data / "kubeconfig")
            asyncio.run(fill(kubeconfig, count))
            print(json.dumps(measured(kubeconfig, count), indent=2))
        finally:
            api.terminate()
            api.wait(20)


def measured(kubeconfig: str, count: int) -> dict[str, Any]:
    command = [str(BIN / "kubectl-argo-rollouts"), "dashboard", "--port", "0", "--kubeconfig", kubeconfig]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as dashboard:
        try:
            assert dashboard.stdout is not None
            url = dashboard.stdout.readline().strip()
            plain = url.partition("?")[0]
            while len(json.load(urllib.request.urlopen(f"{plain}api/ui/v1/rollouts"))["rows"]) < count:
                time.sleep(0.02)
            start = time.perf_counter() - began
            with sync_playwright() as playwright:
                chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                paints = [first_paint(browser, url) for _ in range(VISITS)]
                page = browser.new_page()
                weight = loaded(page, url)
                changes = [change(page, kubeconfig, i) for i in range(CHANGES)]
                clicks = [click(page, f"app-{i:04}") for i in range(1, CLICKS + 1)]
                before = memory_of(dashboard.pid)
                with ThreadPoolExecutor() as aside:  # playwright keeps a loop in this thread
                    storm = aside.submit(asyncio.run, write_many(kubeconfig, count)).result()
                after = memory_of(dashboard.pid)
                page.goto(f"{plain}rollout/default/app-0001")
                page.wait_for_selector("#why")
                opened = memory_of(dashboard.pid)
                browser.close()
        finally:
            dashboard.terminate()
    return {
        "rollouts": count,
        "start_s": round(start, 2),
        "first_card_ms_median": round(statistics.median(paints)),
        "first_card_ms_max": round(max(paints)),
        "change_ms_median": round(statistics.median(changes)),
        "change_ms_max": round(max(changes)),
        "click_ms_median": round(statistics.median(clicks)),
        "click_ms_max": round(max(clicks)),
        "load_average": os.getloadavg(),
        "memory_mb": round(before, 1),
        "memory_mb_after_storm": round(after, 1),
        "memory_mb_with_a_rollout_open": round(opened, 1),
        "storm_changes_per_second": round(storm),
        "page_weight_kb": round(weight / 1000, 1),
    }


def first_paint(browser: Browser, url: str) -> float:
    """Milliseconds from the navigation until a card is there and painted."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(PAINTED)
    page.goto(url)
    found: float = page.evaluate("() => window.painted")
    context.close()
    return found


def loaded(page: Page, url: str) -> int:
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    page.goto(url)
    page.wait_for_selector("[data-item]")
    page.remove_listener("response", note)
    return sum(len(answer.body()) for answer in answers if answer.ok and "stream" not in answer.url)


def change(page: Page, kubeconfig: str, number: int) -> float:
    """Milliseconds from the acknowledged write until the card shows it."""
    client = SyncClient(load(Flags(kubeconfig=kubeconfig)))
    message = f"change number {number}."
    page.evaluate(SHOWN, ["app-0000", message])
    status = {"status": {"phase": "Degraded", "message": message}}
    client.patch(ROLLOUTS, "default", "app-0000", status, subresource="status")
    written = time.time() * 1000
    seen: float = page.evaluate("() => window.shown")
    return max(0.0, seen - written)


def click(page: Page, name: str) -> float:
    """Milliseconds from the confirmed promotion until the card shows it."""
    page.evaluate(EFFECT, name)
    page.get_by_role("button", name=f"Promote {name}", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Promote", exact=True).click()
    return page.evaluate("() => window.effect")


async def fill(kubeconfig: str, count: int) -> None:
    handler = HttpsHandler(load(Flags(kubeconfig=kubeconfig)))
    client, numbers = Client(handler), iter(range(count))

    async def work() -> None:
        for number in numbers:
            await with_pods(client, scenes.rollout(f"app-{number:04}"))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await handler.close()


async def with_pods(client: Client, made: dict[str, Any]) -> None:
    """The Rollout, its two ReplicaSets and a pod of each; owners get their UIDs from what was stored."""
    waiting: list[dict[str, Any]] = []

    def later(obj: dict[str, Any]) -> dict[str, Any]:
        waiting.append(obj)
        return {**obj, "metadata": {**obj["metadata"], "uid": obj["metadata"]["name"]}}

    stored = await put(client, made)
    scenes.replica_set(later, stored, scenes.OLD, 1, 1)
    scenes.replica_set(later, stored, scenes.NEW, 2, 1)
    uids: dict[str, str] = {}
    for obj in waiting:
        for owner in obj["metadata"]["ownerReferences"]:
            owner["uid"] = uids.get(owner["uid"], owner["uid"])
        uids[obj["metadata"]["name"]] = (await put(client, obj))["metadata"]["uid"]


async def put(client: Client, obj: dict[str, Any]) -> dict[str, Any]:
    resource = BY_KIND[obj["kind"]]
    made = await client.create(resource, {"apiVersion": resource.api_version, **obj}, "default")
    status = {"status": obj["status"]}
    await client.patch(resource, obj["metadata"]["name"], status, "default", subresource="status")
    return made


async def write_many(kubeconfig: str, count: int) -> float:
    """Writes STORM changes of state; how many were written a second."""
    handler = HttpsHandler(load(Flags(kubeconfig=kubeconfig)))
    client, numbers, began = Client(handler), iter(range(STORM)), time.perf_counter()

    async def work() -> None:
        for number in numbers:
            status = {"status": {"message": f"storm {number}", "availableReplicas": number % 3}}
            await client.patch(ROLLOUTS, f"app-{number % count:04}", status, "default", subresource="status")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await handler.close()
    return STORM / (time.perf_counter() - began)


def memory_of(pid: int) -> float:
    """Resident memory, in MB of a million bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
