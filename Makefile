# Wan Previs: two environments, both with Python 3.11 - Blender's side (.venv) and the engine's (.venv-engine).
PYTHON ?= python3.11
BLENDER_SIDE := .venv/bin/python
ENGINE_SIDE := .venv-engine/bin/python
SITE := .venv/lib/python3.11/site-packages
EXTENSION_CLI = $(shell ls $(SITE)/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py)

.PHONY: setup demo nano check test test-versions lint bench extension repository desktop-test examples clean

setup: .venv/ready .venv-engine/ready

.venv/ready: requirements-blender.lock
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --progress-bar on --disable-pip-version-check -r requirements-blender.lock
	ln -sfn "$(CURDIR)" $(SITE)/wan_previs
	mkdir -p .venv/types && ln -sfn "$(CURDIR)" .venv/types/wan_previs
	touch $@

.venv-engine/ready: requirements-engine.lock requirements-engine-dev.lock
	$(PYTHON) -m venv .venv-engine
	.venv-engine/bin/pip install --progress-bar on --disable-pip-version-check -r requirements-engine.lock -r requirements-engine-dev.lock
	touch $@

demo: setup
	$(BLENDER_SIDE) -m tools.demo demo

# Two test processes, as two cores have room for; one file's tests stay in one process.
SIDE_BY_SIDE := -n 2 --dist loadfile

test: setup lint
	$(BLENDER_SIDE) -m pytest $(SIDE_BY_SIDE) tests/house tests/bridge
	$(BLENDER_SIDE) -m pytest $(SIDE_BY_SIDE) tests/blender
	OMP_NUM_THREADS=1 $(ENGINE_SIDE) -m pytest $(SIDE_BY_SIDE) tests/engine

# Lint, types, import rules and the quick tests: before every commit.
check: setup lint
	$(BLENDER_SIDE) -m pytest tests/house tests/bridge/test_jobs.py tests/bridge/test_protocol.py tests/bridge/test_history.py
	$(BLENDER_SIDE) -m pytest tests/blender/scene/test_brief.py tests/blender/prompting/test_prompting.py
	$(ENGINE_SIDE) -m pytest tests/engine/test_request.py tests/engine/inputs/test_plan.py tests/engine/checkpoint/test_sizes.py

# Blender's side on 4.2, 4.5, 5.0, 5.1 and 5.2; the environments lie in .venvs, about 1 GB each.
VENVS ?= .venvs
test-versions: .venv/ready
	$(PYTHON) tools/versions.py --envs $(VENVS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: setup
	$(ENGINE_SIDE) -m benchmarks.run benchmarks/results.md

extension: setup
	mkdir -p dist
	$(BLENDER_SIDE) $(EXTENSION_CLI) build --source-dir . --output-dir dist
	$(BLENDER_SIDE) $(EXTENSION_CLI) validate dist/wan_previs-*.zip

# What a web server serves to Blender as a repository of extensions, with a page for people.
repository: extension
	mkdir -p dist/repository
	cp dist/wan_previs-*.zip dist/repository/
	$(BLENDER_SIDE) $(EXTENSION_CLI) server-generate --html --repo-dir dist/repository

# Makes the shipped checkpoint from nothing; hours on two cores.
nano: setup
	training/make.sh build/nano

examples: setup
	$(BLENDER_SIDE) examples/build.py examples

desktop-test: setup extension
	bash tests/desktop/run.sh

clean:
	rm -rf .venv .venv-engine dist demo build
