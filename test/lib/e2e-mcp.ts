// The official MCP client, as an agent has it: each of its HTTP requests is made by curl inside the agent.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { MCP_URL } from "../../components/supervise/config.ts";
import { execIn } from "./e2e-engine.ts";

/** What a tool answered: text, and where that is no error, its JSON. */
export interface ToolAnswer {
  readonly error: boolean;
  readonly text: string;
  readonly value: Record<string, unknown>;
}

export interface AgentClient {
  call(tool: string, args?: object): Promise<ToolAnswer>;
  /** Calls a tool that must not refuse. */
  ask(tool: string, args?: object): Promise<Record<string, unknown>>;
  tools(): Promise<string[]>;
  close(): Promise<void>;
}

/** @param container the agent's; it needs curl */
export async function agentClient(container: string): Promise<AgentClient> {
  const client = new Client({ name: "bottle-test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { fetch: curlIn(container) }));
  const call = async (tool: string, args: object = {}): Promise<ToolAnswer> => {
    const result = (await client.callTool({ name: tool, arguments: args as Record<string, unknown> }, undefined, { timeout: 600_000 })) as { isError?: boolean; content: { text: string }[] };
    const text = result.content.map((part) => part.text).join("\n");
    return { error: result.isError === true, text, value: result.isError ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
  return {
    call,
    async ask(tool, args) {
      const { error, text, value } = await call(tool, args);
      if (error) throw new Error(`${tool}: ${text}`);
      return value;
    },
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    close: () => client.close(),
  };
}

function curlIn(container: string) {
  return async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const headers = [...new Headers(init.headers)].map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
    const body = typeof init.body === "string" ? init.body : undefined;
    const command = ["curl -sS -i --max-time 660", `-X ${init.method ?? "GET"}`, ...headers, ...(body === undefined ? [] : ["--data-binary @-"]), quoted(String(url))];
    const { code, stdout, stderr } = await execIn(container, command.join(" "), { input: body, timeout: 670_000 });
    if (code !== 0) throw new TypeError(`fetch failed: ${stderr.trim()}`);
    const end = stdout.indexOf("\r\n\r\n");
    const [status = "", ...lines] = stdout.slice(0, end).split("\r\n");
    const answered = lines.map((line) => line.split(/:\s*(.*)/s).slice(0, 2) as [string, string]).filter(([name]) => !/^(transfer-encoding|connection)$/i.test(name));
    return new Response(stdout.slice(end + 4) || null, { status: Number(status.split(" ")[1]), headers: answered });
  };
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
