/** What reading everything now and then has found, and how far it is. A key names no row: its blob may have none. */
import type { Migration } from './migrations.ts'

export const damage: Migration = ({ text, bigint, keyedTableEnd }) => [
  `create table damaged_blobs (
    key ${text} primary key,
    problem ${text} not null,
    found_at ${bigint} not null
  ) ${keyedTableEnd}`,
  `create table scrub_passes (
    id ${text} primary key,
    after_key ${text},
    started_at ${bigint} not null
  ) ${keyedTableEnd}`,
]
