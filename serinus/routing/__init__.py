"""Traffic routers: desired traffic and the objects they own go in, actions come out."""
