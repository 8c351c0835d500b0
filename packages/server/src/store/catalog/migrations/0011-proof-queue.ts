/** Proofs of large files take hours; they wait in a queue of their own, and what follows from a change does not. */
import type { Migration } from './migrations.ts'

export const proofQueue: Migration = ({ text }) => [
  `alter table outbox add column queue ${text} not null default 'changes'`,
  `update outbox set queue = 'proofs' where event like '{"type":"xet.file-registered",%'`,
  `drop index outbox_due`,
  `create index outbox_due on outbox (queue, due_at, id) where due_at is not null`,
]
