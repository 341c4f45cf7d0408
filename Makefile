# The two commands of a newcomer are `make demo` and `make test`; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

SCALE ?= tiny

.PHONY: demo test install live compile-scripts reproduce check format lint types imports clean

demo: $(STAMP)
	@$(BIN)/tinyagent demo

# One BLAS thread a worker: the workers have the cores among them.
test: $(STAMP)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(MAKE) lint types imports test

install: $(STAMP)

# On a Mac only: Apple's compiler is the gate for the scripts, and a few harmless ones run.
compile-scripts:
	@sh scripts/compile_scripts.sh applescripts/*.applescript applescripts/*/*.applescript tests/live/*.applescript

live: $(STAMP)
	TINYAGENT_LIVE=1 $(BIN)/python -m pytest tests/live -v -rs

# From tools.yaml to trained and quantized weights and the tables; SCALE is tiny, small or full.
reproduce: $(STAMP)
	$(BIN)/python -m tinyagent_mlx.lab.reproduce --scale $(SCALE)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# The environment: locked versions, and on Debian the BLAS that makes MLX quick on a CPU, where it may be installed.
$(STAMP): pyproject.toml requirements.lock requirements-voice.lock
	@sh scripts/openblas.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement requirements-voice.lock \
		|| echo "What voice input needs could not be installed; everything else works."
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) demo-desktop runs
