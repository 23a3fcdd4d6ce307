"""The demo application with its page, a gateway and a node: the real process, real sockets."""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from serinus.demo.app import AppSettings, BadSetting, answer_color, read_settings
from serinus.demo.counts import Counts
from serinus.demo.http11 import BadRequest, take_request


class App:
    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serinus.demo.app", "--port", "0", *args], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.port = int(self.said.rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)


@pytest.fixture
def green() -> Iterator[App]:
    app = App("--color", "green")
    yield app
    app.process.kill()
    app.process.wait()


def ask(
    connection: http.client.HTTPConnection, method: str = "GET", path: str = "/color", body: str = ""
) -> tuple[int, str]:
    connection.request(method, path, body or None)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def samples(text: str, name: str) -> list[Sample]:
    return [
        sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    ]


def test_color_is_a_json_string_and_one_connection_serves_many_requests(green: App):
    connection = green.connect()
    assert [ask(connection) for _ in range(3)] == [(200, '"green"')] * 3
    assert ask(connection, "POST", body='[{"color":"green","return500":100}]') == (500, '"green"')
    assert ask(connection, "POST", body='[{"color":"blue","return500":100}]') == (200, '"green"')


def test_the_page_and_its_own_files_are_served(green: App):
    connection = green.connect()
    status, page = ask(connection, path="/")
    assert status == 200
    for name in ("squares.js", "squares.css"):
        assert name in page
        assert ask(connection, path=f"/{name}")[0] == 200
    assert ask(connection, path="/../app.py")[0] == 404


def test_it_tells_how_its_requests_went_and_being_asked_for_it_does_not_count(green: App):
    connection = green.connect()
    assert ask(connection, path="/metrics.json") == (200, '{"requests": 0, "errors": 0, "successRate": null}')
    for _ in range(3):
        ask(connection)
    ask(connection, "POST", body='[{"color":"green","return500":100}]')
    ask(connection, path="/nowhere")
    status, text = ask(connection, path="/metrics")
    found = {sample.labels["code"]: sample.value for sample in samples(text, "http_requests_total")}
    assert (status, found) == (200, {"200": 3, "404": 1, "500": 1})
    assert [sample.value for sample in samples(text, "http_request_errors_total")] == [1]
    assert ask(connection, path="/metrics.json") == (200, '{"requests": 5, "errors": 1, "successRate": 0.8}')
    assert ask(connection, "POST", path="/metrics")[0] == 405


def test_successes_and_errors_are_there_before_the_first_request():
    """A rate that sees a counter for the first time at 7 does not count those 7."""
    found = {sample.labels["code"]: sample.value for sample in samples(Counts().text().decode(), "http_requests_total")}
    assert found == {"200": 0, "500": 0}


def test_pipelined_requests_are_answered_in_order(green: App):
    with socket.create_connection(("127.0.0.1", green.port)) as sock:
        late = b'[{"color":"green","delayPercent":100,"delayLength":0.05,"return500":100}]'
        sock.sendall(b"POST /color HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(late), late))
        sock.sendall(b"GET /color HTTP/1.1\r\nConnection: close\r\n\r\n")
        answers = b""
        while piece := sock.recv(65536):
            answers += piece
    assert answers.index(b" 500 ") < answers.index(b" 200 ")


def test_told_to_stop_it_answers_what_comes_finishes_what_it_began_and_ends():
    """The gateway receives a pod's end a moment later than the pod: until then no request may be refused."""
    app = App("--color=green", "--stop-delay=0.3")
    slow, late = app.connect(), app.connect()
    slow.request("POST", "/color", '[{"color":"green","delayPercent":100,"delayLength":0.6}]')
    late.connect()
    app.process.send_signal(signal.SIGTERM)
    assert app.process.stdout is not None
    assert "told to stop" in app.process.stdout.readline()
    late.request("GET", "/color")
    answer = late.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")
    assert ask(app.connect()) == (200, '"green"')
    assert slow.getresponse().read() == b'"green"'
    assert app.process.wait(10) == 0


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("blue", AppSettings(color="blue")),
        ("bad-red", AppSettings(color="red", error_rate=15)),
        ("slow-purple", AppSettings(color="purple", latency=2)),
    ],
)
def test_a_tag_is_a_colour_a_bad_one_or_a_slow_one(tag: str, expected: AppSettings):
    assert read_settings(["--color", tag], {}) == expected
    assert read_settings([], {"COLOR": tag}) == expected


def test_options_win_over_the_environment_and_both_over_the_tag():
    settings = read_settings(["--error-rate=5"], {"COLOR": "bad-red", "ERROR_RATE": "7", "LATENCY": "0.5"})
    assert (settings.error_rate, settings.latency) == (5, 0.5)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--color", "pink"], "'pink'"),
        (["--color", "very-bad-red"], "'very-bad-red'"),
        (["--port", "http"], "'http'"),
        (["--port", "70000"], "'70000'"),
        (["--colour", "red"], "'--colour'"),
        (["--port"], "'--port'"),
    ],
)
def test_a_setting_that_means_nothing_is_named(args: list[str], named: str):
    with pytest.raises(BadSetting, match=named):
        read_settings(args, {})


def test_error_rate_and_wishes_are_shares_of_the_answers():
    chance = random.Random(1)
    answers = [answer_color(AppSettings(color="red", error_rate=10), b"", chance).status for _ in range(5000)]
    assert answers.count(500) == pytest.approx(500, abs=80)
    wish = json.dumps([{"color": "red", "delayPercent": 50, "delayLength": 2}]).encode()
    delays = [answer_color(AppSettings(color="red", latency=1), wish, chance).after for _ in range(2000)]
    assert set(delays) == {1, 3}
    assert delays.count(3) == pytest.approx(1000, abs=120)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_request_is_taken_whole_however_it_was_cut(cut: int):
    whole = b"POST /color HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    buffer = bytearray(whole[:-cut])
    assert take_request(buffer) is None
    buffer += whole[-cut:] + b"GET"
    request = take_request(buffer)
    assert request is not None
    assert (request.body, bytes(buffer)) == (b"abcde", b"GET")


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"x" * 20000,
    ],
)
def test_what_is_not_http_gets_an_error_and_nothing_more(raw: bytes):
    with pytest.raises(BadRequest):
        take_request(bytearray(raw))
