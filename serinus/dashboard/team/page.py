"""The HTML of the pages for signing in and out. They need no script."""

from __future__ import annotations

from html import escape

from aiohttp import web

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Rollouts</title>
<link rel="icon" href="{root}/static/icon.svg">
<link rel="stylesheet" href="{root}/static/page.css">
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


def sign_in(root: str, back: str, reason: str, status: int, *, token: bool, oidc: str) -> web.Response:
    """`back`: the path to open afterwards. `reason`: why it did not work, or "". `oidc`: the path that leads to the
    provider; empty for none."""
    parts = [f'<p role="alert">{escape(reason)}</p>'] if reason else []
    if oidc:
        parts.append(f'<p><a href="{escape(oidc)}">Sign in with your organization\'s account</a></p>')
    if token:
        parts.append(
            f'<form method="post" action="{escape(root)}/auth/sign-in">'
            f'<input type="hidden" name="next" value="{escape(back)}">'
            '<p><label for="token">Token of the cluster</label></p>'
            '<p><input id="token" name="token" type="password" autocomplete="off" required size="40"></p>'
            "<p>For instance the output of <code>kubectl create token NAME</code>.</p>"
            '<p><button type="submit">Sign in</button></p></form>'
        )
    return _page(root, "Sign in", "\n".join(parts), status)


def sign_out(root: str, user: str, provider: str) -> web.Response:
    """`provider`: the origin to which signing out leads on; empty for none."""
    sentence = (
        f"<p>You are signed in as {escape(user)}.</p>" if user else "<p>You are not signed in with a session.</p>"
    )
    form = f'<form method="post" action="{escape(root)}/auth/sign-out"><p><button type="submit">Sign out</button></p></form>'
    back = f'<p><a href="{escape(root)}/">Back to the Rollouts</a></p>'
    return _page(root, "Sign out", sentence + (form if user else "") + back, 200, provider)


def _page(root: str, title: str, content: str, status: int, forms_to: str = "") -> web.Response:
    text = _FRAME.format(root=escape(root), title=title, content=content)
    policy = f"{_POLICY} {forms_to}".rstrip()
    # With the policy no-referrer of the other pages, the browser would send its forms with the Origin null.
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)
