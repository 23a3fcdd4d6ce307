"""The demo application and the guided first canary."""
