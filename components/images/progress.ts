// What of a build people see while it runs: its steps, not every line of every installer.

/** Lines longer than this hang the Pulumi provider's log. */
const LINE_MAX = 300;

/** @returns a sink that shows a build's steps on stderr, one line each. */
export function shown(image: string): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (/^#\d+ (\[|ERROR|DONE [1-9])/.test(line) || /pull|error/i.test(line)) process.stderr.write(`${image}: ${line.trim().slice(0, LINE_MAX)}\n`);
    }
  };
}
