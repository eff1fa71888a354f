// `bottle:git` with every default decided, and the faults that no single key shows. Pure.
import type { GitInput, UpstreamInput } from "./git-schema.ts";
import { gatePath, parseGitUrl } from "./git-url.ts";
import type { Git, GitUpstream } from "./types.ts";
import { unused } from "./unused.ts";

const UPSTREAMS = "bottle:git.upstreams";

export function normalizeGit(input: GitInput): Git {
  const { limits } = input;
  const given = input.upstreams.flatMap(({ name }) => name ?? []);
  const upstreams: GitUpstream[] = [];
  for (const upstream of input.upstreams) upstreams.push(normalizeUpstream(upstream, [...given, ...upstreams.map(({ name }) => name)]));
  return {
    upstreams,
    ...(input.author && { author: input.author }),
    ...(input.signing && { signing: input.signing }),
    ...(input.gitleaks !== undefined && { gitleaks: input.gitleaks }),
    limits: { ...limits, pack: bytes(limits.pack), file: bytes(limits.file) },
  };
}

function normalizeUpstream(input: UpstreamInput, taken: readonly string[]): GitUpstream {
  const url = parseGitUrl(input.url);
  const last = url.path.split("/").at(-1)!.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "upstream";
  const name = input.name ?? unused(last, taken);
  const { token } = input;
  return {
    name,
    url,
    ...(input.identityFile !== undefined && { identityFile: input.identityFile }),
    ...(input.knownHosts && { knownHosts: input.knownHosts }),
    ...(token && {
      token: { id: token.variable ?? `secret_${name.replaceAll("-", "_")}`, source: token.variable === undefined ? ("secret" as const) : ("variable" as const), username: token.username },
    }),
    ...(input.push && { push: input.push }),
    serveStale: input.serveStale,
  };
}

/** Docker's notation (powers of 1024) → bytes. */
function bytes(text: string): number {
  const [, number, unit] = /^(\d+)([kmg])/i.exec(text) as unknown as [string, string, string];
  return Number(number) * 1024 ** ("kmg".indexOf(unit.toLowerCase()) + 1);
}

/** Duplicates, and keys that the upstream's transport has no use for or cannot do without. */
export function gitFaults({ upstreams, signing }: Git): string[] {
  const faults = upstreams.flatMap((upstream, index) => {
    const key = `${UPSTREAMS}[${index}]`;
    const named = upstreams.findIndex(({ name }) => name === upstream.name);
    const same = upstreams.findIndex(({ url }) => gatePath(url) === gatePath(upstream.url));
    return [
      ...(named < index ? [`${key}.name: "${upstream.name}" is the name of upstreams[${named}] too; choose another`] : []),
      ...(same < index ? [`${key}.url: is the repository of upstreams[${same}] too; remove one`] : []),
      ...transportFaults(upstream).map(([part, fault]) => `${key}${part}: ${fault}`),
    ];
  });
  if (signing && upstreams.length === 0) faults.push("bottle:git.signing: signs in git-gate, which a bottle without upstreams has not; add an upstream, or remove signing");
  return faults;
}

function transportFaults({ url, identityFile, knownHosts, token, push }: GitUpstream): [string, string][] {
  const { transport } = url;
  const faults: [string, string][] = [];
  if (transport === "ssh") {
    if (identityFile === undefined) faults.push(["", "is reached by ssh and needs identityFile, a private key such as a deploy key"]);
    if (url.user === undefined) faults.push([".url", "names nobody to log in as; write it as ssh://git@… or git@host:path"]);
  } else {
    if (identityFile !== undefined) faults.push([".identityFile", `has no use over ${transport}; ${transport === "https" ? "put the token's variable under token" : "remove it"}`]);
    if (knownHosts !== undefined) faults.push([".knownHosts", `has no use over ${transport}; remove it`]);
  }
  if (transport !== "https" && token !== undefined) faults.push([".token", `has no use over ${transport}; ${transport === "ssh" ? "put the key's path under identityFile" : "remove it"}`]);
  if (transport === "https" && push !== undefined && token === undefined) faults.push([".push", "needs a token to push with; add token, or remove push"]);
  return faults;
}
