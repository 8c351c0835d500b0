/** git-lfs' locks, as git-lfs 3.3 asks for them before each push. Its API document «locking.md». */
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import { listLocks, LockedError, lockPath, partLocks, unlock, type LfsLock } from '../../ops/lfs-locks.ts'
import { readJson } from '../body.ts'
import { firstOf, readLimit } from '../query.ts'
import type { Route } from '../route.ts'

const LFS_JSON = { 'Content-Type': 'application/vnd.git-lfs+json' }

// `ref` says which branch the client is on. A path is locked on all of them, so it is not looked at.
const Lock = z.object({ path: z.string() })
const Verify = z.object({
  cursor: z.string().nullish(),
  limit: z.number().int().nonnegative().nullish(),
})
const Unlock = z.object({ force: z.boolean().nullish() })

export const lfsLockRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{web}/info/lfs/locks',
    hub: 'POST /{id}.git/info/lfs/locks',
    async handle(call) {
      const { path } = await readJson(call.body, Lock)
      try {
        const lock = await lockPath(call.ops, call.principal, call.repo, path)
        return { status: 201, headers: LFS_JSON, json: { lock: lockShape(lock) } }
      } catch (error) {
        if (!(error instanceof LockedError)) throw error
        throw new HubError('Conflict', error.message, { body: { lock: lockShape(error.lock) } })
      }
    },
  },
  {
    method: 'GET',
    path: '{web}/info/lfs/locks',
    hub: 'GET /{id}.git/info/lfs/locks',
    async handle({ ops, principal, repo, query }) {
      const filter = { path: firstOf(query, 'path'), id: firstOf(query, 'id') }
      const page = { cursor: firstOf(query, 'cursor'), limit: readLimit(query) }
      const { locks, nextCursor } = await listLocks(ops, principal, repo, filter, page)
      return { headers: LFS_JSON, json: { locks: locks.map(lockShape), ...cursorShape(nextCursor) } }
    },
  },
  {
    method: 'POST',
    path: '{web}/info/lfs/locks/verify',
    hub: 'POST /{id}.git/info/lfs/locks/verify',
    async handle(call) {
      const { cursor, limit } = await readJson(call.body, Verify)
      // The client sends no limit as 0, and no cursor as an empty one.
      const page = { cursor: cursor || null, limit: limit || null }
      const { ours, theirs, nextCursor } = await partLocks(call.ops, call.principal, call.repo, page)
      return {
        headers: LFS_JSON,
        json: { ours: ours.map(lockShape), theirs: theirs.map(lockShape), ...cursorShape(nextCursor) },
      }
    },
  },
  {
    method: 'POST',
    path: '{web}/info/lfs/locks/:id/unlock',
    hub: 'POST /{id}.git/info/lfs/locks/{lock}/unlock',
    async handle(call) {
      const { force } = await readJson(call.body, Unlock)
      const lock = await unlock(call.ops, call.principal, call.repo, call.params['id'] ?? '', force ?? false)
      return { headers: LFS_JSON, json: { lock: lockShape(lock) } }
    },
  },
]

function lockShape({ id, path, lockedAt, ownerName }: LfsLock): object {
  return { id, path, locked_at: new Date(lockedAt).toISOString(), owner: { name: ownerName } }
}

function cursorShape(nextCursor: string | null): object {
  return nextCursor === null ? {} : { next_cursor: nextCursor }
}
