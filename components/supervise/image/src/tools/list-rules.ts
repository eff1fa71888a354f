import { z } from "zod";
import { gitRules, networkRules } from "../in-force.ts";
import { answer, looks, type Register } from "./tool.ts";

export const listRules: Register = (server, context) => {
  server.registerTool(
    "list_rules",
    {
      title: "Rules in force",
      description: "What you may reach now: hosts, routes and git upstreams with what may be pushed. A host that has any route is held to its routes.",
      inputSchema: z.strictObject({}),
      annotations: looks,
    },
    () => answer({ ...networkRules(context.paths.rules, Date.now()), git: gitRules(context.paths.gate) }),
  );
};
