import { containersOf, textList } from "../lib/containers.ts";
import { COMMANDS } from "../lib/compose.ts";
import { isSsh, upstreamsOf } from "../lib/git-config.ts";
import { resourceRule } from "../lib/rule.ts";
import { texts } from "../lib/values.ts";

/** ssh told to take any host for the one it was looking for. */
const unchecked = /StrictHostKeyChecking[=\s]+["']?(no|off|accept-new)\b|UserKnownHostsFile[=\s]+["']?\/dev\/null|GIT_SSL_NO_VERIFY=["']?(1|true)|http\.sslVerify[=\s]+["']?(false|0)/i;

export const gitHostKeysPinned = resourceRule<{ userFile: boolean }>({
  name: "git-host-keys-pinned",
  description: "Git upstreams are who they are said to be: ssh by pinned host keys, the rest by TLS.",
  severity: "high",
  config: { userFile: { type: "boolean", default: false, description: "Whether the known_hosts file of the person who runs pulumi will do." } },
  check: ({ type, inputs }, report, { userFile }) => {
    for (const { path, url, entry, manifest } of upstreamsOf(type, inputs)) {
      // git-gate's configuration has whatever keys were found: in the manifest, or in the user's own file.
      if (isSsh(url) && manifest && !userFile && isEmpty(entry["knownHosts"])) {
        report(`${path}.knownHosts`, "is not set, so the file of whoever runs pulumi says who the upstream is; give the host's public keys, as its owner publishes them, or set userFile");
      }
      if (isSsh(url) && !manifest && isEmpty(entry["known_hosts"])) report(`${path}.known_hosts`, "is empty, so anybody on the way can be the upstream; give the host's public keys (knownHosts in the manifest)");
      if (/^(git|http|ftp):\/\//i.test(url)) report(`${path}.url`, "is neither ssh nor https, so anybody on the way can be the upstream; use one of them");
    }
    const places = [
      ...containersOf(type, inputs).flatMap((container) => ["environment", "command", "entrypoint"].flatMap((key) => textList(container, key).map((text) => ({ path: container.path(key), text })))),
      ...(COMMANDS.has(type) ? ["create", "update", "environment"].flatMap((key) => (typeof inputs[key] === "string" ? texts(inputs[key], key) : environmentOf(inputs[key]))) : []),
    ];
    for (const { path, text } of places) if (unchecked.test(text)) report(path, "turns the check of the upstream's identity off; remove it and pin the host's keys");
  },
});

function isEmpty(given: unknown): boolean {
  return given === undefined || given === null || given === "" || (Array.isArray(given) && given.length === 0);
}

function environmentOf(value: unknown): { path: string; text: string }[] {
  return texts(value, "environment").map(({ path, text }) => ({ path, text: `${path.split(".").at(-1)}=${text}` }));
}
