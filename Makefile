# Every target makes the virtual environment first when it is missing or stale.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export PYTHONPATH := $(CURDIR):$(CURDIR)/protos/gen

.DEFAULT_GOAL := help
.PHONY: help install demo run up down bench bench-import test test-faults test-browser test-compose ci check lint types protos protos-check fmt lock clean

help: ## what there is to call
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

install: $(STAMP) ## the virtual environment .venv, hash-locked

$(STAMP): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@# The repository's own packages and the generated code, for whatever is started from this environment.
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/protos/gen' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/taskmanager.pth"
	@touch $(STAMP)

demo: $(STAMP) ## the main job on embedded real servers, from nothing to an imported file
	@$(BIN)/python -m deploy.local demo

GATEWAY_PORT ?= 8080
AUTH_PORT ?= 50051
TASKS_PORT ?= 50052
run: $(STAMP) ## the same system, left running on 8080 (REST), 50051 (auth), 50052 (tasks); data in ./data
	@$(BIN)/python -m deploy.local run --data-dir data --gateway-port $(GATEWAY_PORT) --auth-port $(AUTH_PORT) --tasks-port $(TASKS_PORT)

up: ## the same system from images, by docker compose
	docker compose up --build --wait

down: ## stops what `make up` started; volumes stay
	docker compose down

WORKERS ?= logical
test: $(STAMP) ## all tests that need no Docker and no browser, in parallel; WORKERS=… sets the number of processes
	$(BIN)/python -m pytest -m 'not browser and not compose' -n $(WORKERS) --maxprocesses 8 --no-loadscope-reorder --durations 20

test-faults: $(STAMP) ## imports under a long schedule of faults; FAULT_SEED=… repeats one
	FAULT_IMPORTS=$${FAULT_IMPORTS:-112} $(BIN)/python -m pytest -s tests/faults

test-browser: $(STAMP) ## the pages, in a real Chromium
	$(BIN)/python -m pytest -m browser

test-compose: $(STAMP) ## the images and docker-compose.yml, in a real engine
	$(BIN)/python -m pytest -m compose

bench: $(STAMP) ## speed and memory, each beside a floor measured in the same run
	$(BIN)/python -m tests.bench

bench-import: $(STAMP) ## imports: against \copy, memory, a growing table, calls meanwhile; BENCH="--rows 20000 ..." for less
	$(BIN)/python -m tests.bench.import_goals $(BENCH)

ci: check test test-browser test-compose ## all that a change must pass

check: lint types protos-check ## all that runs nothing

lint: $(STAMP) ## ruff, import contracts and the contract's own lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	@protos/generate "$$(mktemp -d)" $(VENV)/contract.binpb && $(BIN)/buf lint $(VENV)/contract.binpb --config protos/buf.yaml

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

protos: $(STAMP) ## regenerates protos/gen
	protos/generate

protos-check: $(STAMP) ## fails where protos/gen is not what the .proto files say
	@made="$$(mktemp -d)" && protos/generate "$$made" && diff -r -x pyproject.toml -x __pycache__ -x build -x '*.egg-info' "$$made" protos/gen && echo "protos/gen is up to date"

fmt: $(STAMP) ## formats, and mends what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## resolves requirements/*.txt anew; the services' against the development one
	cd requirements && ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group ../pyproject.toml:dev -o dev.txt
	cd requirements && for pair in auth:auth_service tasks:task_service worker:import_worker gateway:gateway; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    --group "../pyproject.toml:$${pair%%:*}" --constraint dev.txt -o "$${pair##*:}.txt"; done

clean: ## removes the virtual environment, caches and the local data
	rm -rf $(VENV) data protos/gen/build protos/gen/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
