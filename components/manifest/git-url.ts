// Addresses of git upstreams. Forms: https://git-scm.com/docs/git-clone#_git_urls. Pure.

export type GitTransport = "ssh" | "https" | "file";

/** An upstream's address, taken apart. */
export interface GitUrl {
  /** As written. */
  readonly text: string;
  readonly transport: GitTransport;
  /** ssh: who logs in. */
  readonly user?: string;
  /** ssh and https, lower case. */
  readonly host?: string;
  /** Where it is not the transport's usual one. */
  readonly port?: number;
  /** Without leading slash and `.git`; of a file the absolute path's. */
  readonly path: string;
}

const USUAL_PORT = { ssh: 22, https: 443, file: undefined } as const;
const MEND = "write ssh://git@host/path.git, git@host:path.git, https://host/path.git or file:///path";

/** Says what is wrong with an address, or undefined where it is fine. */
export function gitUrlFault(text: string): string | undefined {
  const parsed = parse(text);
  return typeof parsed === "string" ? parsed : undefined;
}

/** @throws Error where {@link gitUrlFault} finds one. */
export function parseGitUrl(text: string): GitUrl {
  const parsed = parse(text);
  if (typeof parsed === "string") throw new Error(`git URL ${parsed}`);
  return parsed;
}

/**
 * Where git-gate serves an upstream, below `git://git-gate/`: host and path, so that an address that
 * merely begins like an upstream's means there what it means everywhere.
 */
export function gatePath(url: GitUrl): string {
  if (url.transport === "file") return `file/${url.path}`;
  return `${url.port === undefined ? url.host : `${url.host}_${url.port}`}/${url.path}`;
}

function parse(text: string): GitUrl | string {
  if (/[\s\x00-\x1f\x7f-\uffff]/.test(text)) return `has a space, a control character or one that is not ASCII; ${MEND}`;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/]*)(\/[^]*)?$/.exec(text);
  if (!scheme) return parseScp(text);
  const [, name, authority, path = ""] = scheme as unknown as [string, string, string, string | undefined];
  switch (name.toLowerCase()) {
    case "file":
      return authority === "" ? located({ text, transport: "file" }, path) : `names a host; write file:///path`;
    case "ssh":
      return remote(text, "ssh", authority, path);
    case "https":
      return authority.includes("@") ? "has user information; put the token's variable under token" : remote(text, "https", authority, path);
    case "http":
    case "git":
      return "would cross the network readable and unchecked; use https or ssh";
    default:
      return `is of no kind that git-gate speaks; ${MEND}`;
  }
}

/** `user@host:path`. */
function parseScp(text: string): GitUrl | string {
  if (/^[A-Za-z0-9+.-]+::/.test(text)) return `names a remote helper, which could run anything; ${MEND}`;
  const match = /^(?:([^@/:]+)@)?([^@/:]+):([^]+)$/.exec(text);
  if (!match) return `is no address of a git repository; ${MEND}`;
  return remote(text, "ssh", `${match[1] === undefined ? "" : `${match[1]}@`}${match[2]}`, match[3]!);
}

function remote(text: string, transport: "ssh" | "https", authority: string, path: string): GitUrl | string {
  const match = /^(?:([^@]*)@)?([^@:]*)(?::(\d*))?$/.exec(authority);
  if (!match) return /^[^@]*:[^]*@/.test(authority) ? "has a password; ssh logs in with identityFile" : `has no host that git-gate takes; ${MEND}`;
  const [, user, name, digits] = match as unknown as [string, string | undefined, string, string | undefined];
  if (user !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(user)) return user.includes(":") ? "has a password; ssh logs in with identityFile" : "has a user name that is none";
  const host = name.toLowerCase();
  const fault = hostFault(host);
  if (fault) return fault;
  const port = digits ? Number(digits) : undefined;
  if (port !== undefined && (port < 1 || port > 65_535)) return "has a port that is none";
  return located({ text, transport, ...(user !== undefined && { user }), host, ...(port !== undefined && port !== USUAL_PORT[transport] && { port }) }, path);
}

function hostFault(host: string): string | undefined {
  if (!/^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(host)) return `has no host that git-gate takes; ${MEND}`;
  if (host === "localhost" || host.endsWith(".localhost") || /^127\./.test(host) || /^0(\.|$)/.test(host)) return "is git-gate's own container; name the host as other machines reach it";
  if (/^169\.254\./.test(host)) return "is a link-local address, where metadata services are; it is never allowed";
  return undefined;
}

/** The path becomes a folder's in git-gate and a part of the agent's addresses. */
function located(url: Omit<GitUrl, "path">, given: string): GitUrl | string {
  const path = given.replace(/^\/+/, "").replace(/\/+$/, "").replace(/\.git$/, "");
  if (path === "") return `has no path; ${MEND}`;
  const odd = path.split("/").some((part) => !/^[A-Za-z0-9_~+.][A-Za-z0-9_~+.@-]*$/.test(part) || /^\.+$/.test(part) || part.endsWith(".git"));
  if (odd) return `has a path that git-gate does not take; letters, digits and _ . ~ + @ - are fine, .git at its end only`;
  return { ...url, path };
}
