import { quote } from "./environment.ts";

/**
 * The shell line that enters a bottle.
 * @param outputs the stack's: `attach` is a whole `docker … exec -it … CONTAINER COMMAND` line, with CONTAINER named
 * once more as `agentContainer`
 * @param command in place of the agent's own, if not empty
 * @param terminal whether standard input and output are one; Docker refuses `-t` without
 * @throws Error if the line does not name the container
 */
export function attachCommand(outputs: { attach: string; agentContainer: string }, command: readonly string[], terminal: boolean): string {
  const words = outputs.attach.split(" ");
  const container = words.findIndex((word) => word === outputs.agentContainer || word === quote(outputs.agentContainer));
  if (container < 0) throw new Error(`the attach line does not name ${outputs.agentContainer}: ${outputs.attach}`);
  const line = command.length === 0 ? words : [...words.slice(0, container + 1), ...command.map(quote)];
  return line.map((word, index) => (!terminal && word === "-it" && index < container ? "-i" : word)).join(" ");
}
