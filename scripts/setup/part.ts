/** What a part of set-up did: nothing ("there"), or something, told in a few words. */
export interface Outcome {
  changed: boolean;
  /** For example "Docker 28.5.2, Compose 2.40.3, buildx 0.19.3". */
  detail: string;
}

/** How a part tells what takes long. Goes to standard error. */
export type Progress = (line: string) => void;

/** One part of set-up. Running it again does nothing that is already done. */
export interface Part {
  name: string;
  ensure(progress: Progress): Promise<Outcome>;
}

/** A part that could not be set up. The message names the part, what was tried, and the mend. */
export class SetupError extends Error {
  override readonly name = "SetupError";
  readonly part: string;

  constructor(part: string, fault: { problem: string; tried?: string; mend: string }) {
    const indent = (text: string): string => text.trimEnd().replaceAll("\n", "\n         ");
    super(
      [
        `${part}: ${indent(fault.problem)}`,
        ...(fault.tried ? [`  tried: ${indent(fault.tried)}`] : []),
        `  mend:  ${indent(fault.mend)}`,
      ].join("\n"),
    );
    this.part = part;
  }
}
