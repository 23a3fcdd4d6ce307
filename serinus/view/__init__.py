"""Views of Rollouts and Experiments, shared by the command line and the dashboard. Pure."""
