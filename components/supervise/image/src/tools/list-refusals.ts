import { z } from "zod";
import { limits } from "../limits.ts";
import { lastRefusals } from "../refusals.ts";
import { answer, looks, type Register } from "./tool.ts";

export const listRefusals: Register = (server, context) => {
  server.registerTool(
    "list_refusals",
    {
      title: "Refused lately",
      description: "What was refused to you lately and why, newest first, with the tool that asks for it.",
      inputSchema: z.strictObject({ count: z.int().min(1).max(limits.refusals).default(10) }),
      annotations: looks,
    },
    ({ count }) => answer({ refusals: lastRefusals(context.paths.egressLog, context.paths.gateLog, count) }),
  );
};
