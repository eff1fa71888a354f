import { z } from "zod";
import { asks, file, forSeconds, hostName, why, type Register } from "./tool.ts";

export const requestHost: Register = (server, context) => {
  server.registerTool(
    "request_host",
    {
      title: "Ask for a host",
      description: "Asks the human to allow a host as a whole: https on port 443 and http on port 80, any path and method. Where a few paths are enough, request_route is granted more easily.",
      inputSchema: z.strictObject({
        host: hostName,
        inspect: z.boolean().optional().describe("false: its traffic is not scanned for secrets; for large files, streams and WebSockets. Of a host that is allowed already, only this changes. Leave it out unless scanning gets in the way."),
        why,
        for_seconds: forSeconds,
      }),
      annotations: asks,
    },
    ({ host, inspect, why: reason, for_seconds }) => file(context, "host", { host, ...(inspect !== undefined && { inspect }) }, reason, for_seconds),
  );
};
