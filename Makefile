# Needs Python 3.11 and make. Everything else is installed from hashed requirement files into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Servers that are thrown away keep their promises in memory as well, where there is plenty of it; a disk's fsync is slow.
SCRATCH := $(shell test -w /dev/shm && test $$(df -Pm /dev/shm | awk 'NR == 2 {print $$4}') -gt 8000 && echo TMPDIR=/dev/shm)
# Where it is set, each of the many processes that the tests start would compile the product anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up check test pytest lint browser faults hostile truth mutants bench fix lock clean install install-test

help: ## This list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

up: install ## Start everything on this machine and say where it listens (Ctrl-C stops it)
	@exec $(BIN)/python manage.py up

check: install-test ## While working: lint, types, arrows, and the fast tests (mypy remembers what did not change)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 2 -m fast

test: ## Every check, as CI runs it
	@$(MAKE) --no-print-directory -j 2 install-test browser
	@$(MAKE) --no-print-directory -j 2 pytest lint

pytest: install-test
	$(SCRATCH) $(BIN)/python -m pytest -n 4

# Beside the tests, of which the first ones mostly wait.
lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/djhtml --tabwidth 2 --check templates revops/api/templates
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m launch.embedded scripts/django_checks.sh

browser:
	@scripts/browser.sh

bench: install-test ## The performance figures, on servers of their own: make bench ONLY=queue
	$(BIN)/python -m launch.embedded $(BIN)/python -m bench $(ONLY)

faults: install-test ## The product under kills, full disks and vendors' faults, drawn from a seed: make faults RUNS=20 SEED=1 (GUARDS=1: without guards)
	$(BIN)/python -m $(if $(GUARDS),tests.faults.guards,tests.faults --runs $(or $(RUNS),20) --seed $(or $(SEED),1))

hostile: install-test ## Every parameter of every page and operation, with every text of somebody with bad intent
	HOSTILE=all $(BIN)/python -m pytest -n 2 -q tests/revops/web/test_every_parameter.py tests/revops/api/test_every_parameter.py

truth: install-test ## Every made-up company on several seeds, into bench/truth.md: make truth SEEDS="101 102 103"
	$(SCRATCH) $(BIN)/python -m launch.embedded $(BIN)/python -m bench.truth --seeds $(or $(SEEDS),101 102 103)

mutants: install-test ## Break the arithmetic, then the guards, one at a time: tests must notice (make mutants ONLY='revops.money*')
	$(BIN)/python scripts/mutation.py $(ONLY)
	$(if $(ONLY),,$(BIN)/python scripts/mutation.py --database)
	$(if $(ONLY),,$(BIN)/python -m scripts.guards)

fix: install-test ## Format, draw docs/architecture.md anew, and repair what can be repaired by machine
	$(BIN)/ruff format --quiet .
	-$(BIN)/djhtml --tabwidth 2 templates revops/api/templates
	$(BIN)/python scripts/architecture.py
	$(BIN)/ruff check --fix .

lock: install-test ## Compile the requirement files again, with hashes and without addresses
	for name in base launch demo test; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --python-version 3.11 requirements/$$name.in -o requirements/$$name.txt || exit 1; done
	! grep -nE '://|^--(index|extra|find)' requirements/*.txt

install:
	@$(PYTHON) scripts/install.py $(if $(filter 0 false off,$(REVOPS_DEMO)),launch,demo)

install-test:
	@$(PYTHON) scripts/install.py test

clean: ## Remove the environment and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles
