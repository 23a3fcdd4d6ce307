"""The user behind each request: who it is, what he may see, and the requests that carry his identity."""
