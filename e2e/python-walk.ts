/** A Python program of `e2e/python/` in lockstep: each step's facts come with the requests that it made. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { cleanEnv, tokens } from './hub-process.ts'
import type { Exchange, Recorder } from './recorder.ts'

export interface Step<Facts> {
  facts: Facts
  exchanges: Exchange[]
}

export interface PythonWalk extends AsyncDisposable {
  /** Lets the program go on to its next step, which must have this name. */
  next<Facts>(name: string): Promise<Step<Facts>>
  /** A line that the program reads before its next step; it is waiting for one already. */
  say(line: string): void
  /** What the program wrote to its standard error. */
  complaints(): string
}

export interface ClientSettings {
  endpoint: string
  /** HF_HOME: caches and nothing from the machine's own. */
  home: string
  env?: Record<string, string>
}

export function clientEnv({ endpoint, home, env }: ClientSettings): NodeJS.ProcessEnv {
  return cleanEnv({
    HF_ENDPOINT: endpoint,
    HF_TOKEN: tokens.alice,
    HF_HOME: home,
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_UPDATE_CHECK: '1',
    DO_NOT_TRACK: '1',
    NO_PROXY: '127.0.0.1',
    E2E_TOKEN_BOB: tokens.bob,
    E2E_TOKEN_READER: tokens.aliceReader,
    ...parityEnv(),
    ...env,
  })
}

/** Set by `npm run parity`: where a program notes what it called, and on which engine. */
function parityEnv(): Record<string, string> {
  const names = ['CAIRN_PARITY_DIR', 'CAIRN_TEST_DATABASE']
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

const endMaxMs = 10_000

export function startPython(
  python: string,
  program: string,
  plan: object,
  recorder: Recorder,
  { prefix = '', ...settings }: Omit<ClientSettings, 'endpoint'> & { prefix?: string },
): PythonWalk {
  const path = join(dirname(fileURLToPath(import.meta.url)), 'python', program)
  const child = spawn(python, [path, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: clientEnv({ ...settings, endpoint: recorder.url + prefix }),
  })
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  // A program that died shows in the missing line; the broken pipe says nothing more.
  child.stdin.on('error', () => {})
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let isFirst = true

  return {
    async next<Facts>(name: string): Promise<Step<Facts>> {
      if (!isFirst) child.stdin.write('\n')
      isFirst = false
      const line = await lines.next()
      if (line.done === true) throw new Error(`${program} ended before '${name}':\n${stderr}`)
      const { step, ...facts } = JSON.parse(line.value) as { step: string }
      if (step !== name) throw new Error(`${program} is at '${step}', the test at '${name}'`)
      return { facts: facts as Facts, exchanges: recorder.take() }
    },
    say(line) {
      child.stdin.write(`\n${line}`)
    },
    complaints: () => stderr,
    async [Symbol.asyncDispose]() {
      // At the end of its input a program goes on to its own end, unless it waits for something else.
      child.stdin.end()
      const escalation = setTimeout(() => child.kill('SIGKILL'), endMaxMs)
      await exit
      clearTimeout(escalation)
    },
  }
}
