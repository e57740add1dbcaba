# The service (the last stage, and so the default) and the training job (--target train).
# DEVICE=cpu or cuda selects the build of torch.
FROM python:3.11-slim AS packages
ARG DEVICE=cpu
WORKDIR /build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements-torch.txt ./
COPY deploy/install_torch.py deploy/
# Its headers and tests, a fifth of it, are for those who build against it.
RUN python deploy/install_torch.py "$DEVICE" && rm -rf /venv/lib/python3.11/site-packages/torch/include \
    /venv/lib/python3.11/site-packages/torch/test
COPY requirements.txt requirements-otel.txt ./
RUN pip install --only-binary :all: -r requirements-otel.txt

# What is installed, as CycloneDX lists it: /app/sbom.json of the service.
FROM packages AS sbom
RUN /usr/local/bin/python -m pip install --only-binary :all: cyclonedx-bom==7.5.0 && \
    /usr/local/bin/cyclonedx-py environment /venv/bin/python \
    --output-reproducible --output-file /sbom.json

FROM packages AS train-packages
COPY requirements-train.txt ./
RUN pip install --only-binary :all: -r requirements-train.txt

# Compiles for each level of x86-64, not for the processor at hand: what is built here runs elsewhere.
FROM python:3.11-slim AS kernels
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY models models
RUN python -m models.build

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
LABEL org.opencontainers.image.title="Prospero" \
    org.opencontainers.image.description="Serves GPT text and sketch-to-landscape GANs over HTTP" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.documentation="/app/checkpoints/*/README.md: terms of the weights"
COPY --from=packages /venv /venv
COPY --from=sbom /sbom.json ./
COPY LICENSE ./
# The bundled models; a volume at this place takes theirs.
COPY checkpoints checkpoints
COPY models models
COPY --from=kernels /app/models/compiled models/compiled
COPY service service
COPY studio studio
RUN python -m compileall -q models service
ENV PROSPERO_HOST=0.0.0.0
USER prospero
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=180s --retries=3 CMD ["python", "-c", \
    "import os; from urllib.request import urlopen as get; get('http://127.0.0.1:%s/health' % os.getenv('PROSPERO_PORT', 8000), timeout=4)"]
CMD ["python", "-m", "service"]
