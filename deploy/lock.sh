#!/usr/bin/env bash
# Writes constraints.txt anew: every package that the requirements bring along, at the version pip takes today.
# Usage: deploy/lock.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --dry-run --ignore-installed --report "$folder/report.json" \
    --quiet --disable-pip-version-check --only-binary :all: \
    -r requirements.txt -r requirements-train.txt -r requirements-dev.txt \
    -r <(grep -v '^torch==' requirements-torch.txt)
"$folder/venv/bin/python" - "$folder/report.json" >"$folder/constraints.txt" <<'PY'
import json
import sys

print("# Every package that the requirements bring along, pinned. Written by `make lock`; don't edit.")
found = [entry["metadata"] for entry in json.load(open(sys.argv[1]))["install"]]
for line in sorted(f"{one['name'].lower().replace('_', '-')}=={one['version']}" for one in found):
    print(line)
PY
mv "$folder/constraints.txt" constraints.txt
