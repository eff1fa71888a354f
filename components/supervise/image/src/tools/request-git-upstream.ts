import { z } from "zod";
import { asks, file, why, type Register } from "./tool.ts";

const globs = z.array(z.string().min(1).max(256)).max(32).optional();

export const requestGitUpstream: Register = (server, context) => {
  server.registerTool(
    "request_git_upstream",
    {
      title: "Ask for a git repository",
      description: "Asks the human to let you clone and fetch a git repository, and push to some of its branches. The human adds the key or token it needs.",
      inputSchema: z.strictObject({
        url: z.string().max(1024).describe("ssh://git@host/path.git, git@host:path.git or https://host/path.git"),
        push: z
          .strictObject({ branches: globs.describe("Globs: [\"agent/**\"]."), tags: globs })
          .optional()
          .describe("What you need to push. Left out: nothing, you only read."),
        why,
      }),
      annotations: asks,
    },
    ({ url, push, why: reason }) => file(context, "git-upstream", { url, ...(push && { push }) }, reason, undefined),
  );
};
