# The image of the controller: `docker build -t serinus .`, and that of the demo application: `--target demo`.
# `make image` builds the same image without a container engine: it runs write_root.py on this machine, and the stages
# below `root` by buildah. The files come from Debian's packages (tools/image/debian.lock) and Python's (requirements.lock),
# each pinned by its hash. The base of `root` is a tool: no file of it is in the image. A tag can be moved, so a release
# names it by its digest as well (docs/operations.md says where it comes from): --build-arg DIGEST=sha256:...
ARG DIGEST=
FROM python:3.11-slim-bookworm${DIGEST:+@${DIGEST}} AS root
ARG TARGETARCH
RUN apt-get update && apt-get install --yes --no-install-recommends git debian-archive-keyring
WORKDIR /src
COPY requirements-release.lock ./
RUN python -m venv .venv/release && .venv/release/bin/pip install --no-cache-dir --require-hashes -r requirements-release.lock
COPY . .
RUN .venv/release/bin/python tools/image/write_root.py --out /out --architecture "${TARGETARCH:-$(dpkg --print-architecture)}"

FROM scratch AS demo
ARG VERSION=
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="serinus-demo" \
      org.opencontainers.image.description="The demo application of Serinus: it returns its colour" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 65532:65532
ENV PATH=/opt/serinus/bin:/usr/bin PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
ENV HOST=0.0.0.0 PORT=8080 COLOR=blue
EXPOSE 8080
ENTRYPOINT ["/opt/serinus/bin/python", "-m", "serinus.demo.app"]
COPY --from=root /out/base /
COPY --from=root /out/serinus /

# It runs as a user without rights, and writes nothing to its root file system.
FROM scratch AS controller
ARG VERSION=
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="serinus" \
      org.opencontainers.image.description="Progressive delivery on Kubernetes: a drop-in for Argo Rollouts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 65532:65532
ENV PATH=/opt/serinus/bin:/usr/bin PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
ENTRYPOINT ["/opt/serinus/bin/serinus"]
CMD ["controller", "--address=0.0.0.0"]
COPY --from=root /out/base /
COPY --from=root /out/serinus /
