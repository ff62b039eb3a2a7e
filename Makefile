# pointsman: `make help` lists the targets.
VENV := .venv
BIN := $(VENV)/bin
PY ?= python3
MATURIN_FLAGS ?= --release

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements-dev.txt
	$(PY) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@

build: $(VENV)/.ready ## create .venv and build the native core into it
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop -q $(MATURIN_FLAGS) --extras gateway

.PHONY: help build
