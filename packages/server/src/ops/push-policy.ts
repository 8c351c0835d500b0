/** What a push may do to which ref: the rules of the branch and tag routes, said for one ref at a time. */
import { HubError } from '@cairn/protocol/errors'
import { assertRefName, branchRef, tagRef } from '@cairn/protocol/git/paths'
import type { RefCommand } from '@cairn/protocol/git/receive-request'

import type { RepoRow } from '../store/catalog/catalog.ts'
import { assertPolicy } from './land.ts'

/** Why the command is refused whatever the pack holds, or null. */
export function commandProblem(repo: RepoRow, command: RefCommand): string | null {
  const { name, old, next } = command
  try {
    assertRefName(name)
    // What exists by such a name may go, but not come or move.
    if (next !== null) assertShortName(name)
    assertPolicy(repo, command)
  } catch (error) {
    if (error instanceof HubError) return error.message
    throw error
  }
  if (/^refs\/cairn(\/|$)/.test(name)) return 'refs/cairn belongs to the hub'
  // As a ref it would leave no room for what belongs below it.
  if (next !== null && /^refs\/(heads|tags|pr|convert)$/.test(name)) return 'it is a folder of refs'
  if (old === null && next === null) return 'there is no such ref'
  if (next === null && name.startsWith('refs/pr/')) return 'pull requests are closed through the API'
  return null
}

function assertShortName(name: string): void {
  const short = /^refs\/(heads|tags)\/(.*)$/s.exec(name)
  if (short?.[1] === 'heads') branchRef(short[2] ?? '')
  if (short?.[1] === 'tags') tagRef(short[2] ?? '')
}
