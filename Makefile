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
PROSPERO := $(VENV)/bin/prospero
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install --only-binary :all:
PYTEST := $(RUN) -m pytest --timeout=300
SERVE := $(VENV)/.serve-$(BUILD)
TRAIN := $(VENV)/.train
DEV := $(VENV)/.dev
CHART := state/chart/.installed

# Hundreds of processes import the same files: the first one compiles them for all, even where a shell says otherwise.
unexport PYTHONDONTWRITEBYTECODE
# And pip would compile what nobody imports, too, for a minute.
export PIP_COMPILE := 0

.PHONY: help serve compile test check e2e format-check lint types check-all check-chart check-stack clients format train-text train-landscape gpu-train gpu-train-text eval-text eval-landscape lock dashboard clean bench bench-peers bench-engine bench-transport soak gpu-check

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

serve: $(SERVE) ## serve the checkpoints on 127.0.0.1:8000   [PORT=8000 DEVICE=cpu|cuda ARGS="--text-slots 8"]
	@$(RUN) -m models.build --here
	@exec $(PROSPERO) serve --port $(PROSPERO_PORT) --device $(PROSPERO_DEVICE) $(ARGS)

compile: $(SERVE) ## compile the kernels for every processor of this kind; `serve` does so for this one
	$(RUN) -m models.build

# Files share the cores, those first that take longest: the training jobs'. (pytest would sort them in under all of
# `tests`.) Tests that start servers look at the clock, so that no more than two of them run at a time.
UNIT := tests/training $(filter-out tests/training/ tests/live/,$(wildcard tests/*/)) $(wildcard tests/test_*.py)
test: $(DEV) ## run the tests   [ARGS="-k landscape" runs some]
ifeq ($(ARGS),)
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow" $(UNIT) $(COVERAGE) --numprocesses auto --dist loadfile --no-loadscope-reorder
	$(PYTEST) -m "not slow" tests/live --numprocesses 2 --dist loadfile
else
	$(PYTEST) -m "not slow" $(ARGS)
endif

check: format-check lint types test ## what CI runs: format, lint, strict types, tests

hooks: $(DEV) ## have git run the checks before a commit, and the tests before a push
	$(VENV)/bin/pre-commit install

format-check: $(DEV)
	$(RUN) -m ruff format --check .

lint: $(DEV)
	$(RUN) -m ruff check .

types: $(DEV)
	$(RUN) -m mypy

check-all: COVERAGE := --cov # that tests reach enough lines; watching takes a minute or two
check-all: check $(if $(filter clients,$(SKIP)),,clients) ## check, and what needs haproxy, wrk, Prometheus and a Docker engine   [SKIP="clients docker haproxy prometheus wrk"]
	$(PYTEST) -m slow $(if $(filter clients,$(SKIP)),--ignore tests/live/test_clients.py) $(if $(filter haproxy,$(SKIP)),--deselect tests/live/test_rolling_restart.py) \
	  $(if $(filter prometheus,$(SKIP)),--deselect tests/live/test_prometheus.py)
	$(if $(filter wrk,$(SKIP)),@echo "skipped: wrk",$(RUN) -m benchmarks.transport --rounds 1 --seconds 1)
	$(if $(filter docker,$(SKIP)),@echo "skipped: docker",deploy/check_compose.sh)
	$(if $(filter docker,$(SKIP)),,$(MAKE) check-stack)
	$(MAKE) check-chart

check-stack: $(DEV) ## replicas in a Docker swarm and under compose, replaced and killed under load   [PORT=8000]
	PORT=$(PORT) $(RUN) -m deploy.check_stack

check-chart: $(CHART) ## lint, render and validate the Helm chart, and run its pods under Docker   [SKIP=docker]
	state/chart/bin/python -m deploy.check_chart
	$(if $(filter docker,$(SKIP)),@echo "skipped: docker",state/chart/bin/python -m deploy.run_pod)
	$(if $(filter docker,$(SKIP)),,state/chart/bin/python -m deploy.run_training)

CLIENTS := state/clients/.installed state/lm-eval/.installed state/guidellm/.installed

clients: $(CLIENTS) ## install clients of OpenAI's API that others wrote, into folders of state/

state/clients/.installed: tests/live/clients/requirements.txt
state/lm-eval/.installed: tests/live/clients/lm_eval/requirements.txt
state/guidellm/.installed: tests/live/clients/guidellm/requirements.txt
state/guidellm/.installed: FIRST = $(@D)/bin/python deploy/install_torch.py cpu
$(CLIENTS): | $(RUN)
	$(RUN) -m venv $(@D)
	$(FIRST)
	$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --prefer-binary -r $<
	@touch $@

e2e: $(DEV) ## the page in headless Chromium, or Firefox; needs node and npm   [CHROMIUM=/usr/bin/chromium FIREFOX=/usr/bin/firefox-esr ARGS=lab.test.mjs]
	npm --prefix tests/e2e ci --silent
	node --test tests/studio/*.test.mjs
	cd tests/e2e && PYTHON="$(abspath $(VENV))/bin/python" node run.mjs $(ARGS)

format: $(DEV) ## format the code and apply the linter's safe fixes
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

train-text: $(TRAIN) ## train a text model   [DATA=input.txt ARGS="--preset ..."]
	$(PROSPERO) train text --run runs/text --device $(DEVICE) $(if $(DATA),--data "$(DATA)") $(ARGS)

train-landscape: $(TRAIN) ## train a landscape model   [DATA=folder ARGS="--preset ..."]
	$(PROSPERO) train landscape --run runs/landscape --device $(DEVICE) $(if $(DATA),--data "$(DATA)") $(ARGS)

gpu-train: ## the landscape GAN in the minutes that a card is at hand   [PYTHON=python3 PACK="a.pack b.pack" OUT=folder SECONDS_IN_ALL=360]
	$(or $(PYTHON),$(RUN)) -m training.landscape.gpu_train $(addprefix --pack ,$(PACK)) \
	  --out "$(or $(OUT),runs/gpu-landscape)" --seconds $(or $(SECONDS_IN_ALL),360) $(ARGS)

gpu-train-text: ## a larger GPT in such minutes   [PYTHON=python3 DATA=input.txt OUT=folder SECONDS_IN_ALL=360]
	$(or $(PYTHON),$(RUN)) -m training.text.gpu_train $(if $(DATA),--data "$(DATA)") \
	  --out "$(or $(OUT),runs/gpu-text)" --seconds $(or $(SECONDS_IN_ALL),360) $(ARGS)

eval-text: $(TRAIN) ## score the bundled GPT as it is served, and how it reads   [DATA=input.txt MODEL=checkpoints/gpt-shakespeare ARGS=--write]
	$(PROSPERO) evaluate text $(or $(MODEL),checkpoints/gpt-shakespeare) $(if $(DATA),--data "$(DATA)") $(ARGS)

eval-landscape: $(TRAIN) ## measure a landscape model beside its baselines   [DATA=siftflow/ MODEL=checkpoints/landscape ARGS="--pix2pix ..."]
	$(PROSPERO) evaluate landscape $(or $(MODEL),checkpoints/landscape) --device $(DEVICE) \
	  --data "$(DATA)" --out runs/landscape-evaluation $(ARGS)

dashboard: $(DEV) ## write the Grafana dashboard anew from deploy/dashboard.py
	$(RUN) -m deploy.dashboard

lock: ## write requirements*.txt anew from pyproject.toml   [ARGS="--upgrade-package NAME"]
	"$$(deploy/find_python.sh)" deploy/lock.py $(ARGS)

clean: ## remove the environment and every cache
	[ ! -e "$(VENV)/pyvenv.cfg" ] || rm -rf "$(VENV)"
	rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of requirements: a change of its files installs it again. Each set includes the one before.
$(RUN):
	"$$(deploy/find_python.sh)" -m venv $(VENV)

$(SERVE): pyproject.toml requirements.txt requirements-torch.txt deploy/install_torch.py | $(RUN)
	@echo "installing what serving needs into $(VENV) ($(BUILD))"
	@rm -f $(VENV)/.serve-*
	$(PIP) -r requirements.txt
	$(RUN) deploy/install_torch.py $(BUILD)
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(TRAIN): requirements-train.txt $(SERVE)
	$(PIP) -r requirements-train.txt
	@touch $@

$(DEV): requirements-bench.txt requirements-otel.txt requirements-dev.txt $(TRAIN)
	$(PIP) -r requirements-dev.txt
	@touch $@

# Apart: Helm's library is 200 MB, for Linux on x86-64.
$(CHART): Makefile
	"$$(deploy/find_python.sh)" -m venv state/chart
	state/chart/bin/python -m pip --disable-pip-version-check --quiet install --only-binary :all: \
	  helm-python-sdk==0.2.2 kubernetes-validate==1.37.0
	@touch $@

bench-peers: $(DEV) ## install what `make bench` compares with, into state/peers; needs cmake and a C++ compiler
	$(RUN) -m benchmarks.peers.install $(ARGS)

bench: $(DEV) ## ours beside its peers over HTTP, in 20 minutes; writes benchmarks/RESULTS.md   [ARGS=--quick]
	@if command -v c++ >/dev/null; then $(RUN) -m models.build; fi
	$(RUN) -m benchmarks.compare $(ARGS)

bench-engine: $(DEV) ## the text engine alone, without HTTP, beside its floor   [ARGS="--threads 1 --eager --profile"]
	$(RUN) -m benchmarks.text_engine $(ARGS)

bench-transport: $(DEV) ## what the serving core costs, beside LitServe as shipped and bare FastAPI; needs wrk
	$(RUN) -m benchmarks.transport $(ARGS)

soak: $(DEV) ## ten minutes of mixed load, leavers and killed workers, then the books   [ARGS="--minutes 2"]
	$(RUN) -m benchmarks.soak $(ARGS)

gpu-check: ## on a machine with a GPU: tests, rates, floors, in 4 minutes   [PYTHON=python3 OUT=folder ARGS="--parts engine"]
	$(or $(PYTHON),$(RUN)) -m benchmarks.gpu_check --out "$(or $(OUT),state/gpu-check)" $(ARGS)
