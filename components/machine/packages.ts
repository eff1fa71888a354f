// Which hosts this machine's own package clients are configured to use. The clients are asked, so
// that company mirrors are found and no registry is ever written down here.
import { run } from "./run.ts";

export type PackageClient = "npm" | "pip" | "apt";

export interface PackageHosts {
  /** Hosts on the usual ports. */
  readonly hosts: readonly string[];
  /** Mirrors on a port of their own. */
  readonly ports: readonly { readonly host: string; readonly scheme: "http" | "https"; readonly port: number }[];
  /** Variables that point the agent's own clients at the same place; never with credentials. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Asks the named clients.
 *
 * @throws Error naming the client, what was tried and the mend where one does not answer.
 */
export async function packageHosts(clients: readonly PackageClient[]): Promise<PackageHosts> {
  const answers = await Promise.all(clients.map((client) => asks[client]()));
  return {
    ...placed(answers.flatMap((answer) => answer.urls)),
    environment: Object.assign({}, ...answers.map((answer) => answer.environment)) as Record<string, string>,
  };
}

interface Answer {
  readonly urls: readonly URL[];
  readonly environment: Readonly<Record<string, string>>;
}

/** URL leaves a scheme's usual port out. */
function placed(urls: readonly URL[]): Pick<PackageHosts, "hosts" | "ports"> {
  const odd = new Map(
    urls.filter((url) => url.port !== "").map((url) => [url.origin, { host: url.hostname, scheme: url.protocol === "http:" ? ("http" as const) : ("https" as const), port: Number(url.port) }]),
  );
  return { hosts: [...new Set(urls.filter((url) => url.port === "").map((url) => url.hostname))].sort(), ports: [...odd.values()] };
}

const asks: Record<PackageClient, () => Promise<Answer>> = {
  async npm() {
    const url = await firstUrl("npm", ["npm"], ["config", "get", "registry"]);
    return { urls: [url], environment: { NPM_CONFIG_REGISTRY: url.href } };
  },
  async pip() {
    // pip knows its default index and the host its files are on; the configuration may say otherwise.
    const script =
      "import sys\n" +
      "from pip._internal.configuration import Configuration\n" +
      "from pip._internal.models.index import PyPI\n" +
      "c = Configuration(isolated=False); c.load()\n" +
      "v = dict(c.items())\n" +
      "pick = lambda k: v.get(':env:.' + k) or v.get('install.' + k) or v.get('global.' + k)\n" +
      "print(pick('index-url') or PyPI.simple_url)\n" +
      "for u in (pick('extra-index-url') or '').split(): print('extra ' + u)\n" +
      "if not pick('index-url'): print('https://' + PyPI.file_storage_domain)\n";
    const text = await answer("pip", ["python3", "python"], ["-c", script]);
    const lines = text.split("\n");
    const urls = lines.map((line) => clean(line.replace(/^extra /, "")));
    const extra = urls.filter((_, index) => lines[index]!.startsWith("extra ")).map((url) => url.href);
    return { urls, environment: { PIP_INDEX_URL: urls[0]!.href, ...(extra.length > 0 && { PIP_EXTRA_INDEX_URL: extra.join(" ") }) } };
  },
  async apt() {
    const text = await answer("apt", ["apt-get"], ["indextargets", "--format", "$(SITE)"]);
    return { urls: [...new Set(text.split("\n"))].filter((site) => site.includes("://")).map(clean), environment: {} };
  },
};

async function firstUrl(client: PackageClient, programs: readonly string[], args: readonly string[]): Promise<URL> {
  return clean((await answer(client, programs, args)).split("\n").at(-1)!);
}

async function answer(client: PackageClient, programs: readonly string[], args: readonly string[]): Promise<string> {
  for (const program of programs) {
    const { code, stdout } = await run(program, args, { timeout: 30_000 });
    if (code === 0 && stdout.trim() !== "") return stdout.trim();
  }
  throw new Error(
    `bottle:network.packages: ${client} did not say which hosts it uses (asked: ${programs.join(" or ")}); ` +
      `install ${client} on this machine, or list the hosts in network.hosts with inspect: false`,
  );
}

/** Credentials in a mirror's URL stay on the host. */
function clean(text: string): URL {
  const url = new URL(text.trim());
  url.username = "";
  url.password = "";
  return url;
}
