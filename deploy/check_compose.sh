#!/usr/bin/env bash
# Proves the compose files on a real Docker engine: build, serve, be scraped, train, stop in good order.
# Ports 8000 (or PORT) and 9090 must be free. Leaves the images, removes everything else.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=prospero-check PORT="${PORT:-8000}"
compose() { docker compose --profile train "$@"; }
say() { printf '== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; compose logs --tail 50 >&2 || true; exit 1; }
docker info >/dev/null 2>&1 || { echo "FAILED: no Docker engine answers (SKIP=docker leaves this out)" >&2; exit 1; }
trap 'compose down --volumes --timeout 5 >/dev/null 2>&1' EXIT

say "both files are valid"
docker compose -f docker-compose.yml -f docker-compose.gpu.yml --profile train config --quiet

say "build and serve"
compose build
docker compose up --detach --no-build --wait --wait-timeout 300 || fail "the service is not healthy"
url=http://127.0.0.1:$PORT
container=$(docker compose ps --quiet prospero)

say "not root, one process tree under init, checkpoints read-only"
[ "$(docker exec "$container" id -u)" != 0 ] || fail "the service runs as root"
[ "$(docker exec "$container" cat /proc/1/comm)" != python ] || fail "no init process"
docker exec "$container" sh -c 'touch checkpoints/x 2>/dev/null' && fail "checkpoints can be written"

say "the image alone serves its own models, says how it is, and what is in it"
alone=$(docker run --detach --read-only --tmpfs /tmp prospero:cpu)
trap 'docker rm --force "$alone" >/dev/null 2>&1; compose down --volumes --timeout 5 >/dev/null 2>&1' EXIT
for _ in $(seq 120); do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$alone")" = healthy ] && break
    sleep 2
done
[ "$(docker inspect --format '{{.State.Health.Status}}' "$alone")" = healthy ] || fail "the image alone is not healthy"
docker inspect --format '{{json .Config.Labels}}' "$alone"
docker exec "$alone" python -c 'import json; print(len(json.load(open("sbom.json"))["components"]), "parts")'
docker rm --force "$alone" >/dev/null

say "both endpoints answer"
python3 - "$url" <<'PY' || fail "an endpoint does not answer as it should"
import json, sys, urllib.request

url = sys.argv[1]
models = json.load(urllib.request.urlopen(f"{url}/models"))
print("models:", json.dumps(models)[:300])
body = json.dumps({"prompt": "ROMEO:", "max_tokens": 20, "seed": 1}).encode()
request = urllib.request.Request(f"{url}/generate/text", body, {"Content-Type": "application/json"})
print("text:", json.load(urllib.request.urlopen(request))["choices"][0])
palette = json.load(urllib.request.urlopen(f"{url}/palette"))["classes"]
color = bytes.fromhex(palette[0]["color"][1:])
import struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress((b"\0" + color * 64) * 64)) + chunk(b"IEND", b"")
request = urllib.request.Request(f"{url}/generate/landscape?seed=1", png, {"Content-Type": "image/png"})
answer = urllib.request.urlopen(request)
print("landscape:", answer.headers["Content-Type"], answer.headers["X-Seed"], len(answer.read()), "bytes")
PY

say "Prometheus scrapes it"
python3 - <<'PY' || fail "Prometheus has no sample of the service"
import json, time, urllib.request

query = "http://127.0.0.1:9090/api/v1/query?query="
for _ in range(60):
    try:
        up = json.load(urllib.request.urlopen(query + "up"))["data"]["result"]
        served = json.load(urllib.request.urlopen(query + "prospero_http_requests_total"))["data"]["result"]
    except OSError:
        up = served = []
    if [sample["value"][1] for sample in up] == ["1"] and served:
        print("up:", up[0]["metric"], "and", len(served), "series of prospero_http_requests_total")
        raise SystemExit(0)
    time.sleep(1)
raise SystemExit(f"up: {up}, served: {served}")
PY

say "the training job starts"
compose run --rm --no-deps -T train text --help >/dev/null || fail "the training job does not start"

say "SIGTERM ends it in good order"
docker compose stop prospero
status=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[ "$status" = 0 ] || fail "the service exited with $status"
say "all of it held"
