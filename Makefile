# Every target installs what it needs first. `make help` lists them.
PYTHON ?= python3
VENV := .venv/bin
PY_STAMP := .venv/.installed
TRIGGER_STAMP := trigger/node_modules/.package-lock.json
SUPABASE_STAMP := supabase/node_modules/.package-lock.json
LOCAL_STAMP := local/supabase/node_modules/.package-lock.json
PEERS := tests/benchmarks/.venv

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: install ## Send a messy company export through the whole system and show what came of it
	$(VENV)/python -m local demo $(if $(PORT_BASE),--port-base $(PORT_BASE))

.PHONY: up
up: install ## Run the local stack in the foreground (Ctrl-C stops it); PORT_BASE=N for other ports
	$(VENV)/python -m local up $(if $(PORT_BASE),--port-base $(PORT_BASE))

.PHONY: down
down: $(PY_STAMP) ## Stop a local stack that runs elsewhere or was left behind
	$(VENV)/python -m local down

.PHONY: test
test: check vitest ## What every change needs: the static checks, vitest, pytest in three lanes (some minutes)
	$(VENV)/pytest -n auto -m "not long"

.PHONY: test-long
test-long: install ## What takes long: mutants, a campaign of faults, crashes, searches for orders that break a rule
	$(VENV)/pytest -n auto -m long

.PHONY: test-all
test-all: check vitest ## Both, as continuous integration runs them
	$(VENV)/pytest -n auto

.PHONY: vitest
vitest: install
	cd trigger && npm test

# Python and TypeScript side by side; the lines of each stay together where make can see to that.
.PHONY: check
check: install ## The static checks alone: ruff, import-linter, mypy, eslint, dependency-cruiser, prettier, tsc
	@$(MAKE) --no-print-directory -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) check-python check-typescript

.PHONY: check-python
check-python:
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports --no-logo
	$(VENV)/mypy

.PHONY: check-typescript
check-typescript:
	cd trigger && npm run --silent lint && npm run --silent typecheck
	cd local/supabase && npm run --silent lint
	# These files are copied into trigger/ and have no packages of their own.
	trigger/node_modules/.bin/prettier --log-level warn --check tests/benchmarks/engine_worker

.PHONY: isolation
isolation: install ## Try everything that one tenant could do to another; print the matrix, write docs/isolation.md
	$(VENV)/python -m tests.isolation matrix

.PHONY: mutants
mutants: install ## Take each fence between tenants down in turn, and show what notices
	$(VENV)/python -m tests.isolation mutants

.PHONY: chaos
chaos: install ## Kill every part, again and again, in the middle of 200 runs; show that nothing is lost or doubled
	$(VENV)/python -m tests.chaos

.PHONY: fuzz
fuzz: install ## Send 12,000 generated requests to every endpoint as every kind of caller (some minutes)
	$(VENV)/python -m tests.fuzz

.PHONY: siege
siege: install ## Let one tenant attack while another one works, and measure what it costs the other (20 minutes)
	$(VENV)/python -m tests.siege

.PHONY: bench-http
bench-http: install ## What a small call costs with each HTTP client that the API could use
	$(VENV)/python -m tests.benchmarks.http_clients

.PHONY: bench-rls
bench-rls: install ## What row-level security costs at 10,000 and 1,000,000 pipeline runs (some minutes)
	$(VENV)/python -m tests.benchmarks.rls

.PHONY: bench-engine
bench-engine: install $(PEERS)/.installed ## What the run engine costs, beside Prefect, DBOS and a plain script; ONLY=ab for some parts (some minutes)
	$(VENV)/python -m tests.benchmarks.engine $(if $(ONLY),--only $(ONLY))

.PHONY: bench-memory
bench-memory: install ## How much memory the worker needs for 100,000 records of 2 KB (some minutes)
	$(VENV)/python -m tests.benchmarks.worker_memory

.PHONY: install
install: $(PY_STAMP) $(TRIGGER_STAMP) $(SUPABASE_STAMP) $(LOCAL_STAMP) ## Install the Python and npm packages that are missing

# pip of the system installs into the venv, so that Python's ensurepip (a package of its own on Debian) is not needed.
$(PY_STAMP): requirements.txt local/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11." >&2; exit 1; }
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(VENV)/python install --quiet --disable-pip-version-check -r local/requirements.txt
	@touch $@

# What the engine is compared with, away from the product's packages.
$(PEERS)/.installed: tests/benchmarks/requirements.txt
	$(PYTHON) -m venv --without-pip $(PEERS)
	$(PYTHON) -m pip --python $(PEERS)/bin/python install --quiet --disable-pip-version-check -r $<
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20.19 or newer with npm is needed: https://nodejs.org" >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
