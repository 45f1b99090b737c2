# One virtual environment, made on first use; every target works on a fresh machine.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt  # empty (make run CONSTRAINTS=) takes the newest versions in range
NAMES ?=  # notebooks or assignments of `make reference` and `make exports`; none means all
MINUTES ?=  # make reference MINUTES=12 starts nothing that it cannot finish in that time
FULL ?=  # make exports FULL=1 runs the real experiments
QUICK := $(if $(filter-out 0,$(FULL)),,--quick)
BIN := .venv/bin

.PHONY: run test lint lab exports reference reference-gpu gpu benchmark clean

run: exports  ## every notebook in quick form, with HTML and PDF, and the page that shows them all

test: .venv/.installed  ## the whole suite
	$(BIN)/python -m pytest

lint: .venv/.installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: .venv/.installed  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

exports: .venv/.installed  ## the same, or with FULL=1 for real
	$(BIN)/python -m helpers run $(or $(QUICK),-p source=real) $(NAMES); status=$$?; $(BIN)/python -m helpers gallery $(QUICK) && exit $$status

reference: .venv/.installed  ## the real experiments, kept as reference; resumes what was interrupted
	$(BIN)/python -m helpers run -p source=real $(if $(MINUTES),--minutes $(MINUTES)) $(NAMES); ran=$$?; $(BIN)/python -m helpers results save $(NAMES); saved=$$?; \
	$(BIN)/python -m helpers results --write && exit $$((ran + $(if $(MINUTES),0,saved)))

reference-gpu: gpu reference  ## the same on a GPU box: the device is found by itself, and trains four at a time

gpu: .venv/.installed  ## whether PyTorch can use one
	$(BIN)/python -c "import torch; torch.zeros(1, device='cuda')"

benchmark: .venv-benchmarks/.installed  ## images per second against the usual loops, in an environment of its own; DEVICE=cuda: on a GPU
	.venv-benchmarks/bin/python tests/benchmarks/speed.py $(addprefix --device ,$(DEVICE))

clean:  ## the environment, not the data and not the exports
	rm -rf .venv .venv-benchmarks .pytest_cache .mypy_cache .ruff_cache *.egg-info

.venv/.installed: requirements.txt pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make run PYTHON=python3.12')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt $(addprefix -c ,$(strip $(CONSTRAINTS)))
	touch $@

.venv-benchmarks/.installed: tests/benchmarks/requirements.txt requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-benchmarks
	.venv-benchmarks/bin/python -m pip install -r tests/benchmarks/requirements.txt
	touch $@
