#!/usr/bin/env bash
# Writes constraints.txt anew: every package that the requirements bring along, at the version pip takes today.
# Usage: deploy/lock.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    -r requirements.txt -r requirements-train.txt -r requirements-dev.txt \
    -r <(grep -v '^torch==' requirements-torch.txt)
{
    echo "# Every package that the requirements bring along, pinned. Written by \`make lock\`; don't edit."
    "$folder/venv/bin/pip" freeze --all | grep -v -E '^(pip|torch)=='
} >"$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt
