"""The time of tests in virtual time."""

from __future__ import annotations

NOOP_CYCLES = 4
"""Passes of an event loop without work before looptime moves the clock. Its default of 42 takes two thirds of a test's processor time."""
