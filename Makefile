# Every target first creates the virtual environment if it is missing or older than its requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
API_VENV := .venv-api
API_STAMP := $(API_VENV)/.installed
NODE_STAMPS := tests/api/node_modules/.installed tests/node/node_modules/.installed

export PYTHONPATH := $(CURDIR):$(CURDIR)/protos/gen:$(CURDIR)/cli

.DEFAULT_GOAL := help
.PHONY: help install demo run backup restore up down bench bench-import bench-overload bench-peers bench-fair bench-growth test test-faults test-api test-browser test-compose ci check lint types migrations-check manifests protos protos-check openapi fmt lock clean observability

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

install: $(STAMP) ## Create the virtual environment .venv from hash-locked requirements

$(STAMP): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("This project needs Python 3.11 or newer. This is Python " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing the packages of requirements/dev.txt into $(VENV). This takes a minute or two.'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@# Put the repository's packages and the generated code on the path of every program in this environment.
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/protos/gen' '$(CURDIR)/cli' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/taskmanager.pth"
	@# buf reads the imported files of googleapis from protos/googleapis.
	@$(BIN)/python protos/copy-googleapis
	@touch $(STAMP)

demo: $(STAMP) ## Start the whole system on embedded servers, import a sample file, stop the system
	@$(BIN)/python -m deploy.local demo

DATA ?= data
GATEWAY_PORT ?= 8080
AUTH_PORT ?= 50051
TASKS_PORT ?= 50052
run: $(STAMP) ## Run the whole system on 8080 (REST), 50051 (auth) and 50052 (tasks), with its data in DATA=…, by default ./data
	@$(BIN)/python -m deploy.local run --data-dir $(DATA) --gateway-port $(GATEWAY_PORT) --auth-port $(AUTH_PORT) --tasks-port $(TASKS_PORT)

backup: BACKUP ?= backups/$(shell date -u +%Y-%m-%dT%H-%M-%SZ)
backup: $(STAMP) ## Back up the running stack of `make run` into a new folder; BACKUP=… names it
	@$(BIN)/python -m deploy.local backup --data-dir $(DATA) $(BACKUP)

restore: $(STAMP) ## Restore a backup into a new data directory that has the secrets.json of the old one; BACKUP=… DATA=…
	@$(if $(BACKUP),,$(error Name the backup: make restore BACKUP=backups/…))
	@$(BIN)/python -m deploy.local restore --data-dir $(DATA) $(BACKUP)

up: ## Build the images and run the whole system with docker compose
	@docker compose version > /dev/null 2>&1 || { echo 'docker compose is missing. Install Docker with its compose plugin.' >&2; exit 1; }
	docker compose up --build --wait

down: ## Stop the containers of `make up` and keep their volumes
	docker compose down

# Tests wait for servers half of their time: three processes keep two cores busy.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 2) * 3 // 2))')
test: $(STAMP) ## Run all tests that need no Docker, no browser and no Node.js, in parallel; WORKERS=… sets the number of processes
	$(BIN)/python -m pytest -m 'not api and not browser and not compose' -n $(WORKERS) --maxprocesses 8 --no-loadscope-reorder --durations 20

test-faults: $(STAMP) ## Run imports under a long schedule of faults; FAULT_SEED=… repeats one
	FAULT_IMPORTS=$${FAULT_IMPORTS:-112} FAULT_RESTART_ROUNDS=$${FAULT_RESTART_ROUNDS:-3} FAULT_OUTAGE_SECONDS=$${FAULT_OUTAGE_SECONDS:-20} $(BIN)/python -m pytest -s tests/faults

test-api: $(STAMP) $(API_STAMP) $(NODE_STAMPS) ## Test generated clients, clients in Node.js, linters and schemathesis against the API
	$(BIN)/python -m pytest -m api

$(API_STAMP): requirements/api.txt
	@test -x $(API_VENV)/bin/python || $(PYTHON) -m venv $(API_VENV)
	$(API_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/api.txt
	@touch $(API_STAMP)

%/node_modules/.installed: %/package.json %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --ignore-scripts --silent && touch node_modules/.installed; \
	  else echo "npm is not installed: the tests in $* are skipped"; fi

test-browser: $(STAMP) ## Test the documentation page, and pages of other origins, in a real Chromium
	$(BIN)/python -m pytest -m browser

test-compose: $(STAMP) ## Test the images and docker-compose.yml in a real container engine
	$(BIN)/python -m pytest -m compose

bench: $(STAMP) ## Measure speed and memory, each against a floor in the same run
	$(BIN)/python -m tests.bench

bench-import: $(STAMP) ## Measure imports: against \copy, memory, a growing table, other calls; BENCH="--rows 20000 ..." is shorter
	$(BIN)/python -m tests.bench.import_goals $(BENCH)

bench-overload: $(STAMP) ## Measure four times the load that the system can handle: goodput, refusals, health checks, memory
	$(BIN)/python -m tests.bench.overload_goals $(BENCH)

PEERS ?=
bench-peers: $(STAMP) ## Measure beside a Flask application and, from PEERS=folder, the full-stack FastAPI template; needs wrk
	$(BIN)/python -m tests.bench.peers --template "$(PEERS)" $(BENCH)

bench-fair: $(STAMP) ## Measure the calls of one caller while another one does the worst that the limits allow
	$(BIN)/python -m tests.bench.fair $(BENCH)

bench-growth: $(STAMP) $(VENV)/.installed-bench ## Measure every documented query with 5,000,000 tasks; BENCH="--tasks 100000 ..." is shorter
	$(BIN)/python -m tests.bench.growth $(BENCH)

$(VENV)/.installed-bench: requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

ci: check test test-api test-browser test-compose ## Run all checks that a change must pass

check: lint types migrations-check protos-check observability manifests ## Run the static checks

lint: $(STAMP) ## Check with ruff, import-linter and buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	cd protos && ../$(BIN)/buf lint

types: $(STAMP) ## Check the types with mypy --strict
	$(BIN)/mypy

migrations-check: $(STAMP) ## Check with squawk that no migration rewrites a table or holds a lock for long
	@$(BIN)/python -m tests.support.migration_lint

protos: $(STAMP) ## Regenerate protos/gen
	protos/generate

protos-check: $(STAMP) ## Check that protos/gen matches the .proto files
	@generated="$$(mktemp -d)" && protos/generate "$$generated" && diff -r -x pyproject.toml -x __pycache__ -x build -x '*.egg-info' "$$generated" protos/gen && echo "protos/gen is up to date"

observability: ## Check the Prometheus rules and run their unit tests, where promtool is installed
	@if command -v promtool >/dev/null; then cd deploy/observability && promtool check config prometheus.yml && promtool test rules rules_test.yml; \
	  else echo "promtool is not installed (Debian's package prometheus): the Prometheus rules are NOT checked"; fi

manifests: $(STAMP) ## Render the manifests for Kubernetes and validate them, offline
	@$(BIN)/python -m deploy.kubernetes.validate

openapi: $(STAMP) ## Write docs/openapi.json, the OpenAPI document of the REST API
	@$(BIN)/python -m gateway.commands.openapi > docs/openapi.json

fmt: $(STAMP) ## Format the code and apply automatic fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## Resolve requirements/*.txt again; dev.txt constrains the services and the bench, but not api.txt and the peers
	cd requirements && ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group ../pyproject.toml:api -o api.txt
	cd requirements && ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group ../pyproject.toml:dev -o dev.txt
	cd tests/bench/peers && ../../../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group ../../../pyproject.toml:peers -o requirements.txt
	cd requirements && ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group ../pyproject.toml:bench --constraint dev.txt -o bench.txt
	cd requirements && for pair in auth:auth_service tasks:task_service worker:import_worker gateway:gateway; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    --group "../pyproject.toml:$${pair%%:*}" --constraint dev.txt -o "$${pair##*:}.txt"; done

clean: ## Delete the virtual environment, the caches and the local data
	rm -rf $(VENV) $(API_VENV) .bench_cache tests/api/node_modules tests/node/node_modules tests/api/build data protos/googleapis protos/gen/build protos/gen/*.egg-info cli/build cli/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
