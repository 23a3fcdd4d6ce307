"""Traffic routers: functions from desired traffic and the routers' objects to actions."""
