# yangguang: `make` lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
NODE_STAMP := tests/asyncapi/node_modules/.package-lock.json
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help up demo test lint format docs fuzz bench doctor lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else "Python 3.11 is needed, this is %d.%d: set PYTHON=/path/to/python3.11" % v)'
	@echo "making the virtual environment from requirements.lock (about 1.4 GB, a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: $(STAMP) ## Run everything on this machine until Ctrl-C (ARGS="--workers 2 --no-simulate ...")
	@exec $(BIN)/yangguang up $(ARGS)

$(NODE_STAMP): tests/asyncapi/package-lock.json
	@command -v npm > /dev/null || { echo "npm is missing: install Node.js 20 or later, it checks the AsyncAPI page"; exit 1; }
	@npm ci --ignore-scripts --no-fund --no-audit --silent --prefix tests/asyncapi
	@touch $@

test: $(STAMP) $(NODE_STAMP) ## Run the whole test suite on real Kafka, ClickHouse, MQTT, Alertmanager and Chromium (PYTEST_ARGS="-k land")
	@PATH="$$PATH:/usr/sbin"; command -v mosquitto > /dev/null && command -v mosquitto_pub > /dev/null || { echo "mosquitto is missing: apt-get install mosquitto mosquitto-clients"; exit 1; }
	@command -v prometheus-alertmanager > /dev/null && command -v amtool > /dev/null || { echo "Alertmanager is missing: apt-get install prometheus-alertmanager"; exit 1; }
	@command -v chromium > /dev/null && command -v chromedriver > /dev/null || { echo "Chromium is missing: apt-get install chromium chromium-driver"; exit 1; }
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

fuzz: $(STAMP) ## Try a million hostile requests on the gateway (HOSTILE_INPUTS=10000 HOSTILE_SEED=1)
	@HOSTILE_INPUTS=$${HOSTILE_INPUTS:-1000000} $(BIN)/python -m pytest -q --timeout 0 --disable-warnings tests/hostile

lint: $(STAMP) ## Check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy examples/*.py
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Put the code into form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## Measure the landing of events against named peers
	@$(BIN)/yangguang bench land

doctor: $(STAMP) ## Check every part of a running system
	@$(BIN)/yangguang doctor

docs: $(STAMP) ## Fill the tables of the pages from the code
	@PYTHONPATH=. $(BIN)/python docs/tables.py

COMPILE = uv pip compile pyproject.toml --upgrade --generate-hashes --no-header --no-annotate --no-emit-index-url \
  --no-emit-find-links --python-version 3.11 --python-platform x86_64-unknown-linux-gnu

lock: ## Renew requirements.lock and deploy/requirements.lock from pyproject.toml (needs uv)
	$(COMPILE) --all-extras --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --output-file deploy/requirements.lock

demo: $(STAMP) ## A simulated day 120 times as fast: seals drop at noon, an alert fires and resolves
	@YANGGUANG_HOME=.yangguang/demo YANGGUANG_CLOCK=event exec $(BIN)/yangguang up --from 2026-11-20T11:00+08:00 \
	  --speed 120 --orders-per-day 60000 --incident seal-drop:town=330681003,from=12:00,to=13:00,rate=0.3 $(ARGS)

clean: ## Delete the virtual environment and caches; data in .yangguang stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
