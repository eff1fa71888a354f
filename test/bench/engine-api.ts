// What the Docker engine knows of a container's CPU time and memory, by its API, so that cgroup v1 and v2 read the same.
// https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerStats
import { request, type RequestOptions } from "node:http";
import { findEngine } from "../../components/machine/engine.ts";

export interface Usage {
  /** CPU seconds since the container's start. */
  readonly cpuSeconds: number;
  /** MiB: what is used without the page cache that the kernel can drop, as `docker stats` counts. */
  readonly workingSet: number;
  /** MiB: anonymous memory alone. */
  readonly anonymous: number;
}

interface Stats {
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
  readonly memory_stats: { readonly usage?: number; readonly stats?: Readonly<Record<string, number>> };
}

/**
 * A container's present usage.
 * @throws Error where the engine is not on a local socket or does not know the container
 */
export async function usage(container: string): Promise<Usage> {
  const { cpu_stats, memory_stats } = (await ask(`/containers/${container}/stats?stream=false&one-shot=true`)) as Stats;
  const { usage: used = 0, stats = {} } = memory_stats;
  // v1 has totals over the hierarchy, v2 does not need them.
  const cache = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return {
    cpuSeconds: cpu_stats.cpu_usage.total_usage / 1e9,
    workingSet: (used - cache) / 2 ** 20,
    anonymous: (stats["total_rss"] ?? stats["anon"] ?? 0) / 2 ** 20,
  };
}

async function ask(path: string): Promise<unknown> {
  const { host } = await findEngine();
  const at = address(host);
  return new Promise((resolve, reject) => {
    const sent = request({ ...at, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`Docker engine, ${path}: ${response.statusCode} ${text.trim()}`));
      });
    });
    sent.on("error", reject).end();
  });
}

function address(host: string): RequestOptions {
  if (host.startsWith("unix://")) return { socketPath: host.slice("unix://".length), host: "docker" };
  const url = new URL(host.replace(/^tcp:/, "http:"));
  if (url.protocol !== "http:") throw new Error(`Docker engine ${host}: the bench asks only engines on a local socket or plain TCP`);
  return { host: url.hostname, port: url.port };
}
