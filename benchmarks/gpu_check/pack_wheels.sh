#!/bin/sh
# Fetches into .whl/ what serving needs and a machine with only PyTorch's usual company lacks; 5 MiB. There:
#   python3 -m pip install -q --no-index --no-deps --no-compile --target /tmp/site .whl/*.whl
#   PYTHONPATH=/tmp/site python3 -m benchmarks.gpu_check --out results
set -eu
cd "$(dirname "$0")/../.."
names='annotated-doc annotated-types fastapi fastapi-offline httptools isal litserve msgspec opentelemetry-api pydantic
  pydantic-core pydantic-settings python-dotenv python-multipart pyzmq starlette typing-extensions typing-inspection uvicorn'
wanted=$(for name in $names; do
  sed -n "s/^\\($name\\)\\(\\[[^]]*\\]\\)\\{0,1\\}\\(==[^ ]*\\).*/\\1\\3/p" requirements.txt | grep . ||
    { echo "$name is not in requirements.txt" >&2; exit 1; }
done)
rm -rf .whl
mkdir .whl
echo "$wanted" |
  "${PYTHON:-python3}" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: \
    --python-version "${VERSION:-3.12}" --implementation cp --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    --dest .whl --requirement /dev/stdin
du -sh .whl
