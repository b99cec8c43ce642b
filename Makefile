# make train [ARGS="--epochs 3 --run-dir checkpoints/quick"]: set up, train, evaluate, draw.   make test: set up, test.

VENV ?= .venv
PYTHON ?= python3
ARGS ?=
BIN = $(VENV)/bin

.PHONY: help train test test-slow explore lint docs notebook clean

help:
	@echo 'make train   creates $(VENV), installs, trains the default model, evaluates it, draws the figures'
	@echo '             ARGS="--epochs 3 --run-dir checkpoints/quick" passes options to scripts/train.py'
	@echo 'make test    creates $(VENV), installs, runs the test suite; make test-slow the long tests'
	@echo 'make explore writes explorer.html of the released run, to open in a browser'
	@echo 'make lint    ruff and mypy'
	@echo 'make docs    writes the site into docs/_build/html, with the tutorial executed'
	@echo 'make notebook  runs docs/tutorial.py and writes docs/tutorial.ipynb, pictures included'
	@echo 'make clean   removes $(VENV), the site and caches; runs are kept'

# train.py prints its run directory on stdout, and the progress on stderr.
train: $(BIN)/.installed
	@echo '== training: scripts/train.py $(ARGS)'
	@run=$$($(BIN)/python scripts/train.py $(ARGS)) && \
	echo '== evaluating on the test images, and drawing' && $(BIN)/python scripts/evaluate.py "$$run" --figures && \
	echo "== done: the run is in $$run"

test: MARK = not slow
test-slow: MARK = slow
test test-slow: $(BIN)/.installed-tests
	@echo '== testing what is marked "$(MARK)"'
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m '$(MARK)'
	@echo '== done: all of them passed; they wrote to temporary directories alone'

explore: $(BIN)/.installed
	@$(BIN)/jaxae explore checkpoints/released $(ARGS)

lint: $(BIN)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(BIN)/.installed-tests
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[docs]'
	@$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html
	@echo '== wrote docs/_build/html/index.html'

notebook: $(BIN)/.installed-tests
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[notebook]'
	@cd docs && ../$(BIN)/jupytext --quiet --to ipynb --execute tutorial.py
	@echo '== wrote docs/tutorial.ipynb'

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jaxae needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@echo '== creating $(VENV)'
	@$(PYTHON) -m venv $(VENV)

$(BIN)/.installed: pyproject.toml | $(BIN)/python
	@echo '== installing jaxae into $(VENV) (a few minutes the first time)'
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(BIN)/.installed-tests: pyproject.toml | $(BIN)/python
	@echo '== installing jaxae and its test tools into $(VENV) (a few minutes the first time)'
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@ $(BIN)/.installed
