# Every target installs what it needs first. `make help` lists them.
TRIGGER_STAMP := trigger/node_modules/.package-lock.json

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: test
test: check ## Everything: the static checks, vitest
	cd trigger && npm test

.PHONY: check
check: install ## The static checks alone: eslint, tsc
	cd trigger && npm run --silent lint && npm run --silent typecheck

.PHONY: install
install: $(TRIGGER_STAMP) ## Install the npm packages that are missing

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 with npm is needed: https://nodejs.org" >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
