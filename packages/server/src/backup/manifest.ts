/**
 * What a backup is: a folder that looks like a data directory, and `backup.json`, written last and in one step, which
 * names its catalog and holds the secrets. Without it, or with another sum than its own, the folder is no backup.
 *
 *     backup.json          this, 0600
 *     under-way            while one is written into the folder
 *     catalog-{id}.db      all rows, as SQLite whatever the hub uses
 *     blobs/ repos/        what the rows name; each file proves itself (ops/sound-blob.ts, git/copy-files.ts)
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { z } from 'zod'

import { hasCode, writeFileDurable } from '../store/durable.ts'

/** The folder is not a backup that can be used, or no place for one. Nothing was changed. */
export class BackupError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BackupError'
  }
}

const FORMAT = 1
const CATALOG_NAME = /^catalog-[A-Za-z0-9]{1,64}\.db$/

const Total = z.strictObject({ count: z.number(), sizeBytes: z.number() })
const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  id: z.string().regex(/^[A-Za-z0-9]{1,64}$/),
  createdAt: z.iso.datetime(),
  catalog: z.strictObject({ file: z.string().regex(CATALOG_NAME), sha256: z.string() }),
  contents: z.strictObject({ repos: z.number(), lfs: Total, xorbs: Total }),
  /** How many contents were damaged or missing where they came from. */
  damaged: z.number(),
  /** `secrets.json` and `admin-token` as they are in the data directory. */
  secrets: z.strictObject({ 'secrets.json': z.string().optional(), 'admin-token': z.string().optional() }),
})
const Stored = z.strictObject({ manifest: Manifest, sha256: z.string() })

export type BackupManifest = Omit<z.infer<typeof Manifest>, 'format'>

/** Null when there is none. Throws `BackupError`. */
export async function readManifest(folder: string): Promise<BackupManifest | null> {
  const path = join(folder, 'backup.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw new BackupError(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  try {
    const { manifest, sha256 } = Stored.parse(JSON.parse(text))
    if (sumOf(manifest) !== sha256) throw new Error('it was changed')
    return manifest
  } catch (error) {
    throw new BackupError(`${path} is not what a backup wrote: take another backup`, { cause: error })
  }
}

export async function writeManifest(folder: string, manifest: BackupManifest): Promise<void> {
  const whole: z.infer<typeof Manifest> = Manifest.parse({ format: FORMAT, ...manifest })
  const text = `${JSON.stringify({ manifest: whole, sha256: sumOf(whole) }, null, 2)}\n`
  await writeFileDurable(join(folder, 'backup.json'), Buffer.from(text), 0o600)
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function sumOf(manifest: z.infer<typeof Manifest>): string {
  const sorted = Object.fromEntries(Object.entries(manifest).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}
