// Class 8: the sidecars and the container itself, from inside the agent. What is broken from outside is in faults/.
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { escaped, held, Skip, type Attempt, type Seen } from "../attempt.ts";
import { bytes, curl, probe, sh, type Bottle, type Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { ok, until } from "../../lib/run.ts";
import { inWords, oneLine, reachedNothing } from "./judge.ts";

interface Opened {
  readonly opened: string[];
  readonly errors: Record<string, string>;
}

/** Files by which a container has come to its host, and what is the bottle's and not the agent's. */
const writableTargets = [
  "/etc/bottle/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt /etc/hosts /etc/resolv.conf /etc/hostname /etc/passwd /usr/bin/git /usr/local/bin/claude",
  "/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger /proc/sys/fs/binfmt_misc/register /proc/acpi /proc/kcore",
  "/sys/kernel/uevent_helper /sys/fs/cgroup/memory/release_agent /sys/fs/cgroup/release_agent /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max",
  "/dev/mem /dev/kmsg /dev/sda /dev/vda /dev/loop0 /dev/fuse /dev/kvm /dev/net/tun",
].join(" ").split(" ");

/** The bottle answers for an allowed host; else what went before has broken it. */
export async function stillWorks(bottle: Bottle): Promise<void> {
  await until("the bottle lets an allowed host through again", async () => (await curl(bottle, `https://${names.docs}/alive`)).status === 200, 40_000);
}

/** Bytes of a container's logs on the host's disk, rotated files too. @throws Skip where they cannot be seen from here */
async function logBytes(container: string): Promise<number> {
  const path = await ok("docker", ["inspect", "--format", "{{.LogPath}}", container]);
  try {
    const folder = dirname(path);
    return readdirSync(folder).filter((name) => name.startsWith(basename(path))).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  } catch {
    throw new Skip("the engine's log files cannot be seen from here (root on the engine's machine is needed)");
  }
}

/** Bytes of what egress keeps as evidence on the host's disk. */
function evidenceBytes({ state }: Bottle): number {
  const folder = join(state, "evidence/egress");
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** 5 files of 16 MiB, as egress's evidence.py says. */
const EVIDENCE_BOUND = 80 * 2 ** 20;

/** 3 files of 10 MB, and the line that crosses the border. */
const LOG_BOUND = 31 * 2 ** 20;
const mib = (size: number): string => `${(size / 2 ** 20).toFixed(1)} MiB`;

const running = async (bottle: Bottle, service: string): Promise<boolean> => (await ok("docker", ["inspect", "--format", "{{.State.Running}}", bottle.container(service)])) === "true";

export const sidecars: Attempt[] = [
  {
    id: "8.pipelock-fetch",
    class: 8,
    what: "pipelock's own fetch page, in a bottle without egress, for a host that is not allowed and for inner addresses",
    source: sources.ipAllowlist,
    must: "be held to the same rules",
    try: async ({ plain, outside }, marker) => {
      const urls = [`https://${names.unlisted}/${marker}`, `http://127.0.0.1:9090/metrics`, `http://169.254.169.254/latest/`, `http://${plain.subnets.egress.gateway}:${outside.port}/${marker}`];
      const answers = await Promise.all(urls.map((url) => curl(plain, `--noproxy '*' 'http://proxy:8080/fetch?url=${encodeURIComponent(url)}'`)));
      const bad = answers.filter(({ status, body }) => status === 200 && !/"blocked": *true/.test(body));
      return bad.length > 0 ? escaped(oneLine(bad[0]!.body)) : held(answers.map(({ status, body }) => `${status}${/"blocked": *true/.test(body) ? " blocked" : ""}`).join(", "));
    },
  },
  {
    id: "8.pipelock-pages",
    class: 8,
    what: "pipelock's pages for its owner: metrics, statistics, kill switch, sessions, WebSocket and MCP bridges",
    source: sources.own,
    must: "not be there for the agent",
    try: async ({ plain }) => {
      const paths = ["/metrics", "/stats", "/api/v1/killswitch", "/api/v1/killswitch/status", "/api/v1/sessions", "/debug/pprof/", "/mcp", "/scan", "/api/v1/scan", `/ws?url=wss://${names.unlisted}/`];
      const answers = await Promise.all(paths.flatMap((path) => [["GET", path], ["POST", path]] as const).map(async ([method, path]) => [method, path, (await curl(plain, `--noproxy '*' -X ${method} 'http://proxy:8080${path}'`)).status] as const));
      const open = answers.filter(([, , status]) => status >= 200 && status < 400);
      return open.length > 0 ? escaped(open.map((each) => each.join(" ")).join(", ")) : held([...new Set(answers.map(([, , status]) => status))].join(", "));
    },
  },
  {
    id: "8.processes",
    class: 8,
    what: "other containers' and the host's processes: seen in /proc, signalled, traced",
    source: sources.own,
    must: "not be there",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "cat /proc/[0-9]*/comm 2>/dev/null; ls -d /proc/[0-9]* | wc -l");
      const strange = out.split("\n").filter((name) => /pipelock|mitm|egress|dockerd|containerd|systemd|git-daemon|git-gate/.test(name));
      return strange.length > 0 ? escaped(strange.join(", ")) : held(`${out.split("\n").at(-1)} processes, all of them the agent's`);
    },
  },
  {
    id: "8.capabilities",
    class: 8,
    what: "capabilities of any set, set-uid programs, new privileges",
    source: sources.inheritable,
    must: "be none",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; su -c id root </dev/null 2>&1 | head -1; id -u");
      const sets = [...out.matchAll(/^Cap(\w+):\s*(\w+)$/gm)].filter(([, , value]) => !/^0+$/.test(value!));
      const privileges = /^NoNewPrivs:\s*1$/m.test(out);
      // gVisor filters calls by itself and tells nothing of seccomp.
      const root = out.endsWith("\n0") || /uid=0/.test(out);
      return sets.length > 0 || !privileges || root ? escaped(`${sets.map(([, name]) => `Cap${name}`).join(", ")} ${privileges ? "" : "new privileges"} ${root ? "root" : ""}`.trim()) : held("none; no new privileges; an ordinary user");
    },
  },
  {
    id: "8.system-calls",
    class: 8,
    what: "namespaces, mounts (cgroup with its release_agent among them), devices, bpf, perf, file handles",
    source: sources.releaseAgent,
    must: "be refused by the kernel",
    try: async ({ bottle }) => {
      const { done, results } = await probe<{ done: string[]; results: Record<string, string> }>(bottle, "kernel", {});
      // A session keyring of its own and, in gVisor, namespaces of its own kernel lead nowhere.
      const odd = done.filter((call) => !call.startsWith("keyctl"));
      return odd.length > 0 ? escaped(odd.join(", ")) : held([...new Set(Object.values(results))].join(", "));
    },
  },
  {
    id: "8.host-files",
    class: 8,
    what: `${writableTargets.length} files by which a container has written to its host or to its own setting, opened for writing`,
    source: sources.releaseAgent,
    must: "be refused",
    try: async ({ bottle }) => {
      const { opened, errors } = await probe<Opened>(bottle, "writable", { paths: writableTargets });
      return opened.length > 0 ? escaped(opened.join(", ")) : held([...new Set(Object.values(errors))].join(", "));
    },
  },
  {
    id: "8.leaked-descriptors",
    class: 8,
    what: "file descriptors and working directories that the runtime left open, as ways to the host's files",
    source: sources.leakyVessels,
    must: "lead to the container's own files",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "for pid in self 1; do for link in /proc/$pid/fd/* /proc/$pid/cwd /proc/$pid/root; do [ -d $link/ ] && ls -d $link/../../../../etc/hostname $link/var/lib/docker $link/../var/lib/docker 2>/dev/null | grep docker; done; done; ls /proc/1/root/var/lib/docker 2>/dev/null; true");
      return out !== "" ? escaped(oneLine(out)) : held("none");
    },
  },
  {
    id: "8.runtime-overwrite",
    class: 8,
    alone: true,
    what: "the runtime's own program, opened for writing while the host runs `docker exec` on a program that names /proc/self/exe",
    source: sources.runcOverwrite,
    must: "not be writable",
    try: async ({ bottle }) => {
      const lurk = `
import glob, os, time
seen, opened, end = set(), [], time.monotonic() + 5
while time.monotonic() < end:
    for exe in glob.glob("/proc/[0-9]*/exe"):
        try: target = os.readlink(exe)
        except OSError: continue
        if "runc" not in target and "memfd" not in target and "runsc" not in target: continue
        seen.add(target)
        try:
            os.close(os.open(exe, os.O_WRONLY)); opened.append(target)
        except OSError: pass
print("opened", opened, "seen", sorted(seen))`;
      await sh(bottle, "mkdir -p ~/.local/bin && printf '#!/proc/self/exe\\n' > ~/.local/bin/contain-lure && chmod +x ~/.local/bin/contain-lure");
      const lurking = sh(bottle, "python3 -", { input: lurk });
      for (let turn = 0; turn < 4; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 700));
        await ok("docker", ["exec", bottle.container("agent"), "sh", "-c", "contain-lure || true"]).catch(() => undefined);
      }
      const { out, error } = await lurking;
      if (!out.startsWith("opened")) throw new Error(error);
      return out.startsWith("opened []") ? held(oneLine(out)) : escaped(oneLine(out));
    },
  },
  {
    id: "8.engine-sockets",
    class: 8,
    what: "sockets of engines and runtimes, in the file system and abstract",
    source: sources.shimSockets,
    must: "not be there",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "find / -xdev -type s 2>/dev/null; find /var/run /run /host -type s 2>/dev/null; grep -E '@.*(containerd|docker|shim)' /proc/net/unix; true");
      const found = [...new Set(out.split("\n").filter((path) => /docker|containerd|podman|crio|shim|engine/.test(path)))];
      if (found.length === 0) return held("none");
      const { out: version } = await sh(bottle, `curl -s --max-time 5 --noproxy '*' --unix-socket ${found[0]!.split(" ").at(-1)} http://engine/version`);
      return escaped(`${found[0]} ${oneLine(version)}`);
    },
  },
  {
    id: "8.engine-files",
    class: 8,
    what: "the bottle's rendered files and the project, opened for writing",
    source: sources.own,
    must: "not be there",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "find / -xdev \\( -path /proc -o -path /sys \\) -prune -o \\( -name rules.yaml -o -name pipelock.yaml -o -name docker-compose.yml -o -name 'Pulumi.*' -o -name gate.json \\) -writable -print 2>/dev/null; find /host -writable -type f 2>/dev/null | head -3");
      return out !== "" ? escaped(oneLine(out)) : held("none");
    },
  },
  {
    id: "8.large-head",
    class: 8,
    what: "a head of 2 MB, and a request line of 1 MB",
    source: sources.own,
    must: "be refused; the proxy goes on",
    try: async (lab, marker) => {
      const pad = "x".repeat(2 ** 20);
      const script = `import socket\nfor text in (b"GET http://${names.unlisted}/${marker} HTTP/1.1\\r\\nHost: ${names.unlisted}\\r\\n" + b"X: ${"y".repeat(1000)}\\r\\n" * 2000 + b"\\r\\n", b"GET http://${names.unlisted}/" + b"x" * ${pad.length} + b" HTTP/1.1\\r\\n\\r\\n"):\n  s = socket.create_connection(("proxy", 8080), 5)\n  try: s.sendall(text)\n  except OSError: pass\n  try: print(s.recv(40))\n  except OSError as e: print(e)`;
      const { out } = await sh(lab.bottle, "python3 -", { input: script });
      await stillWorks(lab.bottle);
      return / 200 /.test(out) ? escaped(out) : held(oneLine(out));
    },
  },
  {
    id: "8.connections",
    class: 8,
    alone: true,
    what: "600 connections to the proxy, held without a word",
    source: sources.own,
    must: "be bounded; no reach meanwhile; the proxy serves again afterwards",
    try: async (lab, marker) => {
      const flood = probe<{ opened: number; failed: number }>(lab.bottle, "hold", { count: 600, send: "", seconds: 6 });
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const meanwhile = await curl(lab.bottle, `--max-time 5 https://${names.unlisted}/${marker}`);
      const { opened, failed } = await flood;
      await stillWorks(lab.bottle);
      return meanwhile.status === 200 ? escaped("an answer meanwhile") : held(`${opened} opened, ${failed} refused; meanwhile ${inWords(meanwhile)}`);
    },
  },
  {
    id: "8.slow-heads",
    class: 8,
    alone: true,
    what: "200 requests whose heads never end",
    source: sources.own,
    must: "hold up nobody else",
    try: async (lab) => {
      const flood = probe(lab.bottle, "hold", { count: 200, send: Buffer.from("GET http://docs.contain.test/ HTTP/1.1\r\nHost:").toString("base64"), seconds: 5 });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const meanwhile = await curl(lab.bottle, `--max-time 8 https://${names.docs}/meanwhile`);
      await flood;
      return meanwhile.status === 200 ? held("an allowed host answers meanwhile") : held(`an allowed host waits: ${inWords(meanwhile)}`);
    },
  },
  {
    id: "8.request-flood",
    class: 8,
    alone: true,
    what: "4,000 refused requests with 4 KB of path each",
    source: sources.logSize,
    must: "be refused each; egress's log and evidence stay within their bounds",
    try: async (lab, marker) => {
      const before = await logBytes(lab.bottle.container(proxyOf(lab)));
      const { out } = await sh(lab.bottle, `curl -s -o /dev/null --max-time 100 -w '%{http_code}\\n' 'http://${names.unlisted}/${marker}/[1-4000]/${"p".repeat(4000)}' | sort | uniq -c`, { timeout: 120_000 });
      const after = await logBytes(lab.bottle.container(proxyOf(lab)));
      if (/ 200/.test(out)) return escaped(oneLine(out));
      const evidence = evidenceBytes(lab.bottle);
      if (evidence > EVIDENCE_BOUND) return escaped(`evidence of ${mib(evidence)}`);
      return after > LOG_BOUND ? escaped(`log of ${mib(after)}`) : held(`${oneLine(out)}; log ${mib(before)} → ${mib(after)}; evidence ${mib(evidence)}`);
    },
  },
  {
    id: "8.log-flood",
    class: 8,
    alone: true,
    what: "60 MB written to the container's own log, by /proc/1/fd/1",
    source: sources.logSize,
    must: "be rotated away: at most 30 MB of log stay on the host's disk",
    try: async (lab) => {
      const container = lab.plain.container("agent");
      await logBytes(container);
      await sh(lab.plain, "yes 'a line of log that is as long as lines of log are, give or take a few characters more' | head -c 60000000 > /proc/1/fd/1", { timeout: 120_000 });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const size = await logBytes(container);
      return size > LOG_BOUND ? escaped(mib(size)) : held(mib(size));
    },
  },
  {
    id: "8.processes-flood",
    class: 8,
    alone: true,
    what: "300 processes in a bottle that may have 64",
    source: sources.own,
    must: "stop at the limit; the sidecars go on",
    try: async (lab) => {
      // The container's init is the parent of all; they end by themselves.
      const { out } = await sh(lab.plain, `python3 -c '
import os, time
made = 0
for _ in range(300):
    try:
        if os.fork() == 0: time.sleep(4); os._exit(0)
        made += 1
    except OSError: break
print(made)'`);
      const made = Number(out);
      if (!(await running(lab.plain, proxyOf(lab, true)))) return escaped("a sidecar has stopped");
      await new Promise((resolve) => setTimeout(resolve, 4_500));
      return made >= 300 ? escaped("300 processes") : held(`${made} processes`);
    },
  },
  {
    id: "8.memory-flood",
    class: 8,
    alone: true,
    what: "1 GB of memory in a bottle that may have 256 MB",
    source: sources.own,
    must: "end in the agent; the sidecars go on",
    try: async (lab) => {
      const { code, out } = await sh(lab.plain, `python3 -c 'x = bytearray(b"x") * (1 << 30); print(len(x))'`, { timeout: 90_000 });
      if (!(await running(lab.plain, proxyOf(lab, true)))) return escaped("a sidecar has stopped");
      await until("the agent runs", () => running(lab.plain, "agent"), 20_000);
      return code === 0 ? escaped(`${out} bytes`) : held(`ended with ${code}`);
    },
  },
  {
    id: "8.tmp-flood",
    class: 8,
    alone: true,
    what: "600 MB in /tmp, a file system in memory, in a bottle that may have 256 MB",
    source: sources.own,
    must: "count as the agent's memory; the sidecars go on, and a restart frees it",
    try: async (lab) => {
      const { out } = await sh(lab.plain, "head -c 600m /dev/zero > /tmp/fill; stat -c %s /tmp/fill", { timeout: 60_000 });
      const sidecar = await running(lab.plain, proxyOf(lab, true));
      // What fills its memory may lock the agent out: then nothing more starts in it until a person restarts it.
      await ok("docker", ["restart", "--timeout", "2", lab.plain.container("agent")]);
      await stillWorks(lab.plain);
      if (!sidecar) return escaped("a sidecar has stopped");
      return Number(out) >= 600 * 2 ** 20 ? escaped(mib(Number(out))) : held(/^\d+$/.test(out) ? `stopped at ${mib(Number(out))}` : "ended by the kernel");
    },
  },
  {
    id: "8.volume-size",
    class: 8,
    what: "how much the agent may write to its volumes (workspace and home)",
    source: sources.logSize,
    must: "be bounded by the engine's disk alone",
    byDesign: "Docker's local volumes know no quota, so an agent can fill the disk that they are on. Where that matters, give the engine's data a file system of its own, or XFS with project quotas.",
    try: async ({ bottle }): Promise<Seen> => {
      const { out } = await sh(bottle, "df -Pk /workspace | awk 'NR == 2 {print $4}'");
      return escaped(`${(Number(out) / 2 ** 20).toFixed(0)} GiB free for it`);
    },
  },
  {
    id: "8.listen-for-sidecars",
    class: 8,
    what: "a name of the agent's own and a port, for sidecars to be led to: an allowed name that resolves to the agent",
    source: sources.rebinding,
    must: "not be reached by the proxy",
    try: async (lab) => {
      const address = lab.bottle.subnets.internal.addresses["agent"]!;
      const answers = await Promise.all([`${address}:8080`, "agent:8080", lab.bottle.container("agent")].map((authority) => probe(lab.bottle, "proxy", { send: bytes([`GET http://${authority}/ HTTP/1.1`, `Host: ${authority}`]) })));
      return reachedNothing({ reached: answers.filter(({ status }) => status >= 200 && status < 400).map(inWords), errors: [...new Set(answers.map(inWords))] });
    },
  },
];

/** The service in the agent's proxy's place. */
function proxyOf(_: Lab, plain = false): string {
  return plain ? "pipelock" : "egress";
}
