"""Keys of a configuration: each is independent, and the error for a broken one names the correction."""

from __future__ import annotations

import pytest

from serinus.notifications.configuration import Configuration, read_configuration
from serinus.notifications.subscriptions import Destination

GOOD = {
    "service.slack": "token: $slack-token\n",
    "service.webhook.hook": "url: http://127.0.0.1:1/hook/\nheaders:\n- {name: X-K, value: Bearer $tok}\n",
    "template.t": "message: '{{.rollout.metadata.name}}'\n",
    "trigger.on-ok": "- when: rollout.status.phase == 'Healthy'\n  send: [t]\n  oncePer: rollout.metadata.name\n",
    "trigger.on-rollout-paused": "- send: [t]\n",
}
SECRETS = {"slack-token": b"xoxb", "tok": b"s3"}


def made(**changes: str) -> Configuration:
    return read_configuration(
        "ns", {**GOOD, **{key.replace("__", "."): text for key, text in changes.items()}}, SECRETS
    )


def with_key(key: str, text: str, before: Configuration | None = None) -> Configuration:
    return read_configuration("ns", {**GOOD, key: text}, SECRETS, before or Configuration())


def test_a_whole_configuration() -> None:
    found = made()
    assert found.problems == ()
    assert set(found.services) == {"slack", "hook"}
    assert found.services["slack"].options.token == "xoxb"
    assert found.services["hook"].options.headers[0].value == "Bearer s3"
    assert found.services["hook"].secrets == {"s3"}
    assert found.has_conditions


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("service.slak", "token: a", "service type 'slak' is not supported (did you mean slack?)"),
        ("service.slack.a.b", "token: a", "invalid service key; expected 'service.<type>(.<name>)' but got 'service.slack.a.b'"),
        ("service.slack", "token: a\nchannels: '#x'", "channels: expected a list, found a text"),
        ("service.slack", "token: a\napiURL: http://x/api", "apiURL must end in '/'"),
        ("service.email", "host: a\nport: many\nfrom: a@b", "port: expected a number, found a text"),
        ("service.webhook.hook", "url: [", "it is no YAML"),
        ("service.webhook.hook", "- url: http://x", "expected a map of options"),
        ("template.bad", "message: '{{.a.b[0].c}}'", "message: line 1: bad character U+005B '[' (write (index .list 0).field"),
        ("template.bad", "message: '{{timeSince .a}}'", 'message: line 1: function "timeSince" not defined'),
        ("template.bad", "message: '{{env `HOME`}}'", 'function "env" is not available in notification templates'),
        ("template.bad", "slack: {attachments: '{{if}}'}", "slack.attachments: line 1: missing value for if"),
        ("template.bad", "webhook: {hook: {body: '{{.a'}}", "webhook.hook.body: line 1: unclosed action"),
        ("template.bad", "just text", "expected a map with 'message'"),
        ("trigger.bad", "when: a", "expected a list of conditions, found a map or a text (begin each one with '- ')"),
        ("trigger.bad", "- send: t", "[0].send: expected a list, found a text"),
        ("trigger.bad", "- when: a = b", "[0].when: cannot read 'a = b'"),
        ("trigger.bad", "- when: 1 > 'a'", "[0].when: cannot read"),
        ("trigger.bad", "- oncePer: ((", "[0].oncePer: cannot read"),
        ("subscriptions", "- slack: ch", "this field means nothing"),
        ("subscriptions", "- recipients: [slack:a]\n  selector: a in b", "[0].selector"),
        ("defaultTriggers", "on-ok", "expected a list"),
        ("trigger.on-late", "- condition: a\n  send: [t]", "[0].condition: this field means nothing (did you mean when?)"),
        ("trigger.on-late", "- send: [tt]", "[0].send: there is no template tt (did you mean t?)"),
        ("triggers.on-late", "- send: [t]", "this key means nothing (did you mean trigger.on-late?)"),
        ("context", "a: b", "this key means nothing"),
        ("serinus.allowedHosts", "hooks.example", "expected a list, or a map from namespaces to lists, found a text"),
        ("serinus.allowedServices", "team-a: slack", "team-a: expected a list of texts"),
        ("template.t2", "message: a\nslak: {}", "slak: this field means nothing (did you mean slack?)"),
        ("template.t2", "slack: {color: red}", "slack.color: this field means nothing"),
        ("service.webhook.other", "url: http://x\nheaders: [{name: A, value: $nope}]", "the Secret has no key nope"),
        ("subscriptions", "- recipients: [slak:a]\n  triggers: [on-okk]", "there is no trigger on-okk (did you mean on-ok?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_the_rest_works(key: str, text: str, said: str) -> None:
    found = with_key(key, text)
    assert any(said in str(problem) and problem.key == key for problem in found.problems), [*map(str, found.problems)]
    kept = {"on-ok", "on-rollout-paused"}
    assert kept <= set(found.triggers)
    assert "t" in found.templates


@pytest.mark.parametrize(
    ("key", "text", "field"),
    [
        ("subscriptions", "- recipients: x", "[0].recipients"),
        ("defaultTriggers", "x", ""),
        ("defaultTriggers.hook", "[{a: b}]", "[0]"),
        ("trigger.z", "- send: x", "[0].send"),
        ("trigger.z", "[5]", "[0]"),
        ("template.u", "email: {subject: [a]}", "email.subject"),
        ("template.u", "webhook: {hook: {path: [a]}}", "webhook.hook.path"),
        ("template.u", "slack: 5", "slack"),
        ("service.webhook", "url: http://x\nheaders: [{name: [1]}]", "headers[0].name"),
    ],
)
def test_the_field_of_an_error_is_in_the_text(key: str, text: str, field: str) -> None:
    (problem,) = read_configuration("ns", {key: text}, {}).problems
    assert (problem.severity, problem.field) == ("error", field)


def test_a_broken_key_keeps_its_last_good_version_until_it_is_mended_or_removed() -> None:
    first = with_key("template.t", "message: first")
    broken = with_key("template.t", "message: '{{'", first)
    again = with_key("template.t", "message: '{{ '", broken)
    for one in (broken, again):
        message = one.templates["t"].message
        assert message is not None
        assert message.render({}) == "first"
        assert "its last good version stays in use" in str(one.problems[0])
    assert with_key("template.t", "message: second", again).problems == ()
    without = {key: text for key, text in GOOD.items() if key != "template.t"}
    assert "t" not in read_configuration("ns", without, SECRETS, again).templates


def test_only_changed_keys_are_read_again() -> None:
    first = made()
    second = read_configuration("ns", {**GOOD, "template.t": "message: x"}, {**SECRETS, "tok": b"s4"}, first)
    assert second.triggers["on-ok"] is first.triggers["on-ok"]
    assert second.services["slack"] is first.services["slack"]
    assert second.services["hook"].options.headers[0].value == "Bearer s4"


def test_texts_stay_texts() -> None:
    found = with_key(
        "subscriptions", "- recipients: [slack:y, slack:010, slack:1e3, 'slack:true']\n  triggers: [on-ok]\n"
    )
    recipients = [to for one in found.subscriptions for to in one.destinations]
    assert recipients == [Destination("slack", text) for text in ("y", "010", "1e3", "true")]


def test_field_names_are_matched_without_case_and_the_last_counts() -> None:
    found = with_key("service.slack", "Token: a\ntoken: b\nAPIURL: http://x/\n")
    assert found.problems == ()
    assert (found.services["slack"].options.token, found.services["slack"].options.api_url) == ("b", "http://x/")


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
    )
    found = with_key("trigger.bad", bomb)
    assert any("more than 10000 values" in str(problem) for problem in found.problems)


def test_no_secret_is_shown() -> None:
    found = made()
    assert "s3" not in repr(found)
    assert "xoxb" not in repr(found)
