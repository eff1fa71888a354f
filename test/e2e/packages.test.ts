// What this machine's own package clients are configured to use, reached through the chain.
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageHosts, type PackageClient } from "../../components/machine/packages.ts";
import { curl } from "../lib/e2e-agent.ts";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";

const apt = "-o Dir::State=/tmp/apt/state -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache=/tmp/apt/cache -o APT::Sandbox::User=agent -o Acquire::Retries=2";
const commands: Record<PackageClient, { name: string; command: string; said: RegExp }> = {
  npm: { name: "npm view", command: "npm view is-number version --loglevel=error", said: /^\d+\.\d+\.\d+$/m },
  pip: { name: "pip download", command: "pip download --no-deps --no-cache-dir --dest /tmp/pip six && ls /tmp/pip", said: /^six-.*\.whl$/m },
  apt: { name: "apt-get update", command: `mkdir -p /tmp/apt/state/lists/partial /tmp/apt/cache/archives/partial && apt-get ${apt} update && apt-cache ${apt} policy hello`, said: /Candidate: \d/ },
};
const clients = Object.keys(commands) as PackageClient[];
/** By client why it cannot be tried here; undefined if it can. */
const lacking: Record<string, string | undefined> = Object.fromEntries(await Promise.all(clients.map(async (client) => [client, await lack(client)])));
const usable = clients.filter((client) => lacking[client] === undefined);

/** The client must be configured here, and its hosts be reached from this machine itself. */
async function lack(client: PackageClient): Promise<string | undefined> {
  try {
    const { hosts } = await packageHosts([client]);
    const reached = await Promise.all(hosts.map(async (host) => (await opens(host, 443)) || (await opens(host, 80))));
    return hosts.length > 0 && reached.every(Boolean) ? undefined : `this machine does not reach what its ${client} uses`;
  } catch {
    return `this machine has no ${client}`;
  }
}

function opens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean): void => (socket.destroy(), resolve(answer));
    socket.once("connect", () => finish(true)).once("error", () => finish(false));
    socket.setTimeout(5_000, () => finish(false));
  });
}

describeWith(["engine", "base", "pipelock", "pulumi"], "package clients through the chain", () => {
  const run = usable.length > 0 ? describe : describe.skip;
  run("with network.packages", () => {
    let project: ScratchProject;
    let stack: Stack;
    let agent: string;

    beforeAll(async () => {
      project = await scratchProject();
      const { hosts } = await packageHosts(usable);
      // A mirror on an address that is not a public one is named with it, as the manifest demands.
      const named = await Promise.all(hosts.map(async (host) => ({ host, inspect: false, private: (await lookup(host, { all: true, family: 4 })).map(({ address }) => `${address}/32`) })));
      stack = await project.stack("packages", { agent: { preset: "claude", claude: { login: "none" } }, network: { packages: usable, hosts: named } });
      await stack.up({ timeout: 900_000 });
      agent = (await containers(stack.identity.instance))["agent"]!.name;
    });
    afterAll(() => project?.dispose());

    for (const client of clients) {
      const { name, command, said } = commands[client];
      test.skipIf(lacking[client])(`${name}${lacking[client] ? ` [skipped: ${lacking[client]}]` : ""}`, async () => {
        const { code, stdout, stderr } = await execIn(agent, command, { timeout: 120_000 });
        expect(stderr + stdout).toMatch(said);
        expect(code, stderr).toBe(0);
      });
    }

    test("and nothing else by the same clients", async () => {
      expect((await curl(agent, "https://packages.bottle.test/")).status).toBe(403);
    });
  });
});
