import type { Command } from "commander";
import { findProject } from "../project.ts";
import { addPolicyOptions } from "../requests/policy-packs.ts";
import { approve, type ApproveOptions } from "../requests/approve.ts";

export function register(program: Command): void {
  addPolicyOptions(program.command("approve"))
    .description("show a request with its preview, and put it in force")
    .argument("<id>")
    .option("-e, --edit", "narrow it in your editor first")
    .option("--for <duration>", "for so long only: 90s, 30m, 2h, 7d; ever: for good, whatever the agent asked (git upstreams and branches: always for good)")
    .option("--identity-file <file>", "git over ssh: the private key with which git-gate logs in")
    .option("--known-hosts <key>", "git over ssh: the host's key, or a known_hosts file")
    .option("--token <variable>", "git over https: name of the variable that holds the token")
    .option("-y, --yes", "without asking; stops if it is not what `show` showed any more")
    .action(async (id: string, options: ApproveOptions, command: Command) => approve(await findProject(command), id, options));
}
