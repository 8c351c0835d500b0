/** A server to compare with, as a process of its own on a free port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { waitForUrl } from '../../e2e/hub-process.ts'

export interface ServerProcess extends AsyncDisposable {
  /** Without a trailing slash. */
  url: string
  pid: number
}

/** `program`: a file of perf/reference that prints its URL once it listens. */
export async function startReference(program: string, args: readonly string[] = []): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(`../reference/${program}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  return {
    url: await waitForUrl(child),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
    },
  }
}

const ANSWER_MAX_MS = 10_000

/** Until anything answers there, with whatever status. */
export async function waitForAnswer(url: string): Promise<void> {
  const deadline = Date.now() + ANSWER_MAX_MS
  for (;;) {
    const response = await fetch(url).catch(() => null)
    await response?.body?.cancel()
    if (response !== null) return
    if (Date.now() > deadline) throw new Error(`${url}: no answer`)
    await sleep(20)
  }
}
