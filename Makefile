# Every target runs on a fresh Debian machine with Python 3.11 and make; `make` alone prints this list.
SHELL := /bin/bash -eu -o pipefail
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help
# The tests start hundreds of processes of Python, which would all compile the same again.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python

.PHONY: help setup setup-dev demo kind-demo e2e-demo test coverage fuzz explore mutants check-ticks e2e e2e-smoke e2e-long e2e-bench check check-steps format bench bench-operator lock wheels images generate clean

help: ## Print this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: ## Make .venv with what running pipelines needs
	@python3 scripts/setup_environment.py requirements.txt

setup-dev:
	@python3 scripts/setup_environment.py requirements-dev.txt

demo: ## Run the MNIST pipeline on this machine and show its record
	@python3 scripts/demo.py

kind-demo: ## The first ten minutes of docs/kubernetes.md on a new kind cluster (Docker)
	@python3 scripts/kind_demo.py

e2e-demo: setup-dev ## The same on the end-to-end cluster (root)
	PYTHONPATH=scripts $(PY) -m e2e.demo

# One more at once than there are cores: they wait for processes of theirs for a good part of the time.
TESTS := -m pytest --numprocesses $$(( $$(nproc) + 1 )) --dist loadfile --no-loadscope-reorder -m "not api_server"

test: setup-dev ## Run the tests (real local Ray, real S3 server; no root)
	@$(PY) scripts/budget.py test -- $(PY) $(TESTS)

coverage: setup-dev ## The same, measured: twice as slow
	$(PY) $(TESTS) --cov --cov-report=term:skip-covered

fuzz: setup-dev ## Change 200,000 records field by field: readers and the seal bear it
	nice $(PY) scripts/fuzz_readers.py

explore: setup-dev ## Live some 30,000 runs with every fault of their operator's calls, reads and watches
	nice $(PY) scripts/explore.py
	nice $(PY) scripts/explore.py --sequences 2000

mutants: setup-dev ## Change the planner in a hundred places: its tests find 85 of them
	nice $(PY) scripts/mutants.py

check-ticks: setup-dev ## Hold ten million ticks of drawn schedules against a walk through all minutes
	nice $(PY) scripts/check_ticks.py

e2e: setup-dev ## Run the scenarios on a real Kubernetes of this machine's own processes (root)
	PYTHONPATH=scripts $(PY) -m e2e.suite

e2e-smoke: setup-dev ## Run the shortest of them
	PYTHONPATH=scripts $(PY) -m e2e.suite --smoke

e2e-long: setup-dev ## Run those that wait for half an hour
	PYTHONPATH=scripts $(PY) -m e2e.suite --long

e2e-bench: setup-dev ## Ten pairs of a PipelineRun and a RayJob, in turn, on the same cluster (root)
	PYTHONPATH=scripts $(PY) -m e2e.suite --comparison

check: setup-dev ## Format, lint, types, generated files up to date
	@$(PY) scripts/budget.py check -- $(MAKE) --no-print-directory check-steps

check-steps:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) scripts/generate.py --check

format: setup-dev ## Format the code and mend what the linter can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

generate: setup-dev ## Write the generated files: schemas, tables, CRD, manifests
	$(PY) scripts/generate.py

bench: setup-dev ## Measure imports, help, output, fan-out beside bare Ray, and how costs grow up to 100,000 tasks
	$(PY) bench/start_up.py
	$(PY) bench/fan_out.py
	$(PY) bench/output.py
	$(PY) bench/scale.py
	$(PY) bench/scale_runner.py

bench-operator: setup-dev ## Measure the operator's process beside 10,000 finished and 1,000 live runs, on a real API server
	$(PY) bench/operator_load.py

wheels: setup-dev ## Build the wheels into dist/
	$(PY) -m uv build --quiet --wheel --no-build-isolation --out-dir dist runner
	$(PY) -m uv build --quiet --wheel --no-build-isolation --out-dir dist operator

images: ## Build the container images with docker, podman or buildah; print their sizes
	@python3 -m e2e.cluster.images

lock: setup-dev ## Compile the locked requirements anew
	$(PY) scripts/lock.py

clean: ## Remove what was built; records stay
	rm -rf .venv dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis
