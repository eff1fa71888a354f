// The running sidecar: start, stop.
import { join } from "node:path";
import { SUPERVISE_PORT, supervisePaths } from "../../config.ts";
import { createFront } from "./front.ts";
import { log } from "./log.ts";
import { answerPost } from "./mcp.ts";
import { Requests } from "./requests.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    log("stopped");
    process.exit(0); // whoever waits asks again: requests are files
  });
}

const { requests, answers, rules, gate, egressLog, gateLog } = supervisePaths;
try {
  const context = {
    requests: new Requests(requests, answers),
    paths: { rules, gate, egressLog: join(egressLog, "decisions.jsonl"), gateLog: join(gateLog, "pushes.jsonl") },
  };
  createFront((request, response, body) => answerPost(request, response, body, context)).listen(SUPERVISE_PORT, "0.0.0.0", () => log("listening", { port: SUPERVISE_PORT, ms: Math.round(performance.now()) }));
} catch (error) {
  log("start_failed", { error: (error as Error).message });
  process.exitCode = 1;
}
