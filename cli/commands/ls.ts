import type { Command } from "commander";
import { fleet, type Bottle } from "../fleet/bottles.ts";
import { findProject } from "../project.ts";
import { red, span, table } from "../terminal.ts";

export function register(program: Command): void {
  program
    .command("ls")
    .description("every bottle on this machine, also those that Pulumi does not know any more")
    .option("--json", "for programs")
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const project = await findProject(command).catch(() => undefined);
      const bottles = await fleet(project, project?.env ?? process.env);
      process.stdout.write(json ? `${JSON.stringify(bottles, null, 2)}\n` : render(bottles));
    });
}

export function render(bottles: readonly Bottle[]): string {
  if (bottles.length === 0) return "No bottle on this machine. bottle up STACK brings one up.\n";
  const rows = bottles.map((bottle) => [
    bottle.stack,
    bottle.instance ?? "-",
    bottle.state,
    bottle.health,
    bottle.uptime_seconds === undefined ? "-" : span(bottle.uptime_seconds * 1000),
    bottle.memory_bytes ? `${Math.round(bottle.memory_bytes / 2 ** 20)} MiB` : "-",
    String(bottle.pending_requests || "-"),
    bottle.pulumi,
  ]);
  const lost = bottles.filter(({ reap }) => reap);
  const notes = lost.map(({ stack, instance, reap, pulumi, backend }) =>
    pulumi === "lost"
      ? `${red("lost")}: Pulumi has no stack for ${stack} (${instance}). Take it away, work saved: ${reap}\n`
      : `unknown: whose ${stack} (${instance}) is cannot be told from here${backend === undefined ? "" : `; its stack is in ${backend}`}. Where nobody's Pulumi knows it any more: ${reap}\n`,
  );
  return `${table(["STACK", "INSTANCE", "STATE", "HEALTH", "UPTIME", "MEMORY", "REQUESTS", "PULUMI"], rows)}\n${notes.length > 0 ? "\n" : ""}${notes.join("")}`;
}
