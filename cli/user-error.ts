/** What a person can mend: shown without a stack trace. */
export class UserError extends Error {
  readonly mend?: string;
  readonly exitCode: number;

  constructor(message: string, mend?: string, exitCode = 1) {
    super(message);
    this.mend = mend;
    this.exitCode = exitCode;
  }
}
