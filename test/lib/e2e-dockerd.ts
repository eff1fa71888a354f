// A Docker engine of a test's own, which can be stopped: the machine's is used by others.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { which } from "../../scripts/setup/machine.ts";
import { ok, run, until } from "./run.ts";

/**
 * dockerd with its own folders, containerd, and network namespace: it neither sees nor changes the bridges and the packet
 * filter of this machine. It has no way out.
 */
export class PrivateEngine {
  /** For DOCKER_HOST. */
  readonly host: string;
  readonly #folder: string;
  #daemon?: ChildProcess;

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "bottle-engine-"));
    this.host = `unix://${this.#folder}/docker.sock`;
  }

  /** Starts one with these images in it. @returns the engine, or why this machine cannot have one */
  static async start(images: readonly string[]): Promise<PrivateEngine | string> {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "a private engine needs root on Linux";
    const missing = ["dockerd", "unshare", "ip"].filter((program) => !which(program));
    if (missing.length > 0) return `no ${missing.join(", ")} on PATH`;
    const engine = new PrivateEngine();
    try {
      await engine.up();
      await ok("sh", ["-c", `docker save ${images.join(" ")} | docker --host ${engine.host} load`], { timeout: 120_000 });
      return engine;
    } catch (error) {
      const reason = `a private engine does not start here: ${(error as Error).message.split("\n")[0]}; ${engine.lastLine()}`;
      await engine.dispose();
      return reason;
    }
  }

  async up(): Promise<void> {
    const at = (name: string) => join(this.#folder, name);
    const log = openSync(at("log"), "a");
    const options = ["data-root", "exec-root", "pidfile"].map((name) => `--${name}=${at(name)}`);
    // A name of its own for its containerd's objects, should it ever share one.
    const separate = ["--containerd-namespace=bottle-e2e", "--containerd-plugins-namespace=bottle-e2e-plugins"];
    const daemon = ["dockerd", `--host=${this.host}`, ...options, ...separate, "--log-level=warn"].join(" ");
    this.#daemon = spawn("unshare", ["--net", "sh", "-c", `ip link set lo up && exec ${daemon}`], { stdio: ["ignore", log, log] });
    await until("the private engine answers", async () => (await run("docker", ["--host", this.host, "version"])).code === 0, 30_000);
  }

  /** As `systemctl stop docker` does: its containers stop with it. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon || daemon.exitCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill("SIGTERM");
    await ended;
  }

  async dispose(): Promise<void> {
    await this.stop();
    // What it mounted is unmounted by itself, but for what a crash left.
    for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
      const target = line.split(" ")[1];
      if (target?.startsWith(`${this.#folder}/`)) await run("umount", ["--lazy", target]);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  private lastLine(): string {
    try {
      return readFileSync(join(this.#folder, "log"), "utf8").trim().split("\n").at(-1) ?? "";
    } catch {
      return "";
    }
  }
}
