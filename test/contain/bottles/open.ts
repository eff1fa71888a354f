// A bottle with every hole that this suite looks for: it shows that the suite can fail.
import { createServer, type Server } from "node:http";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { memoryFolder } from "../../../components/machine/secrets.ts";
import type { ComposeDocument, EngineBottle, Holes } from "./engine.ts";
import { API_VARIABLE } from "./manifest.ts";

const proxyScript = join(import.meta.dirname, "open-proxy.mjs");

/** Where the open agent sees what it should not. */
const leaks = { state: "/host/state", project: "/host/project", secrets: "/host/secrets", sockets: "/var/run/engine" };

/**
 * The agent is on an ordinary bridge, as root with rights to spare, with the token in its environment and the bottle's
 * files mounted for writing; its proxy lets everything through, git-gate is a plain git daemon, logs have no bound.
 */
export function openHoles(tokens: { api: string }, { gitUpstream, workspace }: { gitUpstream?: string; workspace?: string }): Holes {
  return {
    gateways: true,
    compose(document, bottle) {
      const { agent } = document.services as Record<string, Record<string, unknown>>;
      openAgent(agent!, bottle, tokens.api, workspace);
      openProxy(document, agent!["image"], bottle);
      if (gitUpstream !== undefined) openGate(document, agent!["image"], gitUpstream);
      for (const service of Object.values(document.services)) {
        service["logging"] = { driver: "json-file" };
        delete service["mem_limit"];
        delete service["pids_limit"];
      }
    },
  };
}

function openAgent(agent: Record<string, unknown>, bottle: EngineBottle, token: string, workspace: string | undefined): void {
  const { project, state, identity } = bottle;
  const bind = (source: string, target: string) => ({ type: "bind", source, target });
  const secrets = memoryFolder(identity.instance);
  Object.assign(agent, {
    user: "0:0",
    read_only: false,
    cap_drop: [],
    cap_add: ["SYS_ADMIN", "NET_RAW", "NET_ADMIN"],
    security_opt: ["seccomp=unconfined", "apparmor=unconfined"],
    environment: [...(agent["environment"] as string[]), `${API_VARIABLE}=${token}`],
    networks: { ...(agent["networks"] as object), egress: guest(bottle, 12) },
    volumes: [
      ...(agent["volumes"] as { read_only?: boolean; target: string }[]).filter(({ target }) => workspace === undefined || target !== "/workspace").map(({ read_only: _, ...mount }) => mount),
      ...(workspace === undefined ? [] : [bind(workspace, "/workspace")]),
      bind(state, leaks.state),
      bind(project, leaks.project),
      bind(join(project, "sockets"), leaks.sockets),
      ...(secrets === undefined ? [] : [bind(secrets, leaks.secrets)]),
    ],
  });
}

/** A place of the egress network that no service has. */
function guest({ subnets: { egress } }: EngineBottle, place: number): { ipv4_address: string } {
  return { ipv4_address: egress.gateway.replace(/\d+$/, (first) => String(Number(first) - 1 + place)) };
}

/** Takes the place of whichever service was the agent's proxy. */
function openProxy(document: ComposeDocument, image: unknown, bottle: EngineBottle): void {
  const name = "egress" in document.services ? "egress" : "pipelock";
  const { labels, networks } = document.services[name]! as { labels: unknown; networks: Record<string, unknown> };
  document.services[name] = {
    ...{ image, labels, user: "1000:1000", init: true, restart: "always", pull_policy: "never", command: ["node", "/open-proxy.mjs"] },
    networks: { internal: networks["internal"], egress: guest(bottle, 13) },
    volumes: [{ type: "bind", source: proxyScript, target: "/open-proxy.mjs", read_only: true }],
    healthcheck: { test: ["CMD", "true"], interval: "5s" },
  };
  delete (document.services["agent"] as { depends_on?: unknown }).depends_on;
}

function openGate(document: ComposeDocument, image: unknown, upstream: string): void {
  const gate = document.services["git-gate"]! as { labels: unknown; networks: unknown };
  const command = ["git", "-c", "safe.directory=*", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack", "--base-path=/srv/git", "--verbose"];
  document.services["git-gate"] = {
    ...{ image, labels: gate.labels, networks: gate.networks, user: "1000:1000", init: true, pull_policy: "never", command },
    environment: ["GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"],
    volumes: [{ type: "bind", source: upstream, target: `/srv/git/file${upstream}` }],
  };
}

/** What passes for an engine's socket: it answers as Docker's API does and does nothing. @returns its server */
export async function engineLikeSocket(project: string): Promise<Server> {
  const folder = join(project, "sockets");
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const server = createServer((_, response) => response.writeHead(200, { "content-type": "application/json" }).end('{"ApiVersion":"1.51"}'));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(join(folder, "docker.sock"), resolve));
  chmodSync(join(folder, "docker.sock"), 0o666);
  return server;
}
