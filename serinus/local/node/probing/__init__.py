"""Probes of containers, and the traffic that a pod may still receive."""
