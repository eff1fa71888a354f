// The agent's git settings: who it is, and that its upstreams' usual URLs lead to git-gate. Pure.
import type { Identity } from "../identity.ts";
import { GATE_NAME, GIT_PORT, SIGNING_PORT } from "../git-gate/config.ts";
import type { Git } from "../manifest/manifest.ts";
import { gatePath, type GitUrl } from "../manifest/git-url.ts";
import type { FileSpec } from "./provision-spec.ts";
import { agentPaths } from "./service.ts";

type Settings = Record<string, string | readonly string[]>;

/** Relative to the home. */
const SIGNER = ".config/bottle/sign";

/** @param signingKey public half: `ssh-ed25519 AAAA…`; undefined: commits are not signed. */
export function gitSettings(git: Git, identity: Identity, signingKey: string | undefined): Settings {
  return {
    "user.name": git.author?.name ?? `bottle ${identity.stack}`,
    "user.email": git.author?.email ?? `${identity.slug}@bottle.invalid`, // RFC 2606: reaches nobody
    "safe.directory": agentPaths.workspace,
    "init.defaultBranch": "main",
    ...rewrites(git),
    ...(git.signing && signingKey !== undefined && {
      "gpg.format": "ssh",
      "gpg.ssh.program": `${agentPaths.home}/${SIGNER}`,
      "user.signingKey": `key::${signingKey}`,
      "commit.gpgSign": "true",
      "tag.gpgSign": "true",
    }),
  };
}

/** What git runs in ssh-keygen's place: the key stays in git-gate, which is sent what is to be signed. */
export function signingFiles(git: Git): FileSpec[] {
  return git.signing ? [{ path: SIGNER, content: signer, executable: true }] : [];
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
