"""The way in with an OpenID provider: authorization code with PKCE."""
