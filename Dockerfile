# The controller's image: `docker build -t serinus .`. It runs as nobody, and writes nothing to its root file system.
# Every package is pinned by its hash. A tag can be moved, so a release names the base by its digest as well
# (docs/operations.md says where it comes from): --build-arg DIGEST=sha256:...
ARG DIGEST=
FROM python:3.11-slim${DIGEST:+@${DIGEST}} AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/serinus && /opt/serinus/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY serinus serinus
# Pip and setuptools have built it, and are not needed to run it.
RUN /opt/serinus/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/serinus/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim${DIGEST:+@${DIGEST}}
COPY --from=build /opt/serinus /opt/serinus
USER 65532
ENV PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/opt/serinus/bin/serinus"]
CMD ["controller", "--address=0.0.0.0"]
