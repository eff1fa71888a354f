// What tests do from inside an agent.
import { execIn } from "./e2e-engine.ts";

export interface Answer {
  /** HTTP status; 0 if there was no answer. */
  status: number;
  body: string;
}

/**
 * Asks the agent's proxy for a plain-HTTP URL, with nothing but bash: for images without any client.
 * A proxy that is just being restarted is asked again.
 */
export async function plainGet(container: string, url: string): Promise<Answer> {
  const request = `GET ${url} HTTP/1.1\\r\\nHost: ${new URL(url).host}\\r\\nConnection: close\\r\\n\\r\\n`;
  const script = `exec 3<>/dev/tcp/proxy/8080 && printf '${request}' >&3 && timeout 20 cat <&3`;
  const { stdout } = await execIn(container, `bash -c "${script.replaceAll("$", "\\$").replaceAll('"', '\\"')}"`);
  const [head = "", ...rest] = stdout.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0), body: rest.join("\r\n\r\n") };
}

/** Asks with curl, through whatever proxy the agent's environment names. @param args for curl, URL included */
export async function curl(container: string, args: string, options: { input?: string; timeout?: number } = {}): Promise<Answer & { error: string }> {
  const { stdout, stderr } = await execIn(container, `curl -sS --max-time 60 -w '\\n%{http_code}' ${args}`, options);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end), error: stderr };
}

/**
 * Calls a tool of supervise as any MCP client does, from inside the agent.
 * @throws Error if no answer came
 */
export async function callTool(container: string, tool: string, args: object): Promise<Record<string, unknown>> {
  const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool, arguments: args } });
  const script = "curl -sS -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' --data-binary @- http://supervise:8090/mcp";
  const { stdout, stderr } = await execIn(container, script, { input: message, timeout: 60_000 });
  const data = /^data: (.*)$/m.exec(stdout)?.[1];
  if (data === undefined) throw new Error(`no answer of ${tool}: ${stdout}${stderr}`);
  return JSON.parse((JSON.parse(data) as { result: { content: { text: string }[] } }).result.content[0]!.text) as Record<string, unknown>;
}
