// The agent's git settings: who it is, and that its upstreams' usual URLs lead to git-gate. Pure.
import type { Identity } from "../identity.ts";
import { GATE_NAME, GIT_PORT, SIGNING_PORT } from "../git-gate/config.ts";
import type { Git } from "../manifest/manifest.ts";
import { gatePath, type GitUrl } from "../manifest/git-url.ts";
import type { FileSpec } from "./provision-spec.ts";
import { MCP_URL, SUPERVISE_NAME } from "../supervise/config.ts";
import { agentPaths } from "./service.ts";

type Settings = Record<string, string | readonly string[]>;

/** Relative to the home. */
const SIGNER = ".config/bottle/sign";
const ASKER = ".config/bottle/no-ssh";

/**
 * @param signingKey public half: `ssh-ed25519 AAAA…`; undefined: commits are not signed.
 * @param supervise whether the agent may ask for more.
 */
export function gitSettings(git: Git, identity: Identity, signingKey: string | undefined, supervise: boolean): Settings {
  return {
    "user.name": git.author?.name ?? `bottle ${identity.stack}`,
    "user.email": git.author?.email ?? `${identity.slug}@bottle.invalid`, // RFC 2606: reaches nobody
    "safe.directory": agentPaths.workspace,
    "init.defaultBranch": "main",
    ...rewrites(git),
    ...(supervise && { "core.sshCommand": `${agentPaths.home}/${ASKER}`, "ssh.variant": "ssh" }),
    ...(git.signing && signingKey !== undefined && {
      "gpg.format": "ssh",
      "gpg.ssh.program": `${agentPaths.home}/${SIGNER}`,
      "user.signingKey": `key::${signingKey}`,
      "commit.gpgSign": "true",
      "tag.gpgSign": "true",
    }),
  };
}

/**
 * What git runs in ssh-keygen's place: the key stays in git-gate, which is sent what is to be signed. And what it
 * runs in ssh's, which leads nowhere from a bottle: where the agent may ask, that says how.
 */
export function gitPrograms(git: Git, supervise: boolean): FileSpec[] {
  return [
    ...(git.signing ? [{ path: SIGNER, content: signer, executable: true }] : []),
    ...(supervise ? [{ path: ASKER, content: asker, executable: true }] : []),
  ];
}

/**
 * `url.<base>.insteadOf`: https://git-scm.com/docs/git-config#Documentation/git-config.txt-urlbaseinsteadOf.
 * It replaces a prefix, the longest that fits. Over ssh the agent reaches nothing else, so all of a host leads
 * to git-gate, which names what is not there; over https only the upstream itself does.
 */
function rewrites({ upstreams }: Git): Settings {
  const settings: Record<string, Set<string>> = {};
  const add = (path: string, ...forms: string[]) => {
    const base = `url.git://${GATE_NAME}:${GIT_PORT}/${path}.insteadOf`;
    for (const form of forms) (settings[base] ??= new Set()).add(form);
  };
  for (const { url } of upstreams) {
    const path = gatePath(url);
    const server = path.slice(0, path.length - url.path.length);
    if (url.transport === "file") add(path, `file:///${url.path}`);
    else if (url.transport === "ssh") {
      add(server, ...sshServer(url));
      if (url.port === undefined) add(path, `https://${url.host}/${url.path}`);
    } else {
      const port = url.port === undefined ? "" : `:${url.port}`;
      add(path, `https://${url.host}${port}/${url.path}`);
      if (url.port === undefined) add(path, `git@${url.host}:${url.path}`, `ssh://git@${url.host}/${url.path}`);
    }
  }
  return Object.fromEntries(Object.entries(settings).map(([key, forms]) => [key, [...forms]]));
}

function sshServer({ user, host, port }: GitUrl): string[] {
  if (port !== undefined) return [`ssh://${user}@${host}:${port}/`];
  return [`${user}@${host}:`, `${user}@${host}:/`, `ssh://${user}@${host}/`];
}

/** ssh-keygen's own command line (`-Y sign -n git -f KEY FILE`); the signature goes beside FILE. */
const signer = `#!/bin/sh
# Rendered by bottle. git calls this to sign; the key is in git-gate.
for file do :; done
case " $* " in
  *" -Y sign "*) ;;
  *) echo "signatures are checked outside the bottle: it has no ssh-keygen" >&2; exit 1 ;;
esac
command -v curl >/dev/null 2>&1 || { echo "signing needs curl in the agent's image; add it, or remove bottle:git.signing" >&2; exit 1; }
exec curl --silent --show-error --fail-with-body --noproxy '*' --max-time 20 --data-binary "@$file" --output "$file.sig" http://${GATE_NAME}:${SIGNING_PORT}/sign
`;

/** ssh's own command line as git writes it: `[-o OPTION] [-p PORT] [USER@]HOST "git-upload-pack 'PATH'"`. */
const asker = `#!/bin/sh
# Rendered by bottle. git calls this for a server of which this bottle has no upstream.
port=
while [ $# -gt 0 ]; do
  case $1 in
    -p) port=:$2; shift 2 ;;
    -o) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
path=\${2#*\\'}
path=\${path%\\'}
echo "bottle: $1 is no git server of this bottle, and ssh leads nowhere from here; to ask for the repository, call the tool request_git_upstream of the MCP server \\\`${SUPERVISE_NAME}\\\` (${MCP_URL}) with {\\"url\\": \\"ssh://$1$port/\${path#/}\\"} and why; a human decides, and wait_for_answer tells" >&2
exit 1
`;
