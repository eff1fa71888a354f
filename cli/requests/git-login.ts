// How git-gate logs in to an upstream: no agent can ask for that, and a human adds it while approving. Pure.

/** As the manifest has them. */
export interface GitLogin {
  /** A private key's file. */
  readonly identityFile?: string;
  /** A host key or a known_hosts file. */
  readonly knownHosts?: string;
  /** Name of the variable that holds a token. */
  readonly token?: string;
}

/** The options of `approve` that give it, for messages. */
export const LOGIN_OPTIONS = "--identity-file FILE [--known-hosts KEY] for ssh, --token VARIABLE for https";

/** What an upstream's entry gets. */
export function loginEntry({ identityFile, knownHosts, token }: GitLogin): Record<string, unknown> {
  return { ...(identityFile !== undefined && { identityFile }), ...(knownHosts !== undefined && { knownHosts }), ...(token !== undefined && { token: { variable: token } }) };
}
