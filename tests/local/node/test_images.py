from __future__ import annotations

import pytest

from serinus.local.node.images import ImageError, ImageRule, program_of, read_rules, split


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


def test_an_unknown_image_says_how_to_make_it_known() -> None:
    with pytest.raises(ImageError) as caught:
        program_of({"image": "shop/web:1"}, [], "shop")
    for hint in ("serinus-images", "namespace shop", "`command`", "--runtime docker"):
        assert hint in caught.value.message


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
        ("- image: [", "no YAML"),
        ("image: x", "must be a list"),
        ("- x", "[0] is 'x'"),
        ("- {image: x}", "[0].command is missing"),
        ("- {image: x, command: run}", "[0].command is 'run'"),
        ("- {image: 3, command: [run]}", "[0].image is 3"),
        ("- {image: x, command: [run], dir: y}", "unknown field 'dir'"),
        ("- {image: x, command: [run], env: [z]}", "[0].env is ['z']"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_with_its_place_and_value(text: str, says: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_rules(text, "ConfigMap default/serinus-images")
    assert caught.value.message.startswith("ConfigMap default/serinus-images: images.yaml")
    assert says in caught.value.message
