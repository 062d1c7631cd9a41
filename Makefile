# Each target creates what it needs in .venv; only Python 3.11 or newer, make and git must exist.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
# Of the lives in notebooks: small for a check, full to read them.
SIZE ?= small
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The default of launch/flags.py, for whatever is started without it.
XLA_FLAGS ?= --xla_cpu_multi_thread_eigen=false
export XLA_FLAGS

.PHONY: demo test lint bench notebooks clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed-base
	$(BIN)/python launch/run_simulation.py --config configs/town.yaml --tick-limit 1440
	$(BIN)/python launch/show_town.py configs/town.yaml

test: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy townlet_jax launch

bench: $(VENV)/installed-base
	$(BIN)/python benchmarks/run.py stepping

# Notebooks as executed are left in out/notebooks; notebooks/ stays as it is.
notebooks: $(VENV)/installed-analysis
	@mkdir -p out/notebooks
	@printf '%s\n' $(NOTEBOOKS) | TOWNLET_NOTEBOOKS=$(SIZE) \
		JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.pytest_cache/notebooks xargs -n 1 -P 2 \
		$(BIN)/jupyter-execute --output "../out/notebooks/{notebook_name}"

# Keeps .venv and out/, which hold an installation and your runs.
clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find townlet_jax launch tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed-base: setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing townlet-jax into $(VENV)"
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-%: setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing townlet-jax[$*] into $(VENV)"
	$(PIP) install --editable '.[$*]'
	@touch $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Townlet-JAX needs Python 3.11 or newer" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
