# Serinus: `make` lists the targets. Everything happens in .venv; nothing else on the machine changes, but for the packages
# that `make test-nodes` installs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory
# Tests start many Python processes: without this cache each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
RELEASE := $(VENV)/.installed-release
SITE := $(VENV)/.installed-docs
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

.PHONY: help setup demo demo-analysis test test-all test-cluster test-gateways test-nodes lint style audit bench conformance lock docs image image-lock release clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) ## Install everything into .venv (a second run does nothing)

demo: $(RUN) ## Watch a whole canary with real traffic (ONCE=1: unattended, ends with a JSON summary)
	@$(BIN)/serinus demo $(if $(ONCE),--once)

demo-analysis: $(RUN) ## Watch a bad version fail its analysis and roll back automatically (ONCE=1: unattended; PROMETHEUS=PATH: the one to query)
	@$(BIN)/serinus demo --analysis $(if $(ONCE),--once) $(if $(PROMETHEUS),--prometheus "$(PROMETHEUS)")

# N tests at once, in processes of their own: tests/support/side_by_side.py says which may not run side by side. A third
# process has work to do while the e2e tests wait for pods to become ready. Pyright gives way to the
# tests, and has no output in a run without errors, so that the last line is pytest's.
define PYTEST_AND_TYPES
nice -n 10 $(BIN)/pyright > $(VENV)/types.log 2>&1 & types=$$!
trap 'kill $$types 2>/dev/null || true' EXIT
failed=0; $(BIN)/python -m pytest $(CHOSEN) $(ARGS) || failed=$$?
wait $$types || { cat $(VENV)/types.log; failed=1; }
exit $$failed
endef

test: CHOSEN = -n $(or $(N),3) --ignore=tests/cluster --ignore=tests/nodes
test: style ## Lint, types, the tests that need nothing but this machine's Python, but for long ones
	@$(PYTEST_AND_TYPES)

test-all: CHOSEN = -n $(or $(N),3)
test-all: style ## Run all that CI runs: `make test`, the long tests, and with root and Go the e2e tests, all recorded plays and tests/cluster on a real control plane, and Istio
	@export SERINUS_CLUSTER=also SERINUS_TESTS=all SERINUS_PLAYS=all SERINUS_GATEWAYS=$${SERINUS_GATEWAYS-build} SERINUS_FUZZ_SECONDS=$${SERINUS_FUZZ_SECONDS:-600}
	$(PYTEST_AND_TYPES)

# Only a KUBECONFIG that is given to make itself counts: the cluster a shell happens to point at is nobody's test bed.
THERE := $(if $(findstring command,$(origin KUBECONFIG)),$(if $(filter own,$(KUBECONFIG)),own,$(abspath $(KUBECONFIG))),own)

test-cluster: $(DEV) ## The same e2e tests on a real control plane (needs root and Go), or on a cluster: KUBECONFIG=… GATEWAY=URL
	@SERINUS_TESTS=all SERINUS_CLUSTER=$(THERE) SERINUS_GATEWAY=$(GATEWAY) $(BIN)/python -m pytest tests/e2e $(if $(filter own,$(THERE)),tests/cluster) $(ARGS)

test-gateways: $(DEV) ## The tests with real gateways, Istio too: builds istiod once (needs Go, about 9 minutes of processor) and downloads Envoy
	@SERINUS_TESTS=all SERINUS_GATEWAYS=build $(BIN)/python -m pytest tests/gateways $(ARGS)

test-nodes: $(DEV) ## The tests with real containers: a Kubernetes node, and `serinus up` with Podman (needs root and Go; installs containerd and podman from Debian; IMAGE=dist/serinus-….oci.tar: with an image of `make image`)
	@export SERINUS_TESTS=all SERINUS_NODES=install SERINUS_IMAGE=$(if $(IMAGE),$(abspath $(IMAGE)))
	$(BIN)/python -m pytest tests/nodes $(ARGS)
	SERINUS_CLUSTER=podman $(BIN)/python -m pytest tests/e2e/test_up.py tests/e2e/test_walkthrough.py -k 'not own_images' $(ARGS)
	$(BIN)/python -m tests.support.nodes.standing sh -c 'SERINUS_CLUSTER=$$KUBECONFIG SERINUS_GATEWAY=$$GATEWAY \
	  $(BIN)/python -m pytest tests/e2e/test_walkthrough.py tests/e2e/test_examples.py::test_blue_green $(ARGS)'

lint: style ## Check style, types and the language of pages and help texts
	@$(BIN)/pyright

style: $(DEV)
	@$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet . || { echo 'Run .venv/bin/ruff format . to format the files above.'; exit 1; }
	$(BIN)/python tools/check_language.py

audit: ## Ask OSV whether the pinned packages have known vulnerabilities (skipped, with a sentence, where it does not answer)
	@$(PYTHON) tools/audit.py

bench: $(DEV) ## Measure what docs/benchmarks.md promises
	@for f in bench/bench_*.py; do echo "== $$f"; $(BIN)/python "$$f"; done

conformance: $(DEV) ## The Kubernetes API itself, the walkthrough, and all recorded plays of Argo Rollouts, live (KUBECONFIG=own or FILE: only the plays, there)
	@export SERINUS_PLAYS=all SERINUS_TESTS=all
	if [ "$(origin KUBECONFIG)" = "command line" ]; then
	  export SERINUS_CLUSTER=$(THERE) SERINUS_GATEWAY=$(GATEWAY)
	  $(BIN)/python -m pytest tests/e2e/test_plays.py $(ARGS)
	else
	  $(BIN)/python -m pytest tests/local tests/e2e tests/plays $(ARGS)
	fi

lock: $(DEV) ## Pin the newest versions that pyproject.toml allows (needs uv)
	@compile() { uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade "$$@"; }
	build=$$(mktemp); trap 'rm -f "$$build"' EXIT; echo 'setuptools>=77' > "$$build"
	{ echo '# What Serinus is developed and tested with, every file by its hash. Made by `make lock`.'; compile pyproject.toml "$$build" --extra dev; } > dev.tmp
	{ echo '# What `serinus up` and `serinus demo` run with, every file by its hash. Made by `make lock`.'; compile pyproject.toml "$$build" --extra demo --extra dashboard-oidc -c dev.tmp; } > demo.tmp
	{ echo '# What the controller and the CLI run with, and the extras uvloop and dashboard-oidc, every file by its hash. Made by `make lock`.'; compile pyproject.toml "$$build" --extra uvloop --extra dashboard-oidc -c dev.tmp; } > run.tmp
	{ echo '# What `make docs` builds the site with, every file by its hash. Made by `make lock`.'; compile --group docs -c dev.tmp; } > docs.tmp
	{ echo '# What `make image` and `make release` build with, every file by its hash. Made by `make lock`.'; compile --group release -c dev.tmp; } > release.tmp
	mv docs.tmp requirements-docs.lock; mv release.tmp requirements-release.lock
	mv dev.tmp requirements-dev.lock; mv demo.tmp requirements-demo.lock; mv run.tmp requirements.lock

docs: $(SITE) ## Build the site of the documentation in build/site; a broken link fails it
	@$(VENV)/docs/bin/python tools/site/stage.py build/site-source
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict
	echo "Read it: build/site/index.html"

image: $(RELEASE) ## Build the images as OCI archives in dist/, without a container engine (needs buildah, root and Debian's apt; ARCH=arm64)
	@$(VENV)/release/bin/python tools/image/build_image.py $(if $(ARCH),--architecture $(ARCH))

image-lock: $(RELEASE) ## Pin the newest versions of the Debian packages of the image
	@$(VENV)/release/bin/python tools/image/lock_debian.py

release: $(RELEASE) ## Build and sign all files of a release in dist/: MINISIGN_KEY=FILE or GPG_KEY=ID (ARCH=amd64: only that image)
	@$(VENV)/release/bin/python tools/release.py $(if $(MINISIGN_KEY),--minisign-key "$(MINISIGN_KEY)") $(if $(GPG_KEY),--gpg-key "$(GPG_KEY)") \
	  $(if $(UNSIGNED),--unsigned) $(if $(ARCH),--architectures $(ARCH))

clean: ## Remove .venv and caches
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Serinus needs Python 3.11 or newer: install it, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python could not make a virtual environment: on Debian or Ubuntu, apt-get install python3-venv" >&2; exit 1; }

# --no-build-isolation: the pinned setuptools builds, nothing unpinned is fetched. editable_mode=compat: a plain path
# instead of an import hook, which every start of a command would pay for.
$(RUN): requirements-demo.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Serinus runs with into $(VENV) (once, about a minute) ..."
	$(PIP) install --require-hashes -r requirements-demo.lock
	$(PIP) install --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	touch $@

$(DEV): requirements-dev.lock $(RUN)
	@echo "Installing the tools for development and tests ..."
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

# The modules of the image are compiled by the version of Python that runs them, which is Debian's.
$(RELEASE): requirements-release.lock
	@echo "Installing the tools of a release into $(VENV)/release ..."
	$$(command -v python3.11 || echo $(PYTHON)) -m venv --clear $(VENV)/release
	$(VENV)/release/bin/python -m pip --disable-pip-version-check --quiet --no-input install --require-hashes -r requirements-release.lock
	touch $@

$(SITE): requirements-docs.lock | $(BIN)/python
	@echo "Installing the tools of the site into $(VENV)/docs ..."
	$(BIN)/python -m venv --clear $(VENV)/docs
	$(VENV)/docs/bin/python -m pip --disable-pip-version-check --quiet --no-input install --require-hashes -r requirements-docs.lock
	touch $@
