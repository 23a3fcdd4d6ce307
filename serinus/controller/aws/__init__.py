"""Calls of the AWS API that read the weights in force on load balancers."""
