// Run by a Command after `up`: has git-gate contact each upstream. What a human must mend (a host key,
// a login) fails the update; an upstream that cannot be reached now is a warning, and the bottle is up.
import { runningContainer } from "../compose/container.ts";
import { main, setting } from "../files/script-io.ts";
import { run } from "../machine/run.ts";

/** What git-gate says of an upstream; see image/README.md. */
interface Answer {
  readonly id: string;
  readonly ok: boolean;
  readonly kind: string | null;
  readonly message: string | null;
}

await main(async () => {
  const container = await runningContainer(setting("COMPOSE_PROJECT"), "git-gate");
  if (container === undefined) throw new Error("git-gate is not running; look at its log (docker logs) and run `pulumi up` again");
  const { code, stdout, stderr } = await run("docker", ["exec", container, "git-gate", "check"], { timeout: 60_000 });
  if (code !== 0) throw new Error(`git-gate could not look at its upstreams: ${stderr.trim().slice(-2000)}`);
  const failed = (JSON.parse(stdout) as Answer[]).filter(({ ok }) => !ok);
  const away = failed.filter(({ kind }) => kind === "unreachable");
  for (const { message } of away) process.stderr.write(`warning: ${message}\n`);
  const faults = failed.filter((answer) => !away.includes(answer));
  if (faults.length > 0) throw new Error(`git-gate is up, but not every upstream lets it in; mend this and run \`pulumi up\` again:\n${faults.map(({ message }) => `  - ${message}`).join("\n")}`);
});
