// The MCP side: a server and a transport for each POST. Without sessions there is none to steal, to
// flood or to keep: all that lasts are the requests' files.
import type { IncomingMessage, ServerResponse } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { tools } from "./tools/index.ts";
import type { Context } from "./tools/tool.ts";

const INSTRUCTIONS =
  "You work in a bottle: what may be reached outside is held to rules. When something is refused that your task needs, ask for it here, as narrowly as you can, " +
  "and say why. A human decides; you cannot. Refusals say what was missing; list_refusals shows the last of them, list_rules what is allowed.";

/** Answers one POST whose body is parsed. Ends when the answer is out or the client is gone. */
export async function answerPost(request: IncomingMessage, response: ServerResponse, body: unknown, context: Context): Promise<void> {
  const server = new McpServer({ name: "bottle-supervise", version: "1.0.0" }, { instructions: INSTRUCTIONS });
  for (const register of tools) register(server, context);
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  void closed.then(() => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response, body);
  await closed;
}
