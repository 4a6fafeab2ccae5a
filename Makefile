# make app: the app on the shipped checkpoints.   make test: lint, types and tests, in JOBS processes.
# make bench: every script of benchmarks/, gathered in benchmarks/results.md; well under an hour.
# make soak: MINUTES of fuzz over every reader, then MINUTES of browsers and clients at the app; 10 each unless said.
# A CPU-only Linux machine saves 4 GB with:  make app INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
VENV ?= .venv
INDEX ?=
PORT ?= 8501
JOBS ?= 2
MINUTES ?= 10
BIN = $(VENV)/bin

.PHONY: app test lint bench soak clean

app: $(VENV)/.app
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python benchmarks/results.py

soak: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m soak.fuzz --minutes $(MINUTES)
	PYTHONPATH=tests:benchmarks $(BIN)/python -m soak.app --minutes $(MINUTES)

# torch and torchvision first, and together: only a matching pair of builds works.
$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install $(if $(INDEX),--index-url $(INDEX)) "torch>=2.10" "torchvision>=0.25"
	touch $@

$(VENV)/.app: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install -e .
	touch $@

$(VENV)/.test: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install -e ".[test]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
