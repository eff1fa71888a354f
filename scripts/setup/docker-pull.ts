import { spawn } from "node:child_process";
import { lastLines } from "./exec.ts";

/**
 * Pulls an image, giving up where no registry has answered after 20 s, or where it is not done after 15 min.
 * @returns the reason in one line where it failed, in the engine's own words
 */
export function pullImage(image: string): Promise<{ ok: true } | { ok: false; reason: string }> {
  return new Promise((resolve) => {
    const child = spawn("docker", ["pull", image], { stdio: ["ignore", "pipe", "pipe"] });
    let errors = "";
    const giveUp = (reason: string): void => {
      errors = reason;
      child.kill("SIGTERM");
    };
    const silence = setTimeout(giveUp, 20_000, "no registry answered in 20 s");
    const patience = setTimeout(giveUp, 900_000, "not done after 15 minutes");
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes("Pulling from")) clearTimeout(silence);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const done = (code: number | null): void => {
      clearTimeout(silence);
      clearTimeout(patience);
      resolve(code === 0 ? { ok: true } : { ok: false, reason: lastLines(errors, 1).slice(0, 300) || `exit code ${code}` });
    };
    child.on("error", (error) => {
      errors = error.message;
      done(null);
    });
    child.on("close", done);
  });
}
