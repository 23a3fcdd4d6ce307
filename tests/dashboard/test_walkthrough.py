"""Part 3 of the walkthrough as a user does it: `serinus up`, the real manifests, the dashboard in a browser, traffic.

Once by mouse and once by keyboard, through the dashboard that `up` brings and through `kubectl argo rollouts dashboard`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.instance.live import BIN, WALKTHROUGH, Instance, eventually


@pytest.fixture
def automatic(tmp_path: Path) -> Path:
    """The user's manifests; only the 30 s pauses are 2 s here."""
    made = tmp_path / "automatic"
    shutil.copytree(WALKTHROUGH / "automatic", made)
    manifest = made / "canary-rollout.yaml"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace("duration: 30s", "duration: 2s"))
    return made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "data")
    try:
        made.up()
        yield made
    finally:
        print(made.logs())
        made.serinus("down", check=False)


def release_green(instance: Instance, automatic: Path) -> None:
    manifest = automatic / "canary-rollout.yaml"
    for name in ("canary-demo-service.yaml", "canary-demo-ingress.yaml", "canary-rollout.yaml"):
        instance.shell(f"kubectl apply -f {name}", automatic)
    eventually(lambda: instance.get("rollout", "canary-demo").get("status", {}).get("phase") == "Healthy")
    manifest.write_text(manifest.read_text().replace(":blue", ":green"))
    instance.shell("kubectl apply -f canary-rollout.yaml", automatic)


class Visitors:
    """Requests one after the other beside the test, at most a bounded number of them."""

    def __init__(self, instance: Instance) -> None:
        self.failed, self.answers, self._over = 0, 0, threading.Event()
        self._instance = instance
        self._thread = threading.Thread(target=self._visit)

    def __enter__(self) -> Visitors:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)

    def _visit(self) -> None:
        while not self._over.wait(0.02) and self.answers < 5000:
            status, _ = self._instance.ask("canary.auto")
            self.answers += 1
            self.failed += status != 200


def test_the_promotion_by_mouse_in_the_dashboard_of_up(instance: Instance, automatic: Path, page: Page) -> None:
    release_green(instance, automatic)
    page.goto(instance.status["dashboard"])
    card = page.locator('[data-item="default/canary-demo"]')
    expect(card).to_contain_text("Paused", timeout=30_000)
    expect(card).to_contain_text("weight 20")
    card.get_by_role("link", name="canary-demo").click()
    steps = page.locator(".steps li")
    expect(steps).to_have_count(6)
    expect(steps.nth(1)).to_have_attribute("aria-current", "step")
    expect(page.locator("#why")).to_contain_text("step 2 of 6 waits until it is promoted")
    with Visitors(instance) as visitors:
        page.get_by_role("button", name="Promote", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("Next: set the weight to 50 %.")
        page.get_by_role("dialog").get_by_role("button", name="Promote").click()
        expect(page.get_by_role("region", name="Traffic")).to_contain_text("50 %")
        expect(page.locator(".steps li.current time")).to_contain_text("left")
        expect(page.get_by_role("region", name="Traffic")).to_contain_text("70 %", timeout=30_000)
        expect(page.get_by_role("region", name="Now")).to_contain_text(
            "Revision 2 has all of the traffic.", timeout=60_000
        )
        eventually(lambda: set(instance.colors("canary.auto", 10)) == {"green"})
    assert visitors.answers > 100
    assert not visitors.failed


@pytest.mark.long
def test_the_promotion_by_keyboard_in_the_dashboard_of_kubectl(instance: Instance, automatic: Path, page: Page) -> None:
    release_green(instance, automatic)
    command = ["kubectl", "argo", "rollouts", "dashboard", "--port", "0"]
    environment = instance.environment()
    program = shutil.which("kubectl", path=str(BIN)) or "kubectl"
    with subprocess.Popen([program, *command[1:]], stdout=-1, stderr=-1, text=True, env=environment) as dashboard:
        assert dashboard.stdout is not None
        assert dashboard.stderr is not None
        try:
            said = dashboard.stderr.readline()
            assert said.startswith("INFO[0000] Argo Rollouts Dashboard is now available at http://localhost:")
            assert said.endswith("/rollouts\n")
            page.goto(dashboard.stdout.readline().strip())
            expect(page.locator("[data-item]")).to_contain_text("Paused", timeout=30_000)
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            expect(page.locator(".steps li").nth(1)).to_have_attribute("aria-current", "step")
            page.keyboard.press("g")
            page.keyboard.press("p")
            expect(page.get_by_role("dialog")).to_be_visible()
            page.keyboard.press("Enter")
            expect(page.get_by_role("region", name="Traffic")).to_contain_text("50 %")
            expect(page.get_by_role("region", name="Now")).to_contain_text(
                "Revision 2 has all of the traffic.", timeout=60_000
            )
        finally:
            dashboard.terminate()
        assert dashboard.wait(20) == 0
        assert "Traceback" not in dashboard.stderr.read()


@pytest.mark.long
def test_up_keeps_address_and_session_over_a_restart(instance: Instance, page: Page) -> None:
    """A tab that was left open continues, signed in, when Serinus is started again."""
    address = instance.status["dashboard"]
    page.goto(address)
    expect(page.locator("main")).to_contain_text("There are no Rollouts yet")
    instance.serinus("down")
    expect(page.locator("#notice")).to_contain_text("Stale since")
    instance.up()
    assert instance.status["dashboard"] == address
    expect(page.locator("#notice")).to_be_hidden(timeout=20_000)
    assert (instance.data / "dashboard.token").stat().st_mode & 0o777 == 0o600
    assert (instance.data / "state.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.long
def test_a_port_that_is_taken_is_told_with_what_to_do(instance: Instance) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = instance.shell(f"kubectl argo rollouts dashboard --port {port}", check=False)
    assert f"the dashboard cannot listen on 127.0.0.1:{port}: Address already in use." in said
    assert "--port" in said
    assert f"serinus up shows the same Rollouts at {instance.status['dashboard']}" in said


def test_on_the_port_of_up_its_dashboard_is_named(instance: Instance) -> None:
    """The command is typed from habit beside a running `serinus up`, which has its dashboard on the same port."""
    port = instance.status["dashboard"].split(":")[2].split("/")[0]
    assert (
        instance.shell(f"kubectl argo rollouts dashboard --port {port} 2>/dev/null").strip()
        == instance.status["dashboard"]
    )
    other = instance.shell(f"kubectl argo rollouts dashboard --port {port} --read-only", check=False)
    assert f"cannot listen on 127.0.0.1:{port}" in other
    assert instance.status["dashboard"] in other


@pytest.mark.long
def test_doctor_and_the_upgrade_check_are_content_with_a_healthy_instance(instance: Instance) -> None:
    """The controller is a part of `serinus up`; both support it, and end with code 0."""
    doctor = instance.shell("serinus doctor")
    assert "✖" not in doctor
    assert "✔ controller: part of the serinus up that serves this API" in doctor
    assert "Controller:  part of the serinus up that serves this API" in instance.shell("serinus upgrade --check")
