// pipelock's own patterns, asked from its image: what the policies call a secret is then what the wire calls one.
import { spawn } from "node:child_process";

export interface Finding {
  /** Index of the text. */
  readonly index: number;
  /** pipelock's name of the pattern. */
  readonly pattern: string;
}

/** Milliseconds; a scan takes a quarter of a second. */
const TIMEOUT = 30_000;

/** True where the engine answers and has the image. */
export async function hasImage(image: string): Promise<boolean> {
  return (await docker(["image", "inspect", "--format", "{{.Id}}", image])).code === 0;
}

/**
 * Has pipelock look for secrets in texts, without a network and without rights. They go by stdin;
 * pipelock's answer is redacted.
 *
 * @throws Error where pipelock did not answer
 */
export async function findSecrets(image: string, texts: readonly string[]): Promise<Finding[]> {
  const { code, stdout } = await docker(
    [
      ...["run", "--rm", "--interactive", "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
      ...["--user", "65534:65534", "--label", "bottle.project=bottle", image, "git", "scan-diff", "--json"],
    ],
    diffOf(texts),
  );
  if (code === 0 && stdout.trim() === "") return [];
  const answer = JSON.parse(stdout) as { file: string; pattern: string }[] | null;
  if (code > 1 || (answer !== null && !Array.isArray(answer))) throw new Error("pipelock gave no answer");
  return (answer ?? []).map(({ file, pattern }) => ({ index: Number(file), pattern }));
}

/** A diff that adds one file a text, as that is what pipelock scans. */
function diffOf(texts: readonly string[]): string {
  return texts
    .map((text, index) => {
      const lines = text.split("\n");
      return `diff --git a/${index} b/${index}\n--- a/${index}\n+++ b/${index}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join("")}`;
    })
    .join("");
}

function docker(args: readonly string[], input = ""): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const child = spawn("docker", args, { stdio: ["pipe", "pipe", "ignore"], timeout: TIMEOUT });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.on("error", () => resolve({ code: 127, stdout: "" }));
    child.on("close", (code) => resolve({ code: code ?? 124, stdout }));
    child.stdin.on("error", () => {}); // gone before it read all
    child.stdin.end(input);
  });
}
