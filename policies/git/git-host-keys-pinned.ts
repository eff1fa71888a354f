import { containersOf, textList } from "../lib/containers.ts";
import { COMMANDS } from "../lib/compose.ts";
import { upstreams } from "../lib/git-config.ts";
import { STACK } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";
import { texts } from "../lib/values.ts";

/** ssh told to take any host for the one it was looking for. */
const unchecked = /StrictHostKeyChecking[=\s]+["']?(no|off|accept-new)\b|UserKnownHostsFile[=\s]+["']?\/dev\/null|GIT_SSL_NO_VERIFY=["']?(1|true)|http\.sslVerify[=\s]+["']?(false|0)/i;

export const gitHostKeysPinned = resourceRule({
  name: "git-host-keys-pinned",
  description: "Git upstreams are who they are said to be: ssh by pinned host keys, the rest by TLS.",
  severity: "high",
  check: ({ type, inputs }, report) => {
    if (type === STACK) {
      for (const { path, entry } of upstreams()) {
        const url = String(entry["url"] ?? "");
        const overSsh = /^(git\+)?ssh:\/\//.test(url) || (!url.includes("://") && /^[^/]+:/.test(url));
        if (overSsh && isEmpty(entry["knownHosts"])) report(`${path}.knownHosts`, "is empty, so anybody on the way can be the upstream; give the host's public keys, as its owner publishes them");
        if (/^(git|http|ftp):\/\//.test(url)) report(`${path}.url`, "is neither ssh nor https, so anybody on the way can be the upstream; use one of them");
      }
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
