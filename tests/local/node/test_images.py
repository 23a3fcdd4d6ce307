from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from serinus.local.node.images import ImageError, ImageRule, config_map_place, program_of, read_rules, split


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("argoproj/rollouts-demo:blue", ("argoproj/rollouts-demo", "blue")),
        ("docker.io/argoproj/rollouts-demo:blue", ("argoproj/rollouts-demo", "blue")),
        ("nginx", ("nginx", "latest")),
        ("docker.io/library/nginx:1", ("nginx", "1")),
        ("localhost:5000/shop/web", ("localhost:5000/shop/web", "latest")),
        ("shop/web:1@sha256:abc", ("shop/web", "1")),
    ],
)
def test_an_image_is_a_repository_and_a_tag(image: str, expected: tuple[str, str]) -> None:
    assert split(image) == expected


@pytest.mark.parametrize("tag", ["red", "bad-green", "slow-purple"])
def test_the_demo_has_a_colour_for_each_of_its_tags(tag: str) -> None:
    program = program_of({"image": f"argoproj/rollouts-demo:{tag}"}, [], "default")
    assert program.command[-2:] == ("--color", tag)
    assert "$(POD_IP)" in program.command


@pytest.mark.parametrize("tag", ["pink", "bad-", "bad", "good-red", "bad-slow-red", "latest"])
def test_a_tag_that_the_demo_does_not_have_names_those_it_has(tag: str) -> None:
    with pytest.raises(ImageError, match="red, orange, yellow, green, blue, purple"):
        program_of({"image": f"argoproj/rollouts-demo:{tag}"}, [], "default")


REPOSITORY = Path(__file__).parents[3]
WEB = ImageRule("nginx", ("./web",), ("-v",), "/srv", {"MODE": "local"}, "f[0]")
TAGGED = ImageRule("nginx:1.2?", ("./tagged",), place="f[1]")
ANY = ImageRule("*", ("./any",), place="f[2]")
NOTHING = None


@pytest.mark.parametrize("own", [(), ("sh", "-c", "true")], ids=["no-command", "own-command"])
@pytest.mark.parametrize(
    ("image", "rules", "runs", "says"),
    [
        ("nginx:1.27", [], NOTHING, ""),
        ("nginx", [], NOTHING, ""),
        ("docker.io/library/nginx:1.27", [], NOTHING, ""),
        ("nginx@sha256:0123", [], NOTHING, ""),
        ("ghcr.io/acme/app:1", [], NOTHING, ""),
        ("localhost:5000/shop/web", [], NOTHING, ""),
        ("busybox:1.36", [], NOTHING, ""),
        ("ghcr.io/acme/app:1", [WEB, TAGGED], NOTHING, ""),
        ("nginx:1.27", [WEB, TAGGED], ("./web", "-v"), 'the rule "nginx" (f[0])'),
        ("nginx:1.27", [TAGGED, WEB], ("./tagged",), 'the rule "nginx:1.2?" (f[1])'),
        ("nginx:1.30", [TAGGED, WEB], ("./web", "-v"), 'the rule "nginx" (f[0])'),
        ("docker.io/library/nginx:1.27", [TAGGED], ("./tagged",), 'the rule "nginx:1.2?" (f[1])'),
        ("nginx@sha256:0123", [TAGGED, WEB], ("./web", "-v"), 'the rule "nginx" (f[0])'),
        ("ghcr.io/acme/app:1", [WEB, ANY], ("./any",), 'the rule "*" (f[2])'),
        ("argoproj/rollouts-demo:blue", [ANY], ("./any",), 'the rule "*" (f[2])'),
        ("argoproj/rollouts-demo:blue", [WEB], ("demo",), "the demo application"),
    ],
)
def test_an_image_and_its_rules_give_a_command_or_an_error_and_the_containers_own_command_always_wins(
    image: str, rules: list[ImageRule], runs: tuple[str, ...] | None, says: str, own: tuple[str, ...]
) -> None:
    """The table of docs/images.md."""
    container = {"image": image, **({"command": list(own)} if own else {})}
    if runs is NOTHING and not own:
        with pytest.raises(ImageError, match="has no command on this machine"):
            program_of(container, rules, "default")
        return
    program = program_of(container, rules, "default")
    if own:
        assert (program.command, program.args) == (own, ())
        assert "the container's own command" in program.because
    elif runs == ("demo",):
        assert "serinus.demo.app" in program.command
    else:
        assert (*program.command, *program.args) == runs
    assert f'Image "{image}" is not used' in program.because
    assert own or says in program.because


@pytest.mark.parametrize(
    ("ports", "stand_in"),
    [([{"containerPort": 80}], "http.server"), ([], "sleep"), ([{"containerPort": 53, "protocol": "UDP"}], "sleep")],
)
@pytest.mark.parametrize(
    "image", ["nginx:1.27", "ghcr.io/acme/app:1", "localhost:5000/a/b@sha256:01", "x'; touch owned; echo '", 'a"b']
)
def test_an_unknown_image_gives_the_lines_to_type_and_they_make_it_known(
    image: str, ports: list[dict[str, object]], stand_in: str, tmp_path: Path
) -> None:
    """A shell runs the first line unchanged; the resulting rules are then those of the ConfigMap."""
    container = {"image": image, "ports": ports}
    with pytest.raises(ImageError) as caught:
        program_of(container, [], "shop")
    message = caught.value.message
    assert message.startswith(f'image "{image}" ')
    assert len(message) < 900, "a pod's status has room for 1024 characters"
    for hint in ("a `command` in the container", "serinus up --image-map", "serinus up --runtime docker"):
        assert hint in message
    write, apply = re.findall(r"`(echo .*?|kubectl .*?)`", message)
    assert apply.startswith("kubectl create configmap serinus-images -n shop --from-file=images.yaml ")
    subprocess.run(["sh", "-c", write], cwd=tmp_path, check=True)
    assert [f.name for f in tmp_path.iterdir()] == ["images.yaml"]
    rules = read_rules((tmp_path / "images.yaml").read_text(), "f")
    assert stand_in in program_of(container, rules, "shop").command


@pytest.mark.parametrize("page", ["README.md", "docs/images.md"])
def test_the_pages_have_the_lines_that_the_error_gives(page: str) -> None:
    with pytest.raises(ImageError) as caught:
        program_of({"image": "nginx:1.27", "ports": [{"containerPort": 80}]}, [], "default")
    text = (REPOSITORY / page).read_text()
    for line in re.findall(r"`(echo .*?|kubectl .*?)`", caught.value.message):
        assert f"\n{line}\n" in text


def test_where_the_config_map_has_rules_the_line_is_added_to_them() -> None:
    """`kubectl apply` of a file with one rule would remove the others."""
    place = f"{config_map_place('shop')}[0]"
    with pytest.raises(ImageError) as caught:
        program_of({"image": "shop/api:1"}, [ImageRule("shop/web", ("./web",), place=place)], "shop")
    assert '`- {image: "shop/api:*", command: [sleep, infinity]}`' in caught.value.message
    assert "`kubectl edit configmap serinus-images -n shop`" in caught.value.message
    assert "kubectl apply" not in caught.value.message


def test_a_containers_own_command_runs_without_any_rule() -> None:
    program = program_of({"image": "shop/web:1", "command": ["./web"], "args": ["-v"]}, [], "default")
    assert (program.command, program.args) == (("./web",), ("-v",))


def test_a_rule_of_the_user_comes_before_the_demo_and_its_args_give_way_to_the_containers() -> None:
    rules = [ImageRule("argoproj/rollouts-demo", ("./mine",), ("default",), "/srv", {"MODE": "local"})]
    program = program_of({"image": "argoproj/rollouts-demo:blue"}, rules, "default")
    assert (program.command, program.args, program.working_dir) == (("./mine",), ("default",), "/srv")
    assert program.env == {"MODE": "local", "IMAGE": "argoproj/rollouts-demo:blue", "IMAGE_TAG": "blue"}
    assert program_of({"image": "argoproj/rollouts-demo:blue", "args": ["x"]}, rules, "default").args == ("x",)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("shop/*", True), ("shop/web", True), ("shop/web:1.?", True), ("shop/web:2*", False), ("*", True)],
)
def test_patterns_match_as_in_a_shell(pattern: str, matches: bool) -> None:
    rules = [ImageRule(pattern, ("./web",))]
    if matches:
        assert program_of({"image": "shop/web:1.4"}, rules, "default").command == ("./web",)
    else:
        with pytest.raises(ImageError):
            program_of({"image": "shop/web:1.4"}, rules, "default")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- image: [", "cannot be read as YAML"),
        ("image: x", "must be a list"),
        ("- x", "[0] is 'x'"),
        ("- {image: x}", "[0].command is missing"),
        ("- {image: x, command: run}", "[0].command is 'run'"),
        ("- {image: [3], command: [run]}", "[0].image is [3]"),
        ("- {command: [run]}", "[0].image is None"),
        ("- {image: x, command: [run, ~]}", "[0].command[1] is None"),
        ("- {image: x, command: [run, {a: b}]}", "[0].command[1] is {'a': 'b'}"),
        ("- {image: x, command: [run], args: -v}", "[0].args is '-v'"),
        ("- {image: x, command: [run], workingDir: [z]}", "[0].workingDir is ['z']"),
        ("- {image: x, command: [run], env: {A: ~}}", "[0].env.A is None"),
        ("- {image: x, command: [run], env: {A: [b]}}", "[0].env.A is ['b']"),
        ("- {image: x, command: [run]}\n- {image: z}", "[1].command is missing"),
        ("- {image: x, command: [run, 8080]}", "[0].command[1] is 8080: write a word; numbers and booleans in quotes"),
        ("- {image: x, command: [run, 1.10]}", "[0].command[1] is 1.1: write a word; numbers and booleans in quotes"),
        ("- {image: x, command: [run], args: [yes]}", "[0].args[0] is True: write a word; numbers and booleans in"),
        ("- {image: x, command: [run], env: {A: 1e3}}", "[0].env.A is 1000"),
        ("- {image: x, command: [run], command: [go]}", "'command' is there twice"),
        ("- {image: x, command: [run]}\n---\n- {image: z, command: [run]}", "has 2 documents"),
        ("[" * 20000, "cannot be read as YAML"),
        ("- {image: x, command: [run], dir: z}", "unknown field 'dir'"),
        ("- {image: x, command: [run], env: [z]}", "[0].env is ['z']"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_with_its_place_and_value(text: str, says: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_rules(text, config_map_place("default"))
    assert caught.value.message.startswith("ConfigMap default/serinus-images: images.yaml")
    assert says in caught.value.message
