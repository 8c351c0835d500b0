/** Real git as a client of a hub, which may be in the test's own process, so it is never waited for synchronously. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Ran {
  code: number
  stdout: string
  /** With what the hub said as `remote: …`. */
  stderr: string
}

/** A folder for clones, and git with nothing of the machine's configuration. */
export class GitClient implements AsyncDisposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async open(): Promise<GitClient> {
    return new GitClient(await mkdtemp(join(tmpdir(), 'cairn-git-')))
  }

  /** Succeeds, and returns what git printed. */
  async git(folder: string, ...args: string[]): Promise<string> {
    const ran = await this.run(folder, args)
    if (ran.code !== 0) throw new Error(`git ${args.join(' ')}: ${ran.code}\n${ran.stdout}\n${ran.stderr}`)
    return ran.stdout.trim()
  }

  /** Fails, and returns what git complained about. */
  async refused(folder: string, ...args: string[]): Promise<string> {
    const ran = await this.run(folder, args)
    if (ran.code === 0) throw new Error(`git ${args.join(' ')} went well:\n${ran.stdout}\n${ran.stderr}`)
    return ran.stdout + ran.stderr
  }

  async run(folder: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
    const who = { NAME: 'Ana', EMAIL: 'ana@example.com', DATE: '1700000000 +0000' }
    const roles = ['AUTHOR', 'COMMITTER'].flatMap((role) =>
      Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
    )
    const base = {
      PATH: process.env['PATH'],
      HOME: this.folder,
      LC_ALL: 'C.UTF-8',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
    }
    const options = {
      cwd: join(this.folder, folder),
      env: { ...base, ...(Object.fromEntries(roles) as Record<string, string>), ...env },
      maxBuffer: 1 << 28,
    }
    return new Promise((resolve) => {
      const all = ['-c', 'init.defaultBranch=main', '-c', 'advice.detachedHead=false', ...args]
      execFile('git', all, options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
      })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
