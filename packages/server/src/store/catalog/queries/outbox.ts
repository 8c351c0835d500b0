/**
 * Events on their way to the jobs. A claim pushes the due time to the end of the lease, so a worker that died
 * gives its events back by doing nothing.
 */
import type { Kysely } from 'kysely'
import { z } from 'zod'

import { OUTBOX_REASON_LENGTH_MAX } from '../../../limits.ts'
import type { HubEvent, JobQueue, OutboxRow, OutboxRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import { insertSlices } from './prepared.ts'

const storedEvent: z.ZodType<HubEvent> = z.union([
  z.object({
    type: z.enum(['repo.created', 'repo.moved', 'repo.updated', 'repo.deleted', 'repo.restored']),
    repoId: z.string(),
  }),
  z.object({
    type: z.literal('refs.updated'),
    repoId: z.string(),
    refs: z.array(z.object({ name: z.string(), old: z.string().nullable(), new: z.string().nullable() })),
  }),
  z.object({
    type: z.literal('xet.file-registered'),
    repoId: z.string(),
    domainId: z.string(),
    hash: z.string(),
  }),
])

/** Null for what is not an event that this hub knows. */
function parseEvent(text: string): HubEvent | null {
  try {
    return storedEvent.parse(JSON.parse(text))
  } catch {
    // Whatever is wrong with it, the event is set aside and counted, and the ones behind it go on.
    return null
  }
}

function queueOf({ type }: HubEvent): JobQueue {
  return type === 'xet.file-registered' ? 'proofs' : 'changes'
}

/** Writes events, due at once, in their order. */
export async function insertEvents(
  db: Kysely<Schema>,
  events: readonly HubEvent[],
  at: number,
): Promise<void> {
  const rows = events.map((event) => ({
    queue: queueOf(event),
    event: JSON.stringify(event),
    created_at: at,
    due_at: at,
    attempts: 0,
  }))
  for (const slice of insertSlices(rows)) await db.insertInto('outbox').values(slice).execute()
}

export function outboxRows(db: Kysely<Schema>): OutboxRows {
  const postpone = async (id: number, dueAt: number | null, reason: string) => {
    const set = { due_at: dueAt, last_error: reason.slice(0, OUTBOX_REASON_LENGTH_MAX) }
    await db.updateTable('outbox').set(set).where('id', '=', id).execute()
  }

  return {
    async claim(queue, now, leaseUntil, limit) {
      const due = db.selectFrom('outbox').select('id').where('queue', '=', queue).where('due_at', '<=', now)
      const claimed = await db
        .updateTable('outbox')
        .set((eb) => ({ due_at: leaseUntil, attempts: eb('attempts', '+', 1) }))
        .where('id', 'in', due.orderBy('due_at').orderBy('id').limit(limit))
        // Asked again of the locked row: of two processes that chose the same row, the second finds it claimed.
        .where('due_at', '<=', now)
        .returning(['id', 'event', 'attempts'])
        .execute()
      const rows: OutboxRow[] = []
      for (const { id, event: text, attempts } of claimed.toSorted((a, b) => a.id - b.id)) {
        const event = parseEvent(text)
        if (event === null) await postpone(id, null, 'The event cannot be read')
        else rows.push({ id, event, attempts })
      }
      return rows
    },

    async done(id) {
      await db.deleteFrom('outbox').where('id', '=', id).execute()
    },

    async giveBack(id, dueAt) {
      const back = db.updateTable('outbox').set((eb) => ({ due_at: dueAt, attempts: eb('attempts', '-', 1) }))
      await back.where('id', '=', id).execute()
    },

    fail: postpone,

    async count(queue) {
      const all = db.selectFrom('outbox').select((eb) => eb.fn.countAll<number>().as('count'))
      const query = queue === undefined ? all : all.where('queue', '=', queue)
      return Number((await query.executeTakeFirstOrThrow()).count)
    },
  }
}
