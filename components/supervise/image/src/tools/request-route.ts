import { z } from "zod";
import { asks, file, forSeconds, hostName, why, type Register } from "./tool.ts";

const some = (what: string) => z.array(z.string().min(1).max(1024)).min(1).max(32).optional().describe(what);

export const requestRoute: Register = (server, context) => {
  server.registerTool(
    "request_route",
    {
      title: "Ask for a route",
      description: "Asks the human to allow a host held to methods, paths and queries, with a credential put on outside if you need one. Ask for as little as you need: the methods and paths of the refusal.",
      inputSchema: z.strictObject({
        host: hostName,
        methods: some("In upper case: [\"GET\"]. Left out: any."),
        paths: some("Globs: * within a segment, ** across them: [\"/v1/**\"]. Left out: any."),
        query: z.record(z.string().max(128), z.string().max(256)).optional().describe("Parameters that must be there exactly once, with globs for their values."),
        scheme: z.enum(["https", "http"]).optional(),
        port: z.int().min(1).max(65535).optional().describe("Default: 443, or 80 for http."),
        websocket: z.boolean().optional().describe("true: WebSocket upgrades too; needs inspect: false."),
        inspect: z.boolean().optional().describe("false: its traffic is not scanned for secrets; for large files, streams and WebSockets."),
        auth: z
          .strictObject({
            variable: z.string().max(128).describe("Name of the variable on the human's machine that holds the token, such as GITHUB_TOKEN. Never a token."),
            scheme: z.enum(["bearer", "basic", "raw"]).optional(),
            header: z.string().max(128).optional().describe("Default: authorization."),
            username: z.string().max(128).optional().describe("For basic."),
          })
          .optional()
          .describe("A credential that egress puts on; you never see it."),
        why,
        for_seconds: forSeconds,
      }),
      annotations: asks,
    },
    ({ why: reason, for_seconds, ...change }) => file(context, "route", change, reason, for_seconds),
  );
};
