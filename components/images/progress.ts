// What of a build people see while it runs: its steps, not every line of every installer.

/** Pulumi repeats what a failed Command printed, so this is kept short. */
const LINE_MAX = 120;

/** @returns a sink that shows each step of a build (or pull) once, on stderr. */
export function shown(image: string): (text: string) => void {
  const seen = new Set<string>();
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      // BuildKit's own housekeeping ([internal] …, [context …] …) says nothing to people.
      const step = /^#\d+ (\[(?!internal|context).*)/.exec(line)?.[1] ?? /^.*: Pull complete|^Status: .*/.exec(line)?.[0];
      if (step === undefined || seen.has(step)) continue;
      seen.add(step);
      process.stderr.write(`${image}: ${step.slice(0, LINE_MAX)}\n`);
    }
  };
}
