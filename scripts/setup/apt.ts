import { lastLines, run } from "./exec.ts";
import { SetupError, type Progress } from "./part.ts";

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" });

/** Fetches the package lists. A mirror that does not answer is told later, by the install that misses a package. */
export function aptUpdate(): ReturnType<typeof run> {
  return run("apt-get", ["update", "-qq"], { env: environment(), timeout: 300_000 });
}

/** The version that apt would install of each package; packages without one are left out. */
export async function aptCandidates(packages: readonly string[]): Promise<Map<string, string>> {
  const { stdout } = await run("apt-cache", ["policy", ...packages], { env: environment() });
  return parsePolicy(stdout);
}

/** Candidates by package, from `apt-cache policy`'s output. */
export function parsePolicy(text: string): Map<string, string> {
  const candidates = new Map<string, string>();
  let current = "";
  for (const line of text.split("\n")) {
    const head = /^(\S+):$/.exec(line);
    const candidate = /^ {2}Candidate: (\S+)/.exec(line)?.[1];
    if (head) current = head[1]!;
    else if (candidate && candidate !== "(none)") candidates.set(current, candidate);
  }
  return candidates;
}

/** What an installation would do to packages that are already there, from `apt-get -s install`'s output. */
export function parseSimulation(text: string): { installs: string[]; touches: string[] } {
  const installs: string[] = [];
  const touches: string[] = [];
  for (const line of text.split("\n")) {
    // "Inst runc (1.1.5 Debian:12 [amd64])" is new; "Inst libc6 [2.36] (2.42 …)" replaces; "Remv x [1]" removes.
    const match = /^(Inst|Remv) (\S+)( \[[^\]]*\])?/.exec(line);
    if (!match) continue;
    if (match[1] === "Inst" && !match[3]) installs.push(match[2]!);
    else touches.push(match[2]!);
  }
  return { installs, touches };
}

/** The packages among these that are not installed, by dpkg(1). */
async function missing(packages: readonly string[]): Promise<string[]> {
  const { stdout } = await run("dpkg-query", ["--show", "--showformat", "${Package} ${db:Status-Status}\\n", ...packages]);
  const installed = new Set(stdout.split("\n").filter((line) => line.endsWith(" installed")).map((line) => line.split(" ")[0]));
  return packages.filter((name) => !installed.has(name));
}

/**
 * Installs those packages that are not there, without their recommendations, if that replaces and removes nothing that
 * is installed.
 * @param part named in errors
 * @throws SetupError if apt refuses, or if installed packages would be touched
 */
export async function aptInstall(part: string, packages: readonly string[], progress: Progress): Promise<void> {
  const wanted = await missing(packages);
  if (wanted.length === 0) return;
  const args = ["install", "--yes", "--no-install-recommends", ...wanted];
  const tried = `apt-get ${args.join(" ")}`;
  const simulated = await run("apt-get", ["--simulate", ...args], { env: environment() });
  if (simulated.code !== 0) {
    throw new SetupError(part, {
      problem: `apt cannot install it:\n${lastLines(simulated.stdout + simulated.stderr, 8)}`,
      tried,
      mend: "Install these packages by hand, or repair apt's sources, and run this again.",
    });
  }
  const { touches } = parseSimulation(simulated.stdout);
  if (touches.length > 0) {
    throw new SetupError(part, {
      problem: `apt would replace or remove packages of this machine: ${touches.join(", ")}.`,
      tried: `${tried} (simulated; nothing was changed)`,
      mend: "Install these packages by hand if that is what you want, and run this again.",
    });
  }
  progress(`installing ${wanted.join(" ")}`);
  const { code, stdout, stderr } = await run("apt-get", ["-qq", ...args], { env: environment(), timeout: 900_000 });
  if (code !== 0) {
    throw new SetupError(part, {
      problem: `the installation failed:\n${lastLines(stdout + stderr, 8)}`,
      tried,
      mend: "Run that command by hand to see all of it.",
    });
  }
}
