"""Metrics of notifications, named as in Argo Rollouts, and metrics of the message queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from serinus.controller.monitoring.vectors import BUCKETS, head, owner, text
from serinus.kube.informer import Key

KEPT_SECONDS = 65.0
"""Seconds for which the series of a deleted object stay, as in Argo Rollouts, so that the last scrape finds them."""

Labels = tuple[str, str]
"""(type, reason) of an Event. A condition has the reason of its trigger."""


class NotificationSeries:
    """`forget` removes a deleted object's series after KEPT_SECONDS.

    `exists`: whether there is an object of this key, of any kind. `waiting`: waiting (messages, bytes); `problems`:
    faulty configurations.
    """

    def __init__(self) -> None:
        self._sent: dict[Key, dict[Labels, int]] = {}
        self._errors: dict[Key, dict[Labels, int]] = {}
        self._spent: dict[Key, list[float]] = {}
        self._gone: dict[Key, float] = {}
        """Deleted objects with series, and the time of the deletion or of their last message; the oldest first."""
        self.now: Callable[[], float] = lambda: 0.0
        self.exists: Callable[[Key], bool] = lambda _: True
        self.waiting: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.problems: Callable[[], list[tuple[str, str]]] = list

    def sent(self, key: Key, type_: str, reason: str) -> None:
        _count(self._sent, key, (type_, reason))
        self._used(key)

    def failed(self, key: Key, type_: str, reason: str) -> None:
        _count(self._errors, key, (type_, reason))
        self._used(key)

    def spent(self, key: Key, seconds: float) -> None:
        """Counts the seconds in which the messages of one Event were found and made."""
        buckets = self._spent.setdefault(key, [0.0] * (len(BUCKETS) + 2))
        for place, most in enumerate(BUCKETS):
            buckets[place] += seconds <= most
        buckets[-2] += 1
        buckets[-1] += seconds
        self._used(key)

    def forget(self, key: Key) -> None:
        """Removes the series of a deleted object after a while."""
        self._gone.pop(key, None)
        self._gone[key] = self.now()
        self._sweep()

    def _used(self, key: Key) -> None:
        if not self.exists(key):  # its message was delivered after the deletion
            self.forget(key)

    def _sweep(self) -> None:
        while self._gone and self.now() - next(iter(self._gone.values())) >= KEPT_SECONDS:
            key = next(iter(self._gone))
            del self._gone[key]
            if not self.exists(key):
                for series in (self._sent, self._errors, self._spent):
                    series.pop(key, None)

    def lines(self) -> Iterator[str]:
        self._sweep()
        yield from _counters("notification_send_success", "Notifications that were delivered.", self._sent)
        yield from _counters("notification_send_error", "Notifications that were given up.", self._errors)
        yield from head("notification_send", "histogram", "Seconds to find and make the notifications of an Event.")
        bounds = [*((place, f'le="{most}",') for place, most in enumerate(BUCKETS)), (len(BUCKETS), 'le="+Inf",')]
        for key, buckets in self._spent.items():
            who = owner(key)
            for place, bound in bounds:
                yield f"notification_send_bucket{{{bound}{who}}} {float(buckets[place])}\n"
            yield f"notification_send_count{{{who}}} {buckets[-2]}\nnotification_send_sum{{{who}}} {buckets[-1]}\n"
        messages, size = self.waiting()
        yield from head("notification_waiting", "gauge", "Notifications that wait for their receivers.")
        yield f"notification_waiting {float(messages)}\n"
        yield from head("notification_waiting_bytes", "gauge", "Memory of notifications that wait.")
        yield f"notification_waiting_bytes {float(size)}\n"
        yield from head("notification_config_error", "gauge", "1 for each key of a configuration that cannot be used.")
        for namespace, key in self.problems():
            yield f'notification_config_error{{namespace="{text(namespace)}",key="{text(key)}"}} 1.0\n'


def _count(series: dict[Key, dict[Labels, int]], key: Key, labels: Labels) -> None:
    counts = series.setdefault(key, {})
    counts[labels] = counts.get(labels, 0) + 1


def _counters(name: str, meaning: str, series: dict[Key, dict[Labels, int]]) -> Iterator[str]:
    yield from head(name, "counter", meaning)
    for key, counts in series.items():
        for (type_, reason), number in counts.items():
            yield f'{name}{{{owner(key)},reason="{text(reason)}",type="{text(type_)}"}} {float(number)}\n'
