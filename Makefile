# Every command of the project; `make help` lists them. Needs Python 3.11 or 3.12 and make, no compiler.
SHELL := /bin/sh
PORT ?= 8000
DEVICE ?= cpu
VENV ?= .venv
DATA ?=
ARGS ?=
PROSPERO_PORT ?= $(PORT)
PROSPERO_DEVICE ?= $(DEVICE)

# The CUDA build of torch runs on a CPU too: once it is installed, DEVICE=cpu does not replace it.
BUILD := $(if $(or $(filter cuda%,$(DEVICE)),$(wildcard $(VENV)/.serve-cuda)),cuda,cpu)
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install --only-binary :all: --constraint constraints.txt
PYTEST := $(RUN) -m pytest --timeout=300
SERVE := $(VENV)/.serve-$(BUILD)
TRAIN := $(VENV)/.train
DEV := $(VENV)/.dev

.PHONY: help serve compile test check e2e format-check lint types check-all format train-text train-landscape eval-text eval-landscape lock clean bench bench-peers bench-engine bench-transport soak

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

serve: $(SERVE) ## serve the checkpoints on 127.0.0.1:8000   [PORT=8000 DEVICE=cpu|cuda]
	@$(RUN) -m models.gpt.build --here
	@PROSPERO_PORT=$(PROSPERO_PORT) PROSPERO_DEVICE=$(PROSPERO_DEVICE) exec $(RUN) -m service

compile: $(SERVE) ## compile the text kernel for every processor of this kind; `serve` does so for this one
	$(RUN) -m models.gpt.build

test: $(DEV) ## run the tests   [ARGS="-k landscape"]
	$(PYTEST) -m "not slow" $(ARGS)

check: format-check lint types test ## what CI runs: format, lint, strict types, tests

format-check: $(DEV)
	$(RUN) -m ruff format --check .

lint: $(DEV)
	$(RUN) -m ruff check .

types: $(DEV)
	$(RUN) -m mypy

check-all: check ## check, and what needs haproxy, wrk and a Docker engine   [SKIP="docker haproxy wrk"]
	$(PYTEST) -m slow $(if $(filter haproxy,$(SKIP)),--deselect tests/live/test_rolling_restart.py)
	$(if $(filter wrk,$(SKIP)),@echo "skipped: wrk",$(RUN) -m benchmarks.transport --rounds 1 --seconds 1)
	$(if $(filter docker,$(SKIP)),@echo "skipped: docker",deploy/check_compose.sh)

e2e: $(DEV) ## the page in headless Chromium; needs node, npm and Chromium   [CHROMIUM=/usr/bin/chromium ARGS=lab.test.mjs]
	npm --prefix tests/e2e ci --silent
	node --test tests/studio/
	cd tests/e2e && PYTHON="$(abspath $(VENV))/bin/python" node run.mjs $(ARGS)

format: $(DEV) ## format the code and apply the linter's safe fixes
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

train-text: $(TRAIN) ## train a text model   [DATA=input.txt ARGS="--preset ..."]
	$(RUN) -m training text --run runs/text --device $(DEVICE) $(if $(DATA),--data "$(DATA)") $(ARGS)

train-landscape: $(TRAIN) ## train a landscape model   [DATA=folder ARGS="--preset ..."]
	$(RUN) -m training landscape --run runs/landscape --device $(DEVICE) $(if $(DATA),--data "$(DATA)") $(ARGS)

eval-text: $(TRAIN) ## score the bundled GPT as it is served   [DATA=input.txt MODEL=checkpoints/gpt-shakespeare]
	$(RUN) -m training evaluate $(or $(MODEL),checkpoints/gpt-shakespeare) $(if $(DATA),--data "$(DATA)")

eval-landscape: $(TRAIN) ## measure a landscape model beside its baselines   [DATA=siftflow/ MODEL=checkpoints/landscape ARGS="--pix2pix ..."]
	$(RUN) -m training evaluate-landscape $(or $(MODEL),checkpoints/landscape) --device $(DEVICE) \
	  --data "$(DATA)" --out runs/landscape-evaluation $(ARGS)

lock: ## pin anew, in constraints.txt, what the requirements bring along
	deploy/lock.sh "$$(deploy/find_python.sh)"

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of requirements: a change of its files installs it again.
$(RUN):
	"$$(deploy/find_python.sh)" -m venv $(VENV)

$(SERVE): requirements.txt requirements-torch.txt constraints.txt deploy/install_torch.py | $(RUN)
	@echo "installing what serving needs into $(VENV) ($(BUILD))"
	@rm -f $(VENV)/.serve-*
	$(PIP) -r requirements.txt
	$(RUN) deploy/install_torch.py $(BUILD)
	@touch $@

$(TRAIN): requirements-train.txt constraints.txt $(SERVE)
	$(PIP) -r requirements-train.txt
	@touch $@

$(DEV): requirements-dev.txt constraints.txt $(TRAIN)
	$(PIP) -r requirements-dev.txt
	@touch $@

bench-peers: $(DEV) ## install what `make bench` compares with, into state/peers; needs cmake and a C++ compiler
	$(RUN) -m benchmarks.peers.install $(ARGS)

bench: $(DEV) ## ours beside its peers over HTTP, in 20 minutes; writes benchmarks/RESULTS.md   [ARGS=--quick]
	@if command -v c++ >/dev/null; then $(RUN) -m models.gpt.build; fi
	$(RUN) -m benchmarks.compare $(ARGS)

bench-engine: $(DEV) ## the text engine alone, without HTTP, beside its floor   [ARGS="--threads 1 --eager --profile"]
	$(RUN) -m benchmarks.text_engine $(ARGS)

bench-transport: $(DEV) ## what the serving core costs, beside LitServe as shipped and bare FastAPI; needs wrk
	$(RUN) -m benchmarks.transport $(ARGS)

soak: $(DEV) ## ten minutes of mixed load, leavers and killed workers, then the books   [ARGS="--minutes 2"]
	$(RUN) -m benchmarks.soak $(ARGS)
