// node run.mjs [FILE …]: the real server around fake engines, and the tests against it; PYTHON names its python.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { startServer } from "./server.mjs";

const here = new URL(".", import.meta.url).pathname;
const given = process.argv.slice(2);
const files = given.length ? given : readdirSync(here).filter((name) => name.endsWith(".test.mjs")).sort();
const server = await startServer("harness.fake_server", { PROSPERO_LAB_RUNS: "4" });
const tests = spawn(process.execPath, ["--test", "--test-concurrency=1", "--test-reporter=spec", ...files], {
  cwd: here,
  stdio: "inherit",
  env: { ...process.env, E2E_URL: server.url, E2E_FOLDER: server.folder },
});
const code = await new Promise((resolve) => tests.on("exit", resolve));
const warnings = await server.stop();
if (code && warnings.length) console.error(`the server's log warns:\n${warnings.join("\n")}`);
process.exit(code ?? 1);
