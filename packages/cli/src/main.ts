/** The process: its arguments, streams and exit code. What the words mean is in program.ts. */
import process from 'node:process'

import { run } from './program.ts'

const EXIT_GRACE_MS = 1_000

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
})
// Output that still flows into a pipe gets its time; a handle that somebody forgot does not keep the process.
setTimeout(() => process.exit(), EXIT_GRACE_MS).unref()
