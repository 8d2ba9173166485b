# Needs make and Python 3.11 or later with venv. Everything else is installed, pinned, into .venv on first use.

INTERPRETER := $(or $(PYTHON),$(shell command -v python3.11 || command -v python3))
INSTALL := $(INTERPRETER) requirements/install.py $(if $(PYTHON),--chosen)
BIN := .venv/bin
UV := uv==0.13.9
COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --custom-compile-command "make lock"

# A process for each processor, each with whole files: most of what tests wait for is gateways that start.
SHARED_OUT := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=/path/to/python chooses the interpreter (default: python3.11, else python3)"

.PHONY: interpreter
interpreter:
	@test -n "$(INTERPRETER)" || { echo "No Python found. Debian, Ubuntu: apt-get install python3.11 python3.11-venv" >&2; exit 1; }

.PHONY: setup
setup: interpreter ## set up .venv; does nothing when it is up to date
	@$(INSTALL) .venv requirements/development.txt --project

.PHONY: setup-servers
setup-servers: interpreter ## set up .venv-servers, the third-party services that the tests stand in front of
	@$(INSTALL) .venv-servers requirements/servers.txt

.PHONY: setup-clients
setup-clients: interpreter ## set up .venv-clients, the third-party clients that talk to the gateway in tests
	@$(INSTALL) .venv-clients requirements/clients.txt

.PHONY: compiled
compiled: interpreter ## set up .venv-compiled, where the hot path is compiled to C; needs a C compiler and Python's headers
	@$(INSTALL) .venv-compiled requirements/development.txt
	@.venv-compiled/bin/python requirements/compile.py

.PHONY: run
run: setup ## serve on 127.0.0.1:8080 with demo services beside it, and send an example batch
	@exec $(BIN)/python -m gateway demo

.PHONY: test
test: setup setup-servers ## every check that needs Python only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(SHARED_OUT) --ignore=tests/clients

.PHONY: beside-compiled
beside-compiled: compiled setup-servers # everything but the source, which would be imported in the place of what is installed
	@.venv-compiled/bin/gateway version | grep compiled
	@rm -rf .venv-compiled/tree && mkdir .venv-compiled/tree
	@cp -R $(filter-out gateway,$(wildcard *)) .venv-compiled/tree && ln -s ../../.venv-servers .venv-compiled/tree/.venv-servers

# Tests of rooms that are not compiled, and of the source itself.
UNCOMPILED := clients architecture unit/storage unit/callbacks contract/test_records.py contract/test_files.py \
	contract/test_queue.py faults/test_storage_faults.py faults/test_callback_faults.py integration/test_callbacks.py \
	integration/test_job_commands.py integration/test_tenants.py integration/test_openai_files.py

.PHONY: test-compiled
test-compiled: beside-compiled ## the tests of behaviour once more, against the compiled gateway and on uvloop
	cd .venv-compiled/tree && TEST_LOOP=uvloop ../bin/python -m pytest $(SHARED_OUT) --timeout-method=thread $(addprefix --ignore=tests/,$(UNCOMPILED))

.PHONY: test-clients
test-clients: setup setup-clients ## the checks that need Prometheus, nginx and Node; as root, installs Debian's packages when missing
	@for pair in promtool:prometheus nginx:nginx node:nodejs npm:npm; do command -v $${pair%:*} >/dev/null || \
		! command -v apt-get >/dev/null || test "$$(id -u)" != 0 || .ci/install-packages $${pair#*:}; done
	$(BIN)/python -m pytest tests/clients

.PHONY: fuzz
fuzz: interpreter ## feed invented answers to the upstream client for a minute (FUZZ_SECONDS=600 for ten)
	@$(INSTALL) .venv-fuzz requirements/fuzz.txt
	@mkdir -p .venv-fuzz/findings
	@cd .venv-fuzz && bin/python ../tests/wire/fuzz_reader.py -max_total_time=$(or $(FUZZ_SECONDS),60) findings

.PHONY: bench
bench: setup ## measure what the gateway costs, beside its peers (BENCH=--help lists the options)
	@$(BIN)/python -m tests.bench $(BENCH)

.PHONY: bench-compiled
bench-compiled: beside-compiled ## the same for the compiled gateway
	@cd .venv-compiled/tree && ../bin/python -m tests.bench $(BENCH)

.PHONY: format
format: setup ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: interpreter ## resolve the dependencies anew into requirements/*.txt (LOCK=--upgrade takes the newest)
	@test -x .venv-lock/bin/uv || $(INTERPRETER) -m venv --clear .venv-lock
	@.venv-lock/bin/pip --disable-pip-version-check --quiet install "$(UV)"
	$(COMPILE) $(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) $(LOCK) pyproject.toml --group development --constraint requirements/runtime.txt --output-file requirements/development.txt
	$(COMPILE) $(LOCK) --group servers --output-file requirements/servers.txt
	$(COMPILE) $(LOCK) --group clients --output-file requirements/clients.txt

.PHONY: clean
clean: ## remove the environments and caches
	rm -rf .venv .venv-clients .venv-compiled .venv-fuzz .venv-lock .venv-node .venv-servers .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	find gateway tests -name __pycache__ -type d -prune -exec rm -rf {} +
