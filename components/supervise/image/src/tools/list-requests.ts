import { z } from "zod";
import { answer, looks, told, type Register } from "./tool.ts";

/** As many as fit into an answer that an agent can read. */
const SHOWN = 30;

export const listRequests: Register = (server, context) => {
  server.registerTool(
    "list_requests",
    { title: "Your requests", description: "What you asked for and what became of it, newest first.", inputSchema: z.strictObject({}), annotations: looks },
    () => answer({ requests: context.requests.list().slice(0, SHOWN).map(told) }),
  );
};
