/** The git and git-lfs of this machine. */
import { execFileSync } from 'node:child_process'

export const gitVersion = versionIn(execFileSync('git', ['version']).toString())

/** Null where git-lfs is not installed. `.ci/run` installs it, so there that is a failure. */
export const gitLfsVersion = findGitLfs()

function findGitLfs(): string | null {
  try {
    return versionIn(
      execFileSync('git', ['lfs', 'version'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
    )
  } catch (error) {
    if (process.env['CI'] === 'true') throw new Error('git-lfs is needed when CI=true', { cause: error })
    console.log('SKIP e2e with git-lfs: it is not installed')
    return null
  }
}

function versionIn(text: string): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? text.trim()
}
