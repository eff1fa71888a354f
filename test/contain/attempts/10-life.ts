// Class 10: what a bottle's beginning, middle and end leave open.
import { existsSync, rmSync } from "node:fs";
import { BASE_IMAGE, PIPELOCK_IMAGE } from "../../../components/manifest/schema.ts";
import { engineObjects, containers } from "../../lib/e2e-engine.ts";
import { PrivateEngine } from "../../lib/e2e-dockerd.ts";
import type { Stack } from "../../lib/e2e-project.ts";
import { ok, run, until } from "../../lib/run.ts";
import { escaped, held, Skip, type Attempt, type Seen } from "../attempt.ts";
import type { PulumiBottles } from "../bottles/pulumi.ts";
import { tryToReach, tryToReachWithBash } from "../faults/reach.ts";
import type { Bottle, Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { stillWorks } from "./8-sidecars.ts";
import { oneLine } from "./judge.ts";

function pulumiOf({ pulumi }: Lab): PulumiBottles {
  if (pulumi === undefined) throw new Skip("this form of the bottle is made without Pulumi");
  return pulumi;
}

/** A small bottle of an attempt's own. */
const small = (lab: Lab, name: string): Promise<Stack> => pulumiOf(lab).project.stack(name, { agent: { image: BASE_IMAGE }, network: { hosts: [{ host: names.files, inspect: false }] } });

/** Whatever `destroy` leaves of a stack, after `pulumi cancel` where an update was killed. */
async function reaped(stack: Stack): Promise<Seen> {
  await stack.pulumi("cancel", "--yes");
  await stack.destroy();
  const left = await stack.leftovers();
  return left.length > 0 ? escaped(`destroy left ${left.join(", ")}`) : held("destroy left nothing");
}

const both = (first: Seen, second: Seen): Seen => ({ held: first.held && second.held, seen: `${first.seen}; ${second.seen}` });

export const life: Attempt[] = [
  {
    id: "10.agent-restart",
    class: 10,
    alone: true,
    what: "the agent's container restarted",
    source: sources.own,
    must: "reach what it reached before, and no more",
    try: async (lab, marker) => {
      await ok("docker", ["restart", "--timeout", "2", lab.bottle.container("agent")]);
      await stillWorks(lab.bottle);
      return tryToReach(lab, lab.bottle, marker);
    },
  },
  {
    id: "10.chain-restart",
    class: 10,
    alone: true,
    slow: true,
    what: "all sidecars restarted at once, the agent trying the whole time",
    source: sources.own,
    must: "gain no reach at any moment",
    try: async (lab, marker) => {
      const services = ["egress", "pipelock", ...(lab.gitUpstream === undefined ? [] : ["git-gate"])];
      const restarts = ok("docker", ["restart", "--timeout", "2", ...services.map((service) => lab.bottle.container(service))]);
      const seen: Seen[] = [];
      for (let turn = 0; turn < 4; turn++) seen.push(await tryToReach(lab, lab.bottle, marker));
      await restarts;
      await stillWorks(lab.bottle);
      return seen.find((each) => !each.held) ?? held([...new Set(seen.map(({ seen: text }) => text))].join("; "));
    },
  },
  {
    id: "10.killed-up",
    class: 10,
    alone: true,
    slow: true,
    what: "`pulumi up` killed with all it started, in the moment in which the agent's container begins to run",
    source: sources.own,
    must: "leave an agent without reach, and nothing after `destroy`",
    try: async (lab, marker) => {
      const stack = await small(lab, "killed-up");
      const update = stack.start("up", "--yes", "--skip-preview");
      const filter = ["--filter", `name=^${stack.identity.composeProject}-agent-1$`, "--filter", "status=running"];
      await until("the agent's container runs", async () => (await ok("docker", ["ps", "--quiet", ...filter])) !== "", 60_000);
      const early = tryToReachWithBash(lab, `${stack.identity.composeProject}-agent-1`, marker);
      await update.killAll();
      return both(await early, await reaped(stack));
    },
  },
  {
    id: "10.killed-destroy",
    class: 10,
    alone: true,
    slow: true,
    what: "`pulumi destroy` killed half-way",
    source: sources.own,
    must: "leave an agent without reach, and nothing after the next `destroy`",
    try: async (lab, marker) => {
      const stack = await small(lab, "killed-destroy");
      await stack.up();
      const update = stack.start("destroy", "--yes", "--skip-preview");
      await Promise.race([update.said("deleted"), update.done]);
      await update.killAll();
      return both(await tryToReachWithBash(lab, `${stack.identity.composeProject}-agent-1`, marker), await reaped(stack));
    },
  },
  {
    id: "10.lost-state",
    class: 10,
    alone: true,
    slow: true,
    what: "the bottle's folder under state/ deleted while it runs, and its containers restarted",
    source: sources.own,
    must: "give the agent no reach, and leave nothing after `destroy`",
    try: async (lab, marker) => {
      const stack = await small(lab, "lost-state");
      await stack.up();
      rmSync(stack.state, { recursive: true });
      const all = Object.values(await containers(stack.identity.instance)).map(({ id }) => id);
      await run("docker", ["restart", "--timeout", "2", ...all]);
      const seen = await tryToReachWithBash(lab, `${stack.identity.composeProject}-agent-1`, marker);
      return both(seen, await reaped(stack));
    },
  },
  {
    id: "10.network-made-open",
    class: 10,
    alone: true,
    slow: true,
    what: "a bottle's internal network made anew by hand, without isolation; then `pulumi up`",
    source: sources.mobyIsolated,
    must: "be noticed: `up` fails, or makes it as it should be",
    try: async (lab, marker) => {
      const stack = await small(lab, "made-open");
      await stack.up();
      const network = `${stack.identity.composeProject}-internal`;
      const { Subnet, Gateway } = JSON.parse(await ok("docker", ["network", "inspect", "--format", "{{json (index .IPAM.Config 0)}}", network])) as { Subnet: string; Gateway: string };
      await ok("docker", ["rm", "--force", ...Object.values(await containers(stack.identity.instance)).map(({ id }) => id)]);
      await ok("docker", ["network", "rm", network]);
      const labels = Object.entries(stack.identity.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
      await ok("docker", ["network", "create", "--subnet", Subnet, "--gateway", Gateway, ...labels, network]);
      const { code, output } = await stack.pulumi("up", "--yes", "--skip-preview", "--refresh");
      const seen = await tryToReachWithBash(lab, `${stack.identity.composeProject}-agent-1`, marker);
      const internal = await run("docker", ["network", "inspect", "--format", "{{.Internal}}", network]);
      const noticed = code !== 0 || internal.stdout.trim() === "true";
      const said = code === 0 ? "up made it anew" : `up: ${oneLine(/Docker network[^\n]*|error:[^\n]*/.exec(output)?.[0] ?? output.slice(-200), 120)}`;
      return both(both(noticed ? held(said) : escaped("up took the open network"), seen), await reaped(stack));
    },
  },
  {
    id: "10.engine-restart",
    class: 10,
    alone: true,
    slow: true,
    what: "the engine stopped and started under a bottle (a second dockerd); the host's ports tried before and after",
    source: sources.mobyIsolated,
    must: "keep the networks isolated; the bottle comes back by itself; `destroy` reaps",
    try: async (lab) => {
      const { project } = pulumiOf(lab);
      const engine = await PrivateEngine.start([BASE_IMAGE, PIPELOCK_IMAGE]);
      if (typeof engine === "string") throw new Skip(engine);
      try {
        const env = { DOCKER_HOST: engine.host };
        const stack = project.register("restarted", { agent: { image: BASE_IMAGE }, network: { hosts: [names.docs] } });
        await project.pulumi(["stack", "select", "--create", "restarted"]);
        await stack.up({ env, timeout: 300_000 });
        const docker = (...args: string[]) => ok("docker", ["--host", engine.host, ...args], { timeout: 60_000 });
        const listen = 'require("net").createServer((c) => c.end("reached")).listen(7777)';
        const before = await hostReach(docker, stack, listen, "contain-listener-1");
        await engine.stop();
        await engine.up();
        await until("both containers run again", async () => (await docker("ps", "--quiet", "--filter", `label=bottle.instance=${stack.identity.instance}`)).split("\n").filter(Boolean).length === 2, 40_000);
        const after = await hostReach(docker, stack, listen, "contain-listener-2");
        await stack.destroy({ env });
        const left = await docker("ps", "--all", "--quiet", "--filter", `label=bottle.instance=${stack.identity.instance}`);
        return both(both(before, after), left === "" ? held("destroy left nothing") : escaped("destroy left containers"));
      } finally {
        await engine.dispose();
      }
    },
  },
];

/** Whether an agent on a private engine reaches a port of that engine's host; the default bridge shows that one could. */
async function hostReach(docker: (...args: string[]) => Promise<string>, stack: Stack, listen: string, name: string): Promise<Seen> {
  await docker("run", "--detach", "--rm", "--name", name, "--network", "host", "--volume", `${process.execPath}:/node:ro`, BASE_IMAGE, "/node", "-e", listen);
  const gateways = await Promise.all(["internal", "transit", "egress"].map((role) => docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", `${stack.identity.composeProject}-${role}`)));
  const bridge = await docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge");
  const reach = (address: string) => `timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/7777 && cat <&3' 2>/dev/null`;
  await until("a container on the default bridge reaches the host", async () => (await docker("run", "--rm", BASE_IMAGE, "bash", "-c", `${reach(bridge)}; true`)) === "reached", 20_000);
  const out = await docker("exec", `${stack.identity.composeProject}-agent-1`, "bash", "-c", `for a in ${[bridge, ...gateways].join(" ")}; do ${reach("$a").replaceAll("'", '"')}; done; true`);
  await docker("kill", name);
  return out.includes("reached") ? escaped("the agent reached the host") : held("no reach");
}

const gone = async (bottle: Bottle): Promise<string[]> => {
  const uid = process.getuid?.() ?? -1;
  const memory = [`/run/user/${uid}`, "/dev/shm"].map((parent) => `${parent}/bottle-${uid}/${bottle.identity.instance}`).filter(existsSync);
  return [...(await engineObjects(bottle.identity.instance)), ...memory];
};

/** The last of all: both bottles go. */
export const ends: Attempt[] = [
  {
    id: "10.neighbour-destroyed",
    class: 10,
    alone: true,
    last: true,
    what: "the other bottle destroyed, after all that was done to it",
    source: sources.own,
    must: "go whole, and change nothing for this one",
    try: async (lab, marker) => {
      await lab.leave(lab.plain);
      await lab.plain.destroy();
      const left = await gone(lab.plain);
      if (left.length > 0) return escaped(`left ${left.join(", ")}`);
      await stillWorks(lab.bottle);
      return tryToReach(lab, lab.bottle, marker);
    },
  },
  {
    id: "10.destroy",
    class: 10,
    alone: true,
    last: true,
    what: "the bottle destroyed, after all that was done to it",
    source: sources.own,
    must: "leave no container, network, volume, image or token",
    try: async (lab) => {
      await lab.leave(lab.bottle);
      await lab.bottle.destroy();
      const left = await gone(lab.bottle);
      return left.length > 0 ? escaped(`left ${left.join(", ")}`) : held("nothing left");
    },
  },
];
