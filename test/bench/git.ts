// Git through git-gate beside the same straight to the upstream, by ssh in both cases.
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { gitGateRig, SERVER, type GitGateRig } from "../lib/git-gate-rig.ts";
import { ok } from "../lib/run.ts";
import { median, type Figure, type Table } from "./figures.ts";

const MEGABYTES = 100;
const COMMITS = 1_000;
/** Of the clone, as a multiple of the direct one; of the scan, seconds. */
const CLONE = 1.3;
const SCAN = 2;
const URL = `git@${SERVER}:org/app.git`;

/** Measures on networks of its own; the bench's bottle is not needed. */
export async function measureGit(rounds: number, owner: string, say: (line: string) => void): Promise<Table> {
  say("git: a server, git-gate and two clients");
  const rig = await gitGateRig((server) => ({ upstreams: [{ url: URL, identityFile: "key", knownHosts: server.hostKey, push: { branches: ["agent/**"] } }] }));
  try {
    const near = await directClient(rig, owner);
    await fill(rig);
    const clone = `rm -rf /work/c && git clone -q --bare ${URL} /work/c`;
    const first = await seconds(() => rig.work(clone, 300_000));
    const samples = { gate: [] as number[], direct: [] as number[], pushGate: [] as number[], pushDirect: [] as number[] };
    for (let round = 1; round <= rounds; round++) {
      say(`git: round ${round} of ${rounds}`);
      samples.direct.push(await seconds(() => near(clone)));
      samples.gate.push(await seconds(() => rig.work(clone, 300_000)));
      await near(`${clone} && cd /work/c && ${commits(`near-${round}`)}`);
      samples.pushDirect.push(await seconds(() => near(`cd /work/c && git push -q ${URL} near-${round}:refs/heads/agent/near-${round}`)));
      await rig.work(`cd /work/c && ${commits(`far-${round}`)}`);
      samples.pushGate.push(await seconds(() => rig.work(`cd /work/c && git push -q ${URL} far-${round}:refs/heads/agent/far-${round}`, 300_000)));
    }
    return { title: "Git through git-gate", remarks: remarks(rounds), figures: figures(first, samples) };
  } finally {
    await removeLabelled(owner);
    await rig.close();
  }
}

function figures(first: number, samples: { gate: number[]; direct: number[]; pushGate: number[]; pushDirect: number[] }): Figure[] {
  const [gate, direct, pushGate, pushDirect] = [samples.gate, samples.direct, samples.pushGate, samples.pushDirect].map(median) as [number, number, number, number];
  const beside = { name: "straight", value: direct };
  return [
    { what: `first clone, ${MEGABYTES} MB (the mirror is filled)`, unit: "s", value: first, beside },
    { what: `clone, ${MEGABYTES} MB, warm mirror`, unit: "s", value: gate, beside, samples: samples.gate, target: { bound: CLONE * direct, sense: "at most", from: `${CLONE} × straight` } },
    { what: `push of ${COMMITS} small commits`, unit: "s", value: pushGate, beside: { name: "straight", value: pushDirect }, samples: samples.pushGate },
    { what: `of it checks, scan and the second hop`, unit: "s", value: pushGate - pushDirect, target: { bound: SCAN, sense: "at most", from: `${SCAN} s` } },
  ];
}

function remarks(rounds: number): string[] {
  return [`Medians of ${rounds} round${rounds === 1 ? "" : "s"}. Both ways end at one sshd on the same machine; git-gate asks it before each clone.`, "A small commit adds three lines to one of 50 files."];
}

/** 100 MB that do not compress, and a few small files beside them. */
async function fill(rig: GitGateRig): Promise<void> {
  await rig.server.repository("org/app.git");
  await rig.server.sh(
    `cd org/app.git && for i in $(seq 10); do printf '100644 blob %s\\tf%s\\n' $(head -c ${MEGABYTES * 100_000} /dev/urandom | git hash-object -w --stdin) $i; done > /tmp/tree && ` +
      "git update-ref refs/heads/main $(git -c user.name=u -c user.email=u@x commit-tree -p main -m big $(git mktree < /tmp/tree)) && git repack -adq",
    300_000,
  );
}

/** A branch of small commits, by git's own import. */
function commits(branch: string): string {
  const awk = `BEGIN { for (i = 1; i <= ${COMMITS}; i++) { m = "change " i; printf "commit refs/heads/${branch}\\nmark :%d\\ncommitter a <a@bottle.invalid> %d +0000\\ndata %d\\n%s\\n", i, 1700000000 + i, length(m), m; if (i == 1) print "from refs/heads/main^0"; else printf "from :%d\\n", i - 1; b = sprintf("${branch} line %d\\nvalue = %d\\nend\\n", i, i * i); printf "M 100644 inline src/file%d.txt\\ndata %d\\n%s\\n", i % 50, length(b), b } }`;
  return `awk '${awk}' /dev/null | git fast-import --quiet --force`;
}

/** A client on the upstream's own network, with the key that git-gate has. */
async function directClient(rig: GitGateRig, owner: string): Promise<(script: string) => Promise<string>> {
  const name = `${owner}-git`;
  const image = await ok("docker", ["inspect", "--format", "{{.Config.Image}}", rig.server.container]);
  const mounts = ["--volume", `${rig.server.key}:/key:ro`, "--tmpfs", "/work:exec,size=4g"];
  await ok("docker", ["run", "--detach", "--init", "--name", name, ...labelled(owner), "--network", rig.egressNetwork, "--env", "HOME=/work", ...mounts, image, "sleep", "infinity"]);
  const ssh = "ssh -i /work/key -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/work/known_hosts";
  const near = (script: string) => ok("docker", ["exec", "--env", `GIT_SSH_COMMAND=${ssh}`, name, "sh", "-c", `set -e; ${script}`], { timeout: 300_000 });
  await near("cp /key /work/key && chmod 600 /work/key");
  return near;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
