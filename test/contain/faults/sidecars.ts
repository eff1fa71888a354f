// Each sidecar killed, paused, out of memory, its file systems full, its tokens gone: the agent loses its way out and gains none.
import { appendFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryFolder } from "../../../components/machine/secrets.ts";
import { escaped, held, Skip, type Attempt, type Seen } from "../attempt.ts";
import { gateUrl } from "../attempts/7-git.ts";
import { inWords } from "../attempts/judge.ts";
import { stillWorks } from "../attempts/8-sidecars.ts";
import { curl, sh, type Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { ok, run, until } from "../../lib/run.ts";
import { tryToReach } from "./reach.ts";

const services = ["egress", "pipelock", "git-gate", "supervise"] as const;
type Service = (typeof services)[number];

/** What a fault does; returns what mends it. */
type Fault = (container: string) => Promise<() => Promise<void>>;

const running = (container: string) => ok("docker", ["inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", container]);

/** Process id of a container's init, on this machine. @throws Skip where that is not ours to touch */
async function pidOf(container: string): Promise<number> {
  const pid = Number(await ok("docker", ["inspect", "--format", "{{.State.Pid}}", container]));
  if (process.getuid?.() !== 0 || !existsSync(`/proc/${pid}/root/`)) throw new Skip("root on the engine's machine is needed");
  return pid;
}

const faults: Record<string, { what: string; fault: Fault }> = {
  killed: {
    what: "killed",
    fault: async (container) => {
      const before = await running(container);
      process.kill(await pidOf(container), "SIGKILL");
      // By itself, as its restart policy says.
      return () => until("it runs again", async () => ((now) => now.startsWith("true") && now !== before)(await running(container)), 30_000);
    },
  },
  stopped: {
    what: "stopped",
    fault: async (container) => {
      await ok("docker", ["stop", "--timeout", "2", container]);
      return async () => void (await ok("docker", ["start", container]));
    },
  },
  paused: {
    what: "paused",
    fault: async (container) => {
      await ok("docker", ["pause", container]);
      return async () => void (await ok("docker", ["unpause", container]));
    },
  },
  "out-of-memory": {
    what: "out of memory: something in its place takes all of it, and the kernel ends the sidecar",
    fault: async (container) => {
      const before = await running(container);
      await fillMemory(await pidOf(container));
      return () => until("it runs again", async () => ((now) => now.startsWith("true") && now !== before)(await running(container)), 30_000);
    },
  },
  "disk-full": {
    what: "with its file systems full",
    fault: async (container) => {
      const root = `/proc/${await pidOf(container)}/root`;
      const files = ["tmp", "run/egress", "run/git-gate"].filter((path) => existsSync(join(root, path))).map((path) => join(root, path, "contain-fill"));
      for (const file of files) fill(file);
      return async () => files.forEach((file) => rmSync(file, { force: true }));
    },
  },
};

/** Writes until there is no room; the sidecars' file systems are in memory and small. */
function fill(file: string): void {
  const block = Buffer.alloc(2 ** 20);
  writeFileSync(file, "");
  try {
    for (let written = 0; written < 256; written++) appendFileSync(file, block);
  } catch {
    return;
  }
  rmSync(file);
  throw new Error(`${file}: more than 256 MB fit in`);
}

/**
 * Puts a process into a container's memory group that takes all of its limit. The others are made the kernel's choice
 * to end: they count as if they took all of it.
 */
async function fillMemory(pid: number): Promise<void> {
  const line = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n").find((each) => /^\d+:memory:|^0::/.test(each))!;
  const [, controllers, path] = line.split(":") as [string, string, string];
  const group = controllers === "memory" ? `/sys/fs/cgroup/memory${path}` : `/sys/fs/cgroup${path}`;
  if (!existsSync(`${group}/cgroup.procs`)) throw new Skip("the engine's control groups are not under /sys/fs/cgroup");
  const limit = Number(readFileSync(existsSync(`${group}/memory.max`) ? `${group}/memory.max` : `${group}/memory.limit_in_bytes`, "utf8"));
  for (const member of readFileSync(`${group}/cgroup.procs`, "utf8").split("\n").filter(Boolean)) writeFileSync(`/proc/${member}/oom_score_adj`, "1000");
  // tail keeps all of a line, and this one has no end. By itself it is small: the kernel counts that too.
  const { code } = await run("sh", ["-c", `echo $$ > ${group}/cgroup.procs && head -c ${limit} /dev/zero | tail > /dev/null`], { timeout: 20_000 });
  if (code === 0) throw new Error(`${limit} bytes fit in`);
}

/** A push with a token in it, while git-gate is broken: it may fail in any way, and must not go through. */
async function tryToPush(lab: Lab, marker: string): Promise<void> {
  const secret = `ghp_${"0Kx9vQ2mZ7rT4wY8bN3cJ6dF1gH5sL0pA2eU"}`;
  await sh(lab.bottle, `cd /tmp/kept-clone && git checkout -q -B agent/${marker} && echo 'token = ${secret}' > a-${marker} && git add -A && git commit -q -m 'note ${marker}' && timeout 15 git push origin HEAD`, { timeout: 60_000 });
}

const forService = (service: Service, kind: string): Attempt => ({
  id: `8.fault-${service}-${kind}`,
  class: 8,
  alone: true,
  slow: true,
  what: `${service} ${faults[kind]!.what}; the agent tries everything meanwhile`,
  source: sources.own,
  must: "gain no reach; work again once it is back",
  try: async (lab, marker) => {
    if (service === "git-gate") {
      if (lab.gitUpstream === undefined) throw new Skip("this version has no git-gate");
      await sh(lab.bottle, `rm -rf /tmp/kept-clone; git clone -q ${gateUrl(lab)} /tmp/kept-clone`, { timeout: 60_000 });
    }
    const mend = await faults[kind]!.fault(lab.bottle.container(service));
    let meanwhile: Seen;
    try {
      meanwhile = await tryToReach(lab, lab.bottle, marker);
      if (service === "git-gate") await tryToPush(lab, marker);
    } finally {
      await mend();
    }
    await stillWorks(lab.bottle);
    if (service === "git-gate") await until("git-gate serves again", async () => (await sh(lab.bottle, `timeout 10 git ls-remote ${gateUrl(lab)} HEAD`)).code === 0, 40_000);
    if (service === "supervise") await until("supervise answers again", async () => (await sh(lab.bottle, "curl -fsS --max-time 3 http://supervise:8090/healthz")).code === 0, 40_000);
    const after = await tryToReach(lab, lab.bottle, marker);
    return after.held ? { ...meanwhile, seen: `meanwhile ${meanwhile.seen}; afterwards ${after.seen}` } : after;
  },
});

/** A logout or a reboot empties the folder in memory. */
const tokensGone: Attempt = {
  id: "8.fault-tokens-gone",
  class: 8,
  alone: true,
  slow: true,
  what: "the tokens gone from memory, and egress told to read them again",
  source: sources.own,
  must: "be answered 503; nothing goes out without its credential",
  try: async (lab, marker) => {
    const folder = memoryFolder(lab.bottle.identity.instance);
    if (folder === undefined) throw new Skip("this machine has no folder in memory");
    const egress = join(folder, "egress");
    const files = readdirSync(egress).filter((name) => !name.startsWith("."));
    const away = (name: string) => join(egress, `.away-${name}`);
    const reload = async () => {
      await ok("docker", ["kill", "--signal", "HUP", lab.bottle.container("egress")]);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    };
    for (const name of files) renameSync(join(egress, name), away(name));
    try {
      await reload();
      const answer = await curl(lab.bottle, `https://${names.api}/v1/${marker}`);
      return answer.status === 503 ? held(inWords(answer)) : escaped(inWords(answer));
    } finally {
      for (const name of files) renameSync(away(name), join(egress, name));
      await reload();
    }
  },
};

/** The rules as egress has them are no longer a file that it takes. */
const brokenRules: Attempt = {
  id: "8.fault-broken-rules",
  class: 8,
  alone: true,
  slow: true,
  what: "egress told to read rules that are no rules, and an empty file",
  source: sources.own,
  must: "keep the old ones in force",
  try: async (lab, marker) => {
    const path = join(lab.bottle.state, "egress/rules/rules.yaml");
    const rules = readFileSync(path);
    const seen: Seen[] = [];
    try {
      for (const text of ["hosts: [{host: '*'}]\n", "", "\0\0\0"]) {
        writeFileSync(path, text);
        await run("docker", ["kill", "--signal", "HUP", lab.bottle.container("egress")]);
        await new Promise((resolve) => setTimeout(resolve, 700));
        seen.push(await tryToReach(lab, lab.bottle, marker));
        await stillWorks(lab.bottle);
      }
    } finally {
      writeFileSync(path, rules);
      await run("docker", ["kill", "--signal", "HUP", lab.bottle.container("egress")]);
    }
    return seen.find((each) => !each.held) ?? seen[0]!;
  },
};

export const sidecarFaults: Attempt[] = [...services.flatMap((service) => Object.keys(faults).map((kind) => forService(service, kind))), tokensGone, brokenRules];
