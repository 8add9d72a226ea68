# Two commands: `make run` shows it, `make test` checks it. `make help` lists the others.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The Python that .venv is made from; empty: the first of python3, python3.12, 3.11, 3.10 that fits
PYTHON ?=
# make run EPISODES=10 ARGS="profile:=paper seed:=3"
EPISODES ?= 3
ARGS ?=
# make bench DEVICE=cuda
DEVICE ?= cpu
# make faults COMBINATIONS=20 ARGS="--seed 1"
COMBINATIONS ?= 500
# make test PYTEST_ARGS="-k planner"
PYTEST_ARGS ?=

export PYTHON

WITH_ENV := source tools/env.sh &&
# Neither `ros2` nor `ls3` is found in a shell that has not done this
SAY_ENV := echo 'For ros2 and ls3 in this shell: source tools/env.sh'
PACKAGES := $(patsubst src/%/package.xml,%,$(wildcard src/*/package.xml))
# Those with Python of their own: ls3_common, not ls3_interfaces
PYTHON_PACKAGES := $(foreach p,$(PACKAGES),$(if $(wildcard src/$(p)/$(p)/__init__.py),$(p)))
# The stand-in is neither installed nor tested where there is a real ROS
TEST_FOLDERS := $(wildcard src/*/test test) $(if $(ROS_DISTRO),,$(wildcard tools/*/test))

.PHONY: run test results campaign bench demonstrations faults docs lint unit build format clean help

run: build ## Simulate a few episodes of cable routing: out/cable_routing/{summary.json,*.mp4}
	@$(WITH_ENV) exec python tools/run.py --episodes $(EPISODES) $(ARGS)
	@$(SAY_ENV)

test: lint unit ## Everything: lint, and all tests, those with real ROS processes included

results: build ## Measure the shipped model (an hour or two), write results/ and the documents' tables
	@$(WITH_ENV) ls3 measure $(ARGS)
	@$(WITH_ENV) python tools/document_tables

campaign: build ## Learn everything behind the tables, from one clean commit (days; resumable)
	@$(WITH_ENV) exec ls3 campaign $(ARGS)

bench: build ## Time planning, training and the graph, write results/bench_cpu.json (DEVICE=cuda: a GPU)
	@$(WITH_ENV) python tools/bench --device $(DEVICE) $(ARGS)
	@$(WITH_ENV) python tools/document_tables

demonstrations: build ## Record bags by a scripted operator, import, train from them alone, evaluate
	@$(WITH_ENV) ls3 demonstrations $(ARGS)
	@$(WITH_ENV) python tools/document_tables

faults: build ## Break the running graph in every way and 500 combinations: results/faults.json
	@$(WITH_ENV) OMP_NUM_THREADS=1 python -m ls3_system_tests.faults --combinations $(COMBINATIONS) $(ARGS)
	@$(WITH_ENV) python tools/document_tables

docs: ## The documentation as a site: out/site/index.html
	@python3 -m venv out/docs_venv
	@out/docs_venv/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements-docs.txt
	@NO_MKDOCS_2_WARNING=1 out/docs_venv/bin/mkdocs build -q
	@echo 'out/site/index.html is written'

lint: build ## ruff, mypy, and who imports whom
	@$(WITH_ENV) ruff check .
	@$(WITH_ENV) ruff format --check .
	@$(WITH_ENV) lint-imports --no-cache
	@$(WITH_ENV) mypy $(foreach p,$(PYTHON_PACKAGES),-p $(p))
	@$(WITH_ENV) mypy tools/*.py
	@$(WITH_ENV) MYPYPATH=test/support:tools/bench mypy tools/bench/*.py
	@$(WITH_ENV) MYPYPATH=tools/document_tables mypy tools/document_tables/*.py
	@$(WITH_ENV) python tools/document_tables --check

unit: build ## The tests alone
	@$(WITH_ENV) exec tools/test.sh $(TEST_FOLDERS) $(PYTEST_ARGS)

build: ## System packages, .venv and the colcon workspace, as far as needed
	@tools/bootstrap.sh
	@$(if $(filter build,$(MAKECMDGOALS)),$(SAY_ENV))

format: build ## Let ruff rewrite what `make lint` would refuse
	@$(WITH_ENV) ruff check --fix . && ruff format .

clean: ## Remove what was built; .venv, data, models and results stay
	rm -rf build install log .mypy_cache .ruff_cache .pytest_cache
	find src tools test -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.egg-info' -prune -exec rm -rf {} +

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
