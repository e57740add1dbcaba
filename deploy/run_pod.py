"""Runs the pod that the Helm chart renders under Docker, as a kubelet would: for want of a cluster.

Real are the container's environment, user, root that can't be written, capabilities, /tmp, Secret, memory
limit and port; its probes at their periods and thresholds; a lost worker; SIGTERM with the pod's grace.
``make check-chart`` runs it after `check_chart.py`. Needs a Docker engine with the image prospero:cpu.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from deploy.check_chart import manifests

KEY, TOKEN = "open-sesame", "reload-me"
KEYS_FILE = f'[tester]\nkey = "{KEY}"\n'
VALUES: dict[str, Any] = {"settings": {"text_slots": 16}, "secrets": {"keys": "keys", "adminToken": "admin"}}
SECRETS = {"admin": {"token": TOKEN}}
WRITES = "for f in /tmp/x /x /app/x /app/checkpoints/x; do touch $f 2>/dev/null && echo $f; done; true"
TEXT = {"prompt": "ROMEO:", "max_tokens": 20, "seed": 1}


def docker(*arguments: str) -> str:
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"docker {' '.join(arguments)}: {run.stderr}")
    return (run.stdout + run.stderr if arguments[0] == "logs" else run.stdout).strip()


def as_arguments(spec: dict[str, Any], container: dict[str, Any], folder: Path) -> list[str]:
    """Docker's words for a pod's specification, with a folder in place of a Secret's or a claim's files.

    Raises:
        SystemExit: there are none for a volume here.
    """
    user, rules = spec["securityContext"], container["securityContext"]
    words = [f"--user={user['runAsUser']}:{user['runAsGroup']}", f"--group-add={user['fsGroup']}"]
    words += ["--read-only"] * rules["readOnlyRootFilesystem"]
    words += [f"--cap-drop={name}" for name in rules["capabilities"]["drop"]]
    words += ["--security-opt=no-new-privileges"] * (not rules["allowPrivilegeEscalation"])
    words += [f"--memory={container['resources']['limits']['memory'].lower().removesuffix('i')}"]
    for variable in container["env"]:
        value = variable.get("value")
        if value is None:
            source = variable["valueFrom"]["secretKeyRef"]
            value = SECRETS[source["name"]][source["key"]]
        words.append(f"--env={variable['name']}={value}")
    kinds = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = kinds[mount["name"]]
        if "emptyDir" in volume:  # disk in a cluster, memory here
            words.append(f"--tmpfs={mount['mountPath']}:mode=1777")
        elif "secret" in volume or "persistentVolumeClaim" in volume:
            mode = "ro" if mount.get("readOnly") else "rw"
            words.append(f"--volume={folder / mount.get('subPath', '.')}:{mount['mountPath']}:{mode}")
        else:
            raise SystemExit(f"{volume}: not known here")
    return words


class Pod:
    """A running container, asked as a kubelet asks it."""

    def __init__(self, spec: dict[str, Any], folder: Path) -> None:
        self.container = spec["containers"][0]
        arguments = as_arguments(spec, self.container, folder)
        self.id = docker("run", "--detach", *arguments, self.container["image"])
        network = json.loads(docker("inspect", "--format={{json .NetworkSettings.Networks}}", self.id))
        self.url = f"http://{network['bridge']['IPAddress']}:{self.container['ports'][0]['containerPort']}"

    def get(self, path: str, seconds: float = 5, **more: Any) -> int:
        """The status of an answer; 0 for none."""
        try:
            request = urllib.request.Request(self.url + path, **more)
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def text(self, key: str | None = KEY) -> int:
        headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
        return self.get("/generate/text", 60, data=json.dumps(TEXT).encode(), headers=headers)

    def probe(self, name: str) -> bool:
        """Once, as the chart has it."""
        probe = self.container[f"{name}Probe"]
        return 200 <= self.get(probe["httpGet"]["path"], probe["timeoutSeconds"]) < 400

    def succeeds(self, name: str, seconds: float) -> float:
        """Seconds until a probe succeeds; SystemExit if that is too late."""
        began, period = time.monotonic(), self.container[f"{name}Probe"]["periodSeconds"]
        while not self.probe(name):
            if time.monotonic() - began > seconds:
                raise SystemExit(
                    f"{name} has failed for {seconds} s:\n{docker('logs', '--tail=30', self.id)}"
                )
            time.sleep(period)
        return time.monotonic() - began


def expect(wanted: object, found: object, what: str) -> None:
    if wanted != found:
        raise SystemExit(f"{what}: {found!r}, not {wanted!r}")
    print(f"{what}: {found}")


def lose_a_worker(pod: Pod) -> None:
    """Liveness must hold, or Kubernetes would end what heals itself; readiness must fail and come back."""
    (worker, *_) = re.findall(r"model ready model=gpt-shakespeare pid=(\d+)", docker("logs", pod.id))
    docker("exec", pod.id, "sh", "-c", f"kill -9 {worker}")
    seen = set()
    while (pod.probe("liveness"), pod.probe("readiness")) != (True, False):
        time.sleep(0.05)
    while (now := (pod.probe("liveness"), pod.probe("readiness"))) != (True, True):
        seen.add(now)
        time.sleep(0.2)
    expect({(True, False)}, seen, "(live, ready) while a worker is away")


def terminate(pod: Pod, grace: int) -> None:
    """SIGTERM: out of the Service at once, answering for as long as that may take to get round."""
    began = time.monotonic()
    stop = threading.Thread(target=docker, args=("stop", f"--time={grace}", pod.id))
    stop.start()
    while pod.probe("readiness"):
        time.sleep(0.05)
    expect(200, pod.text(), f"a text {time.monotonic() - began:.1f} s after SIGTERM")
    stop.join()
    took = time.monotonic() - began
    expect("0 false", docker("inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", pod.id), "ended")
    print(f"within {took:.1f} s of {grace}")


def main() -> int:
    (deployment,) = (one for one in manifests(VALUES) if one["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "keys.toml").write_text(KEYS_FILE)
        pod = Pod(spec, Path(folder))
        try:
            startup = pod.container["startupProbe"]
            live = pod.succeeds("startup", startup["periodSeconds"] * startup["failureThreshold"])
            print(f"live after {live:.0f} s, ready {pod.succeeds('readiness', 300):.0f} s later")
            expect("10001", docker("exec", pod.id, "id", "-u"), "user")
            expect("/tmp/x", docker("exec", pod.id, "sh", "-c", WRITES), "can be written")
            expect((401, 200), (pod.text(None), pod.text()), "a text without and with the Secret's key")
            admin = {"Authorization": f"Bearer {TOKEN}", "X-API-Key": KEY}
            expect(200, pod.get("/admin/reload", 120, method="POST", headers=admin), "reload with the token")
            lose_a_worker(pod)
            terminate(pod, spec["terminationGracePeriodSeconds"])
        finally:
            docker("rm", "--force", pod.id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
