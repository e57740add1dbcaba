# The service (the last stage, and so the default) and the training job (--target train).
# DEVICE=cpu or cuda selects the build of torch.
FROM python:3.11-slim AS packages
ARG DEVICE=cpu
WORKDIR /build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY constraints.txt requirements-torch.txt ./
COPY deploy/install_torch.py deploy/
# Its headers and tests, a fifth of it, are for those who build against it.
RUN python deploy/install_torch.py "$DEVICE" && rm -rf /venv/lib/python3.11/site-packages/torch/include \
    /venv/lib/python3.11/site-packages/torch/test
COPY requirements.txt ./
RUN pip install --only-binary :all: -c constraints.txt -r requirements.txt

FROM packages AS train-packages
COPY requirements-train.txt ./
RUN pip install --only-binary :all: -c constraints.txt -r requirements-train.txt

# Compiles for each level of x86-64, not for the processor at hand: what is built here runs elsewhere.
FROM python:3.11-slim AS kernels
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY models models
RUN python -m models.gpt.build

FROM python:3.11-slim AS base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin prospero
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app

# Runs as the owner of the mounted checkpoints, so that what it writes belongs to whoever owns the checkout.
FROM base AS train
COPY --from=train-packages /venv /venv
COPY LICENSE ./
COPY deploy/train_as_owner.sh deploy/
COPY models models
COPY training training
COPY eval_checkpoints eval_checkpoints
RUN python -m compileall -q models training
ENTRYPOINT ["deploy/train_as_owner.sh"]

FROM base AS serve
COPY --from=packages /venv /venv
COPY LICENSE ./
COPY models models
COPY --from=kernels /app/models/gpt/compiled models/gpt/compiled
COPY service service
COPY studio studio
RUN python -m compileall -q models service
ENV PROSPERO_HOST=0.0.0.0
USER prospero
EXPOSE 8000
CMD ["python", "-m", "service"]
