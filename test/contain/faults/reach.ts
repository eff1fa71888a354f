// Everything that an agent would try while something around it is broken.
import { execIn } from "../../lib/e2e-engine.ts";
import { escaped, held, type Seen } from "../attempt.ts";
import { inWords, refused } from "../attempts/judge.ts";
import { curl, probe, type Bottle, type Lab } from "../lab.ts";
import { names } from "../outside.ts";

/** Tries what is not allowed, through the proxy and past it. The runner looks whether anything arrived. */
export async function tryToReach(lab: Lab, bottle: Bottle, marker: string): Promise<Seen> {
  const addresses = [...lab.outside.hostAddresses(), ...Object.values(bottle.subnets).map(({ gateway }) => gateway)];
  const direct = [[lab.named.address, 80], [lab.named.address, 443], ["proxy", 8080], ...addresses.map((address) => [address, lab.outside.port])];
  const [https, http, past] = await Promise.all([
    curl(bottle, `-k --max-time 6 https://${names.unlisted}/${marker}`),
    curl(bottle, `--max-time 6 http://${names.unlisted}/${marker}`),
    probe<{ reached: string[] }>(bottle, "tcp_many", { targets: direct, send: `GET /${marker} HTTP/1.0\r\n\r\n`, seconds: 2 }),
  ]);
  const beyond = past.reached.filter((target) => target !== "proxy:8080");
  if (beyond.length > 0) return escaped(`reached ${beyond.join(", ")}`);
  const answers = [https, http].map((answer) => refused(answer).held);
  return answers.every(Boolean) ? held([...new Set([https, http].map(inWords))].join("; ")) : escaped(`${inWords(https)}; ${inWords(http)}`);
}

/** The same from an image that has bash and nothing else. @param container running or not: one that is gone reaches nothing */
export async function tryToReachWithBash(lab: Lab, container: string, marker: string): Promise<Seen> {
  const direct = [...lab.outside.hostAddresses()].map((address) => `${address}/${lab.outside.port}`);
  const script = `for at in ${direct.join(" ")}; do timeout 2 bash -c "exec 3<>/dev/tcp/$at && echo ${marker} >&3 && cat <&3 | head -c 5" 2>/dev/null; done
timeout 5 bash -c "exec 3<>/dev/tcp/proxy/8080 && printf 'GET http://${names.unlisted}/${marker} HTTP/1.1\\r\\nHost: ${names.unlisted}\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -c 12 <&3" 2>/dev/null; true`;
  const { code, stdout } = await execIn(container, script, { timeout: 60_000 });
  if (code !== 0) return held("the agent is not there, or does not run");
  return /200|HTTP\/1.1 2/.test(stdout) ? escaped(stdout.slice(0, 60)) : held(stdout.trim() || "nothing answers");
}
