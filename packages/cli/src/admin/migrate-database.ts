/** `cairn admin migrate-database`: the catalog of a stopped hub into another database. The source stays as it is. */
import { resolve } from 'node:path'

import { CliError, UsageError, type CliIo } from '../io.ts'

/** A long table says how far it is each time that it comes to so many rows. */
const PROGRESS_ROWS = 25_000

export interface MigrateOptions {
  data?: string
  from?: string
  to?: string
}

export async function migrateDatabase(
  { data, from, to }: MigrateOptions,
  { env, cwd, stdout, stderr }: CliIo,
): Promise<void> {
  if (from === undefined && to === undefined)
    throw new UsageError("the data directory's own file is one end: name the other with --to or --from")
  const { randomBytes } = await import('node:crypto')
  const { readConfig } = await import('@cairn/server/config')
  const { openDataDir } = await import('@cairn/server/data-dir')
  const { copyCatalog } = await import('@cairn/server/store/catalog/copy')
  const { CopyError } = await import('@cairn/server/store/catalog/copy-ends')

  const { dataDir: path } = readConfig({ flags: { data }, env, cwd })
  const ownFile = `${path}/catalog.db`
  const source = await readEnd(from, '--from', ownFile, cwd)
  const target = await readEnd(to, '--to', ownFile, cwd)
  // No hub starts on the directory while this goes on.
  await using dataDir = await openDataDir(path, { random: randomBytes, mustExist: true })
  try {
    const counts = await copyCatalog({
      from: source.location,
      to: target.location,
      onProgress({ table, step, rows, done }) {
        if (done) stderr.write(`${step} ${table}: ${rows} rows\n`)
        else if (rows % PROGRESS_ROWS === 0) stderr.write(`${step} ${table}: ${rows} rows so far\n`)
      },
    })
    const rows = [...counts.values()].reduce((sum, count) => sum + count, 0)
    stdout.write(
      `Copied ${rows} rows of ${counts.size} tables from ${source.name} to ${target.name}; ` +
        `every table was read back and is the same.\n` +
        `Start the hub of ${dataDir.path} ${target.startWith} from now on; ${source.name} is unchanged and out of date then.\n`,
    )
  } catch (error) {
    if (error instanceof CopyError) throw new CliError(error.message, { cause: error })
    throw error
  }
}

interface End {
  location: { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string }
  /** Without a password. */
  name: string
  startWith: string
}

async function readEnd(given: string | undefined, flag: string, ownFile: string, cwd: string): Promise<End> {
  const { isPostgresUrl, parsePostgresUrl } = await import('@cairn/server/store/catalog/postgres-url')
  if (given !== undefined && isPostgresUrl(given)) {
    try {
      const { place } = parsePostgresUrl(given)
      return { location: { kind: 'postgres', url: given }, name: place, startWith: 'with --database' }
    } catch (error) {
      throw new UsageError(`${flag}: ${(error as Error).message}`)
    }
  }
  if (given === '' || given?.includes('://'))
    throw new UsageError(`${flag}: give postgres://… or the path of a SQLite file`)
  const path = resolve(cwd, given ?? ownFile)
  const startWith = path === resolve(ownFile) ? 'without --database' : `with that file as ${ownFile}`
  return { location: { kind: 'sqlite', path }, name: path, startWith }
}
