"""Fixtures for all tests."""

from cluster_fixture import cluster as cluster
