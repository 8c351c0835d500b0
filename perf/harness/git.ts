/** git as a client, and histories made to measure. The same seed makes the same history in every run. */
import { execFile } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { cleanEnv } from '../../e2e/hub-process.ts'

const run = promisify(execFile)

/** Nothing of the machine's own settings, and nobody is asked for a password. */
function gitEnv(): NodeJS.ProcessEnv {
  return cleanEnv({ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' })
}

export async function git(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', folder, ...args], { env: gitEnv(), maxBuffer: 1 << 26 })
  return stdout.trim()
}

/** Milliseconds that the whole command takes. */
export async function timeGit(folder: string, ...args: string[]): Promise<number> {
  const started = performance.now()
  await git(folder, ...args)
  return performance.now() - started
}

/** The address with alice's token in it, as git wants it. */
export function withToken(url: string, token: string): string {
  return url.replace('://', `://alice:${token}@`)
}

export interface History {
  files: number
  filesPerFolder: number
  commits: number
  filesPerCommit: number
}

/** Makes a bare repository: all files in the first commit, some of them changed in each of the others. */
export async function makeHistory(folder: string, history: History): Promise<void> {
  await mkdir(folder, { recursive: true })
  await git(folder, 'init', '--quiet', '--bare', '--initial-branch=main')
  const child = spawn('git', ['-C', folder, 'fast-import', '--quiet'], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: gitEnv(),
  })
  const exit = once(child, 'exit')
  for (const piece of historyOf(history)) if (!child.stdin.write(piece)) await once(child.stdin, 'drain')
  child.stdin.end()
  const [code] = (await exit) as [number | null]
  if (code !== 0) throw new Error('git fast-import failed')
}

function* historyOf({ files, filesPerFolder, commits, filesPerCommit }: History): Generator<string> {
  // A linear congruential generator.
  let state = 1
  const random = (below: number) => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) % below
  for (let commit = 0; commit < commits; commit += 1) {
    const lines = [
      'commit refs/heads/main',
      `committer A <a@example.com> ${1_700_000_000 + commit * 60} +0000`,
    ]
    lines.push('data 6', 'change')
    const count = commit === 0 ? files : filesPerCommit
    for (let index = 0; index < count; index += 1) {
      const file = commit === 0 ? index : random(files)
      const words = Array.from({ length: 40 }, () => random(0xffff_ffff).toString(36))
      const text = `file ${file} of commit ${commit}\n${words.join('\n')}\n`
      lines.push(`M 100644 inline part-${Math.floor(file / filesPerFolder)}/file-${file}.txt`)
      lines.push(`data ${text.length}`, text)
    }
    yield `${lines.join('\n')}\n`
  }
}

/** Where the hub keeps the one repository that it has. */
export async function onlyBareRepository(dataDir: string): Promise<string> {
  const root = join(dataDir, 'repos')
  const names = (await readdir(root, { recursive: true })).filter((name) => /^..\/[^/]+\.git$/.test(name))
  if (names.length !== 1) throw new Error(`${names.length} repositories instead of one`)
  return join(root, names[0]!)
}
