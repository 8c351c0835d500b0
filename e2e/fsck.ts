/** Git's own opinion of the repositories in a hub's data directory. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const gitEnv = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }

/** Runs the git of this machine in a bare repository; the output as is. */
export async function git(repository: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await run('git', args, {
    cwd: repository,
    env: { ...gitEnv, ...env },
    maxBuffer: 1 << 26,
  })
  return stdout
}

/** Every bare repository below `<data>/repos`. */
export async function listRepositories(dataDir: string): Promise<string[]> {
  const root = join(dataDir, 'repos')
  if (!existsSync(root)) return []
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() && entry.name.endsWith('.git'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => existsSync(join(path, 'HEAD')))
}

/** What `git fsck --strict --full` complains about, over all repositories; throws when there is none to check. */
export async function fsckAll(dataDir: string): Promise<string[]> {
  const repositories = await listRepositories(dataDir)
  if (repositories.length === 0) throw new Error(`no repository below ${dataDir}/repos`)
  return fsck(repositories)
}

export async function fsck(repositories: readonly string[]): Promise<string[]> {
  const complaints: string[] = []
  for (const repository of repositories) {
    const args = ['fsck', '--strict', '--full', '--no-dangling', '--no-progress']
    try {
      const { stdout, stderr } = await run('git', args, { cwd: repository, env: gitEnv })
      // A notice tells that there is nothing to check yet.
      const lines = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('notice: '))
      complaints.push(...lines)
    } catch (error) {
      // A deleted repository may leave the disk while its neighbours are being checked.
      if (existsSync(repository)) complaints.push(`${repository}: ${String(error)}`)
    }
  }
  return complaints
}
