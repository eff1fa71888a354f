import { z } from "zod";
import { gitRules } from "../in-force.ts";
import { asks, file, refusal, why, type Register } from "./tool.ts";

const globs = z.array(z.string().min(1).max(256)).max(32).optional();

export const requestGitBranch: Register = (server, context) => {
  server.registerTool(
    "request_git_branch",
    {
      title: "Ask to push a branch",
      description: "Asks the human to let you push further branches or tags to a git upstream that you have already (list_rules names them).",
      inputSchema: z.strictObject({
        upstream: z.string().max(63).describe("Its name in list_rules."),
        branches: globs.describe("Names or globs: [\"agent/**\"]."),
        tags: globs,
        why,
      }),
      annotations: asks,
    },
    ({ upstream, branches, tags, why: reason }) => {
      const names = gitRules(context.paths.gate).map(({ name }) => name);
      if (!names.includes(upstream)) return refusal(`Not filed: no such upstream; there ${names.length > 0 ? `are: ${names.join(", ")}` : "is none, ask for one with request_git_upstream"}.`);
      return file(context, "git-branch", { upstream, ...(branches && { branches }), ...(tags && { tags }) }, reason, undefined);
    },
  );
};
