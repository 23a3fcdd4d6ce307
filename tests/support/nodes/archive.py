"""Images for a node without an engine or a registry: an archive as `docker save` writes it, which containerd and Podman load."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """`layers`: tar files, the lowest first. `user`: its number, or its name in the image's /etc/passwd."""

    name: str
    layers: tuple[Path, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = ""

    def config(self) -> bytes:
        """Its configuration, in which a layer is the digest of its tar file."""
        settings = {
            "Entrypoint": self.entrypoint,
            "Cmd": self.command,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "User": self.user,
        }
        return json.dumps(
            {
                "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
                "os": "linux",
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}" for layer in self.layers]},
            }
        ).encode()


def write_archive(path: Path, images: Iterable[Image]) -> Path:
    """An archive of the images; layers that they share are in it once."""
    images = tuple(images)
    layers = {digest(layer): layer for image in images for layer in image.layers}
    manifest: list[dict[str, object]] = []
    with tarfile.open(path, "w") as archive:
        for name, layer in layers.items():
            archive.add(layer, f"{name}.tar")
        for image in images:
            config = image.config()
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, name, config)
            used = [f"{digest(layer)}.tar" for layer in image.layers]
            manifest.append({"Config": name, "RepoTags": [image.name], "Layers": used})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return path


def write_layer(path: Path, files: Mapping[str, Path | bytes]) -> Path:
    """A layer of files: path in the image -> a file of this machine, or its content. All belong to root, and everybody reads them."""
    with tarfile.open(path, "w") as layer:
        directories = {parent for name in files for parent in Path(name).parents if parent.name}
        for directory in sorted(directories):
            layer.addfile(_entry(str(directory), 0o755, tarfile.DIRTYPE))
        for name, source in sorted(files.items()):
            content = source if isinstance(source, bytes) else source.read_bytes()
            runs = isinstance(source, bytes) or source.stat().st_mode & 0o100
            entry = _entry(name, 0o755 if runs else 0o644)
            if isinstance(source, Path):  # Python compares it with the time in a compiled module
                entry.mtime = int(source.stat().st_mtime)
            entry.size = len(content)
            layer.addfile(entry, io.BytesIO(content))
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.mode, entry.type = mode, kind
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
