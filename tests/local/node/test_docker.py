"""Only the command lines: no container engine runs here."""

from __future__ import annotations

from dataclasses import replace

from serinus.local.node.docker import container_name, run_command
from serinus.local.node.runtime import Launch, PodRef

POD = PodRef("shop", "web-1", "0123456789abcdef")
LAUNCH = Launch(
    POD, "c", 2, ("./web", "-v"), {"A": "1", "B": "2"}, "/srv", "127.77.0.9", "shop/web:1", (8080,), ("A", "B")
)


def test_a_container_is_published_on_its_pods_address_only() -> None:
    words = run_command("name", LAUNCH)
    assert words[words.index("--publish") + 1] == "127.77.0.9:8080:8080/tcp"


def test_a_command_replaces_the_images_own_and_its_rest_goes_behind_the_image() -> None:
    words = run_command("name", LAUNCH)
    assert words[words.index("--entrypoint") :] == ("--entrypoint", "./web", "shop/web:1", "-v")
    assert run_command("name", replace(LAUNCH, argv=()))[-1] == "shop/web:1"


def test_environment_and_directory_are_passed_on() -> None:
    words = run_command("name", LAUNCH)
    assert [words[i + 1] for i, w in enumerate(words) if w == "--env"] == ["A=1", "B=2"]
    assert words[words.index("--workdir") + 1] == "/srv"


def test_each_start_has_a_name_of_its_own() -> None:
    assert container_name(POD, "c", 2) == "serinus_shop_web-1_c_01234567_2"
