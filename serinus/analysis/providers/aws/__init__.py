"""Credentials and signatures of requests to AWS."""
