"""Routing of requests in a pass over a canary: Services, the weight, and the routers."""
