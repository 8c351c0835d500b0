/** curl as the client of large transfers: it costs little, and it is none of ours. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Milliseconds until `clients` downloads of the address, begun at once, have ended. */
export function download(
  url: string,
  clients: number,
  headers: Record<string, string> = {},
): Promise<number> {
  return timed(clients, [...headerArgs(headers), '--output', '/dev/null', url])
}

/** Milliseconds until the file was taken and acknowledged. */
export function upload(url: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  return timed(1, [...headerArgs(headers), '--output', '/dev/null', '--upload-file', path, url])
}

/** The same by POST. */
export function post(url: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  return timed(1, [...headerArgs(headers), '--output', '/dev/null', '-X', 'POST', '--upload-file', path, url])
}

function headerArgs(headers: Record<string, string>): string[] {
  // Without Expect, which would cost a round trip of its own.
  return Object.entries({ Expect: '', ...headers }).flatMap(([name, value]) => [
    '--header',
    `${name}: ${value}`,
  ])
}

async function timed(processes: number, args: readonly string[]): Promise<number> {
  const started = performance.now()
  await Promise.all(
    Array.from({ length: processes }, () => run('curl', ['--silent', '--show-error', '--fail', ...args])),
  )
  return performance.now() - started
}
