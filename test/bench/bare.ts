// The same project by bare Docker Compose: the very file that the bottle rendered, with networks of Compose's own making
// and on copies of the bottle's files, so that it can come and go by itself.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { memoryFolder } from "../../components/machine/secrets.ts";
import type { NetworkRole } from "../../components/subnets.ts";
import { timed } from "./processes.ts";
import type { Scratch } from "./scratch.ts";

/** Seconds. */
export interface BareTimes {
  readonly up: number;
  /** A second `up`, with nothing changed. */
  readonly again: number;
  readonly down: number;
}

interface ComposeFile {
  name?: string;
  services: Record<string, { labels?: unknown }>;
  networks: Record<string, unknown>;
  volumes?: Record<string, unknown>;
}

export class BareProject {
  readonly #compose: readonly string[];

  private constructor(compose: readonly string[]) {
    this.#compose = compose;
  }

  /** Copies what a bottle that is up has rendered. Addresses are the same, so the two never run at once. */
  static async copy(scratch: Scratch): Promise<BareProject> {
    const folder = join(scratch.folder, "bare");
    const labels = { "bottle.test": scratch.owner };
    mkdirSync(folder);
    let text = readFileSync(join(scratch.state, "docker-compose.yml"), "utf8");
    // cp keeps owner and mode: each file belongs to the uid that reads it.
    await timed("cp", ["-a", scratch.state, join(folder, "state")]);
    text = text.replaceAll(scratch.state, join(folder, "state"));
    const tokens = memoryFolder(scratch.identity.instance);
    if (tokens !== undefined && existsSync(tokens)) {
      await timed("cp", ["-a", tokens, join(folder, "tokens")]);
      text = text.replaceAll(tokens, join(folder, "tokens"));
    }
    const document = parse(text) as ComposeFile;
    delete document.name;
    for (const service of Object.values(document.services)) service.labels = labels;
    document.networks = Object.fromEntries(
      Object.keys(document.networks).map((role) => {
        const { cidr, gateway } = scratch.subnets[role as NetworkRole];
        const isolated = { internal: true, driver_opts: { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" } };
        return [role, { ...(role === "egress" ? {} : isolated), labels, ipam: { config: [{ subnet: cidr, gateway }] } }];
      }),
    );
    document.volumes = Object.fromEntries(Object.keys(document.volumes ?? {}).map((volume) => [volume, { labels }]));
    const file = join(folder, "docker-compose.yml");
    writeFileSync(file, stringify(document, { lineWidth: 0 }));
    return new BareProject(["compose", "--project-name", scratch.owner, "--file", file]);
  }

  async upAndDown(): Promise<BareTimes> {
    const up = () => timed("docker", [...this.#compose, "up", "--detach", "--wait", "--wait-timeout", "60"]);
    const first = await up();
    const again = await up();
    const down = await timed("docker", [...this.#compose, "down", "--volumes", "--timeout", "2"]);
    return { up: first.seconds, again: again.seconds, down: down.seconds };
  }
}
