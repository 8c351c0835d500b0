/**
 * What changed between two trees, told by git: as a unified diff, and as a list of files. Both are bounded in size and
 * time; files above `core.bigFileThreshold` are only said to differ, so that no one file costs more than that.
 */
import { FormatError } from '@cairn/protocol/errors'
import { decodeName } from '@cairn/protocol/git/names'

import { DIFF_FILE_MAX_BYTES, DIFF_MAX_BYTES, DIFF_RENAMES_MAX, DIFF_TIMEOUT_MS } from '../limits.ts'
import { type GitHelper, GitProcessError } from './helper.ts'

export interface ChangedFile {
  path: string
  /** Where it was before a rename, else null. */
  oldPath: string | null
  status: 'added' | 'deleted' | 'modified' | 'renamed'
  /** Null where the file is not there on that side. */
  oldOid: string | null
  newOid: string | null
}

const ENTRY = /^:\d{6} \d{6} ([0-9a-f]{40}) ([0-9a-f]{40}) ([A-Z])\d*$/
const NOTHING = '0'.repeat(40)

function diffTree(trees: readonly [string, string], output: readonly string[]): string[] {
  return [
    '-c',
    `core.bigFileThreshold=${DIFF_FILE_MAX_BYTES}`,
    '-c',
    'core.quotePath=true',
    'diff-tree',
    '-r',
    '-M',
    `-l${DIFF_RENAMES_MAX}`,
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--ignore-submodules=none',
    ...output,
    ...trees,
    '--',
  ]
}

/** Null when it would be larger, or take longer, than the limits allow. */
export async function diffTrees(
  helper: GitHelper,
  gitDir: string,
  from: string,
  to: string,
): Promise<Uint8Array | null> {
  const args = diffTree([from, to], ['-p', '--full-index', '--src-prefix=a/', '--dst-prefix=b/'])
  return bounded(helper.runGit({ args, gitDir, timeoutMs: DIFF_TIMEOUT_MS, stdoutMaxBytes: DIFF_MAX_BYTES }))
}

/** By path. Null as above. */
export async function listChanges(
  helper: GitHelper,
  gitDir: string,
  from: string,
  to: string,
): Promise<ChangedFile[] | null> {
  const args = diffTree([from, to], ['--raw', '-z', '--no-abbrev'])
  const output = await bounded(
    helper.runGit({ args, gitDir, timeoutMs: DIFF_TIMEOUT_MS, stdoutMaxBytes: DIFF_MAX_BYTES }),
  )
  return output === null ? null : parseChanges(output)
}

/** `:modes oids letter NUL path NUL`, and for a rename `:modes oids R100 NUL old NUL new NUL`. */
function parseChanges(output: Buffer): ChangedFile[] {
  const files: ChangedFile[] = []
  let at = 0
  const next = (): Buffer => {
    const end = output.indexOf(0, at)
    if (end < 0) throw new FormatError('git diff-tree was cut short', at)
    const token = output.subarray(at, end)
    at = end + 1
    return token
  }
  while (at < output.length) {
    const start = at
    const match = ENTRY.exec(next().toString('latin1'))
    if (match === null) throw new FormatError('git diff-tree wrote an unknown entry', start)
    const [, oldOid = NOTHING, newOid = NOTHING, letter] = match
    const first = decodeName(next())
    files.push({
      path: letter === 'R' ? decodeName(next()) : first,
      oldPath: letter === 'R' ? first : null,
      status: STATUS[letter ?? ''] ?? 'modified',
      oldOid: oldOid === NOTHING ? null : oldOid,
      newOid: newOid === NOTHING ? null : newOid,
    })
  }
  return files
}

const STATUS: Readonly<Record<string, ChangedFile['status']>> = { A: 'added', D: 'deleted', R: 'renamed' }

async function bounded(output: Promise<Buffer>): Promise<Buffer | null> {
  try {
    return await output
  } catch (error) {
    if (error instanceof GitProcessError && (error.reason === 'output' || error.reason === 'timeout'))
      return null
    throw error
  }
}
