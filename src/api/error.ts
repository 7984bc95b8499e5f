/** An error as the server tells it: what happened, and what to do. */
export class MlopsError extends Error {
  constructor(
    message: string,
    readonly code: string = 'failed',
    readonly hint: string = '',
    readonly status: number = 0
  ) {
    super(message);
    this.name = 'MlopsError';
  }

  /** Any thrown thing as an error with a code. */
  static from(reason: unknown): MlopsError {
    if (reason instanceof MlopsError) {
      return reason;
    }
    return new MlopsError(
      reason instanceof Error ? reason.message : String(reason)
    );
  }
}
