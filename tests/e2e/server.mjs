// A server of our own for the tests: started, waited for, ended.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const START_SECONDS = 120;

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** Run `python -m module`, with a folder for the fakes; a file `record` in the folder gets what happens to each prompt. */
export async function startServer(module, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), "prospero-e2e-"));
  writeFileSync(join(folder, "record"), "");
  const port = await freePort();
  const log = join(folder, "server.log");
  const file = openSync(log, "w");
  const process_ = spawn(process.env.PYTHON ?? "python3", ["-m", module, ...(module === "service" ? [] : [folder])], {
    cwd: ROOT,
    stdio: ["ignore", file, file],
    env: { ...process.env, PROSPERO_PORT: String(port), PROSPERO_DRAIN_DELAY_SECONDS: "0", ...environment },
  });
  const url = `http://127.0.0.1:${port}`;
  const gone = new Promise((resolve) => process_.on("exit", resolve));
  for (let tries = 0; ; tries++) {
    const isReady = await fetch(`${url}/health`).then((answer) => answer.ok, () => false);
    if (isReady) break;
    if (process_.exitCode !== null || tries > START_SECONDS * 4) throw new Error(`no server:\n${readFileSync(log, "utf8")}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return {
    url,
    folder,
    /** @returns {Promise<string[]>} the warnings in its log */
    async stop() {
      process_.kill("SIGTERM");
      await gone;
      const warnings = readFileSync(log, "utf8").split("\n").filter((line) => / (WARNING|ERROR|CRITICAL) /.test(line));
      rmSync(folder, { recursive: true, force: true });
      return warnings;
    },
  };
}
