// Where no secret may stand: everything that Compose, `docker inspect`, `ps`, a log or a stack file shows.
import { claudePlaceholders } from "../../components/agent/claude.ts";
import { COMMANDS, readCompose } from "./compose.ts";
import { imageRequest } from "./images.ts";
import { stackConfig } from "./stack-config.ts";
import { texts, type Plain } from "./values.ts";

export interface Place {
  readonly path: string;
  /** As its reader would see it: `NAME=value` for variables, so that rules know what it is called. */
  readonly text: string;
}

const STACK = "pulumi:pulumi:Stack";

/** The places of one resource. A command's stdin counts where it is a Compose file or asks for a build: keys and tokens go by stdin. */
export function placesOf(type: string, inputs: Plain): Place[] {
  return raw(type, inputs).map(({ path, text }) => ({ path, text: withoutPlaceholders(text) }));
}

function raw(type: string, inputs: Plain): Place[] {
  if (type === STACK) return named(Object.entries(stackConfig()).flatMap(([key, value]) => texts(value, key)));
  if (COMMANDS.has(type)) {
    const { stdin: _stdin, ...others } = inputs;
    const reading = readCompose(type, inputs);
    const request = imageRequest(type, inputs);
    return named([
      ...texts(others, ""),
      ...(reading && "file" in reading ? texts(reading.file.document, "").map(({ path, text }) => ({ path: `stdin: ${path}`, text })) : []),
      ...(request ? texts(request.build, "").map(({ path, text }) => ({ path: `stdin: build.${path}`, text })) : []),
    ]);
  }
  return type.startsWith("docker:") ? named(texts(inputs, "")) : [];
}

/** `services.a.environment.TOKEN` reads as `TOKEN=…`; a list's element says its own name. */
function named(places: readonly Place[]): Place[] {
  return places.map(({ path, text }) => {
    const [, key] = /(?:^|\.|:)"?([A-Za-z_][\w-]*)"?$/.exec(path) ?? [];
    return { path, text: key === undefined ? text : `${key}=${text}` };
  });
}

/** What the agent has in place of a credential is of a real one's form, and none. */
function withoutPlaceholders(text: string): string {
  return Object.values(claudePlaceholders).reduce((rest, placeholder) => rest.replaceAll(placeholder, ""), text);
}

/** True where a path is one of those given, in which `*` is any text. */
export function isExcepted(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(path));
}

/** Where a Pulumi secret belongs: policies are given secrets decrypted and cannot tell them from plain text. */
export const exceptDefault = ["bottle:network.routes[*].auth.secret", "bottle:git.upstreams[*].token.secret"];
