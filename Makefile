# pointsman: `make help` lists the targets.
VENV := .venv
BIN := $(VENV)/bin
PY ?= python3
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# maturin refuses to choose between two environments.
unexport CONDA_PREFIX
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A wheel built from source on a developer's machine may not ask for a debug core: it is 10x slower.
MATURIN := $(BIN)/maturin develop --quiet --release --extras gateway,signals

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements-dev.txt
	@echo "== setting up $(VENV)"
	$(PY) -m venv $(VENV)
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@

build: $(VENV)/.ready ## set up .venv and build the native core into it
	@echo "== building the native core"
	$(MATURIN) > /dev/null

demo: build ## run the main job: a dozen requests, a real small model, three simulated providers
	$(BIN)/pointsman demo

test: build ## run every test: Rust, then Python
	cargo test --locked --workspace --quiet
	$(BIN)/python -m pytest

lint: build ## check format, lints, types, stubs, licences
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest pointsman._native
	$(BIN)/python tools/check_licences.py

realparts: build ## install the real model and clients that the tests marked `real` need
	$(BIN)/python tools/realparts.py

conformance: build ## every client library and 200 generated requests an endpoint against the gateway (installs clients)
	POINTSMAN_CONFORMANCE=1 POINTSMAN_N_EXAMPLES=200 $(BIN)/python -m pytest -rs tests/conformance

bench: build ## print the speed figures of the README and the notes
	$(BIN)/python benches/bench_import.py
	$(BIN)/python benches/bench_cached.py
	$(BIN)/python benches/bench_observers.py
	$(BIN)/python benches/bench_store.py
	$(BIN)/pointsman bench decide
	$(BIN)/python benches/bench_real_prompts.py
	$(BIN)/pointsman bench cache --quick
	$(BIN)/python benches/bench_http_clients.py
	$(BIN)/python benches/bench_gateway.py

callgrind: ## count the instructions of each stage of a decision against benches/callgrind.json (needs valgrind)
	$(PY) benches/callgrind.py --compare

bench-cache: build ## print the cache's figures, with a million vectors
	cargo bench --locked --quiet -p pointsman-core --bench cache -- 1000000 \
		$$($(BIN)/python benches/cache_questions.py $(CACHE_PAIRS) $(CURDIR)/target/questions.txt)

PEERS := benches/peers/.venv/bin/python
peers: build ## decide the same prompts with LiteLLM, semantic-router and the head of RouteLLM, in one run
	$(PY) -m venv benches/peers/.venv
	$(PEERS) -m pip install -r benches/peers/requirements.txt || echo "peers: some are not installable here"
	PYTHONPATH=python $(PEERS) -W ignore benches/peers/run.py

GATEWAYS := benches/peers/.gateways
peer-gateways: build ## what a request costs through us, LiteLLM, Portkey and TensorZero, in one run (installs them)
	$(PY) -m venv $(GATEWAYS)/venv
	$(GATEWAYS)/venv/bin/python -m pip install -r benches/peers/gateways.txt || echo "peers: some are not installable here"
	npm install --no-audit --no-fund --silent --prefix $(GATEWAYS) @portkey-ai/gateway@1.15.2 || echo "peers: no Portkey"
	$(BIN)/python benches/peers/gateways.py
.PHONY: peer-gateways

SECONDS ?= 600
fuzz: ## feed random bytes to whatever reads them, SECONDS each (needs a nightly compiler)
	fuzz/run.sh $(SECONDS)

soak: build ## clients and providers that misbehave for SECONDS: nothing lost, leaked or left unanswered
	$(BIN)/python benches/soak/run.py --seconds $(SECONDS)

axes: build ## train the task classifier anew
	$(BIN)/python -m pip install --quiet --disable-pip-version-check scipy
	$(BIN)/python tools/axes/train.py
	$(MATURIN)

bench-adversarial: build ## score caches on near twins and paraphrases, GPTCache among them
	$(BIN)/python benches/cache_adversarial/run.py --rivals
.PHONY: bench-adversarial

CACHE_PAIRS ?= ../shared/data/cache
cache-prior: build ## fit what the cache believes of a pair at first (needs the pairs in CACHE_PAIRS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check numpy scipy
	$(BIN)/python tools/cache/fit.py --data $(CACHE_PAIRS)
	$(MATURIN)

wheel: $(VENV)/.ready ## build a release wheel into dist/
	$(BIN)/maturin build --release --out dist

format: $(VENV)/.ready ## format all code
	cargo fmt --all
	$(BIN)/ruff format

.PHONY: help build demo test lint realparts conformance bench bench-cache callgrind peers fuzz soak axes wheel format
