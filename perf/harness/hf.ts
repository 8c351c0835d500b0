/** The stock `hf` of the newest Python client, from the environments that the e2e tests made. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { clientEnv } from '../../e2e/python-walk.ts'

const run = promisify(execFile)
const CLIENTS = fileURLToPath(new URL('../../.cache/clients', import.meta.url))

/** Milliseconds that the whole program takes. `home`: its caches, which decide what it sends. */
export async function hf(
  args: readonly string[],
  settings: { endpoint: string; home: string },
): Promise<number> {
  const names = await readdir(CLIENTS).catch(() => [])
  const name = names.find((entry) => entry.startsWith('py-new-'))
  if (name === undefined)
    throw new Error('no Python client: run `npx vitest run --project e2e e2e/start.e2e.ts` once')
  const python = join(CLIENTS, name, 'bin', 'python')
  const started = performance.now()
  await run(python, [join(dirname(python), 'hf'), ...args], { env: clientEnv(settings) })
  return performance.now() - started
}
