"""A registry for a node: the images of an archive (`archive.write_archive`), by the pull requests of the OCI distribution protocol."""

from __future__ import annotations

import json
import re
import tarfile
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.nodes.node_settings import ADDRESS

HUB = "docker.io"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PLACE = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/?]+)")


class Registry:
    """It answers on the node's address from `start` on, in the network of the thread that starts it."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._blobs: dict[str, tuple[int, int]] = {}
        """Digest -> the place of its content in the archive: offset and size."""
        self._manifests: dict[str, bytes] = {}
        """Digest, or repository:tag without the registry -> manifest."""
        with tarfile.open(archive) as files:
            listed = files.extractfile("manifest.json")
            assert listed is not None
            for member in files:
                self._blobs[f"sha256:{member.name.partition('.')[0]}"] = (member.offset_data, member.size)
            for image in json.loads(listed.read()):
                self._add(image)

    def start(self) -> str:
        """Its host and port."""
        outer = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer.answer(self, body=False)

            def do_GET(self) -> None:
                outer.answer(self, body=True)

            def log_message(self, format: str, *args: Any) -> None:
                """The output is not read."""

        self._server = ThreadingHTTPServer((ADDRESS, 0), Answer)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"{ADDRESS}:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        """One request for a manifest or a blob; 404 for all that it does not have."""
        asked = PLACE.fullmatch(request.path.partition("?")[0])
        name = asked["reference"] if asked else ""
        content, kind = b"", "application/octet-stream"
        if asked and asked["kind"] == "manifests":
            key = name if name.startswith("sha256:") else f"{asked['repository']}:{name}"
            content, kind = self._manifests.get(key, b""), MANIFEST
        elif name in self._blobs:
            content = self._read(*self._blobs[name])
        request.send_response(200 if content else 404)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        if content:
            request.send_header("Docker-Content-Digest", _digest(content) if kind == MANIFEST else name)
        request.end_headers()
        if body:
            request.wfile.write(content)

    def _add(self, image: dict[str, Any]) -> None:
        parts = [(CONFIG, image["Config"]), *((LAYER, name) for name in image["Layers"])]
        described: list[dict[str, Any]] = []
        for kind, file in parts:
            digest = f"sha256:{file.partition('.')[0]}"
            described.append({"mediaType": kind, "digest": digest, "size": self._blobs[digest][1]})
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
        content = json.dumps(manifest).encode()
        for name in (_digest(content), *(tag.removeprefix(f"{HUB}/") for tag in image["RepoTags"])):
            self._manifests[name] = content

    def _read(self, offset: int, size: int) -> bytes:
        with self._archive.open("rb") as file:
            file.seek(offset)
            return file.read(size)


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
