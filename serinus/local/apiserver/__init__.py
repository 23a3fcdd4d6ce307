"""The embedded Kubernetes API server: the real wire protocol over a small store, in-process or over HTTPS.

`ApiServer(store, schemas, clock, rng=...)` is the server: `start` it once, then `handle` requests. `MemoryStore` and
`open_store` are its stores, `HttpsServer` serves it on a socket, and `certs` creates the certificates.
"""
