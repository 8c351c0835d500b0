/** What a command touches of the world outside, passed in so that tests can watch it. */
export interface CliIo {
  env: NodeJS.ProcessEnv
  cwd: string
  stdin: AsyncIterable<Uint8Array | string>
  stdout: CliOutput
  stderr: CliOutput
}

export interface CliOutput {
  write(text: string): unknown
  isTTY?: boolean
}

/** A failure with its cause and next step in one line; exit code 1. */
export class CliError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
  }
}

/** The command line cannot mean anything; exit code 2. */
export class UsageError extends CliError {}
