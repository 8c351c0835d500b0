/** Commands of `cairn admin` that go through a whole hub, step by step: what each asks for and says in the end. */
import type { Command } from 'commander'

import type { CliIo } from '../io.ts'
import { parseHours, summarizeCollection } from './gc.ts'
import { repoArgs, summarizeCheck, targetOf, type Options } from './options.ts'
import type { Work } from './steps.ts'

export function addMaintenance(admin: Command, io: CliIo): void {
  /** A command whose options and words become one work. */
  function work(
    usage: string,
    description: string,
    help: string,
    toWork: (options: Options, words: (string | undefined)[]) => Omit<Work, 'json'>,
  ): Command {
    return admin
      .command(usage)
      .description(description)
      .option('--data <dir>', 'data directory of the hub (CAIRN_DATA; ./cairn-data)')
      .option('--endpoint <url>', 'a hub elsewhere, with the token in HF_TOKEN')
      .option('--json', 'print each step as JSON, one a line')
      .addHelpText('after', help)
      .action(async (...given: unknown[]) => {
        const words = given.slice(0, -2) as (string | undefined)[]
        const options = given.at(-2) as Options
        const asked = toWork(options, words)
        const { runSteps } = await import('./steps.ts')
        await runSteps(targetOf(options), { ...asked, json: options['json'] === true }, io)
      })
  }

  work(
    'fsck [id]',
    'check the hub, or one repository: refs, objects, contents, and that catalog and disk agree',
    `
Exits with 1 when a problem is left. Goes on beside requests. Notes are no problems: what a
crash left is named, and a sweep takes it.

Examples:
  $ cairn admin fsck
  $ cairn admin fsck --sample 5
  $ cairn admin fsck acme/tiny --full
  $ cairn admin fsck --repair --json --data /srv/cairn`,
    ({ full, sample, repair, ...options }, [id]) => ({
      verb: 'fsck',
      args: {
        repo: id === undefined ? null : repoArgs(id, options),
        full: full === true,
        samplePercent: sample,
        repair: repair === true,
      },
      advice: 'a backup may have what is missing',
      summary: summarizeCheck,
    }),
  )
    .option('--type <type>', 'of the named one: model, dataset or space', 'model')
    .option('--registry <org/slug>', 'of the named one: in another registry than the default one')
    .option('--full', 'read every content and compare its sha256')
    .option('--sample <percent>', 'read so many of a hundred contents', Number, 0)
    .option('--repair', 'mend what can be mended from what is there, as repair does')

  work(
    'verify',
    'read all that is stored and compare it with its hashes',
    `
Damage is named with the files that need it, remembered until it is mended, and its chunks are
no longer offered for deduplication. A hub does this by itself, slowly (--scrub-days).

Examples:
  $ cairn admin verify
  $ cairn admin verify --rate 20 --data /srv/cairn
  $ cairn admin verify --json --cursor 'bytes:xorbs/…'`,
    ({ rate, cursor }) => ({
      verb: 'verify',
      args: { bytesPerSecond: typeof rate === 'number' ? Math.round(rate * 2 ** 20) : undefined },
      from: cursor as string | undefined,
      advice: 'copy the named files back from a backup, or see repair --drop-damaged',
      summary: ({ files = 0, bytes = 0 }) => `${files} files with ${bytes} bytes verified`,
    }),
  )
    .option('--rate <MiB>', 'read at most so much in a second (64)', Number)
    .option('--cursor <text>', 'begin where the step with this cursor ended')

  work(
    'repair',
    'mend what can be mended: refs of git, rows of stored files, what is offered for deduplication',
    `
Nothing that people uploaded is removed, unless --drop-damaged says so: then what is missing or
damaged loses its rows and its bytes, and clients upload it again when they are asked to.

Examples:
  $ cairn admin repair
  $ cairn admin repair --drop-damaged --data /srv/cairn`,
    ({ dropDamaged }) => ({
      verb: 'fsck',
      args: { repair: true, dropDamaged: dropDamaged === true },
      advice: 'what is lost has to come from a backup, or be given up with --drop-damaged',
      summary: summarizeCheck,
    }),
  ).option('--drop-damaged', 'give up what is missing or damaged, so that it can be uploaded again')

  work(
    'rebuild-index',
    'make the tables of Xet files and of deduplication anew from stored shards and xorbs',
    `
Rows that are there stay. Reads and decodes every Xet file once.

Examples:
  $ cairn admin rebuild-index --data /srv/cairn`,
    () => ({
      verb: 'rebuild-index',
      args: {},
      advice: 'a backup may have what is missing',
      summary: ({ xorbs = 0, shards = 0, computed = 0, linked = 0 }) =>
        `${xorbs} xorbs and ${shards} shards entered, ${computed} files hashed, ${linked} given back to copies`,
    }),
  )

  work(
    'gc',
    'remove contents that no commit of any repository names, when their grace has ended',
    `
The hub does this by itself once a day (--gc-interval of 'cairn serve'). Goes on
beside requests; a second run finds what depended on what the first one removed.
What is named by no commit loses its place in its repository after two weeks,
and its bytes go when the grace has ended after that.

Examples:
  $ cairn admin gc --dry-run
  $ cairn admin gc
  $ cairn admin gc --grace 0 --json --data /srv/cairn`,
    ({ dryRun, grace }) => ({
      verb: 'gc',
      args: { dryRun: dryRun === true, graceHours: grace },
      advice: 'what is said of them above stays for the next run',
      summary: (counts) => summarizeCollection(counts, dryRun === true),
    }),
  )
    .option('--dry-run', 'say what would go, and change nothing')
    .option(
      '--grace <hours>',
      'instead of that of the hub; with 0, clients that still remember what goes fail until they forget it',
      parseHours,
    )

  work(
    'migrate-lfs [id]',
    'store LFS uploads as Xet files now, of one repository or of all',
    `
The hub does this by itself a day after an upload (serve --lfs-migration), and
removes the original a week later. Goes on beside requests, and can be repeated.

Examples:
  $ cairn admin migrate-lfs
  $ cairn admin migrate-lfs acme/tiny
  $ cairn admin migrate-lfs --remove --data /srv/cairn`,
    ({ remove, ...options }, [id]) => ({
      verb: 'migrate-lfs',
      args: { repo: id === undefined ? null : repoArgs(id, options), remove: remove === true },
      advice: 'the originals are still there; it is tried again',
      summary: ({ replaced = 0, replacedBytes = 0, removed = 0, removedBytes = 0 }) =>
        `${replaced} objects (${replacedBytes} bytes) are Xet files now, ${removed} originals (${removedBytes} bytes) removed`,
    }),
  )
    .option('--type <type>', 'of the named one: model, dataset or space', 'model')
    .option('--registry <org/slug>', 'of the named one: in another registry than the default one')
    .option('--remove', 'the originals too, without waiting for the end of their grace')

  admin
    .command('backup <folder>')
    .description('copy a hub into a folder, beside requests; into an earlier backup only what is new')
    .option('--data <dir>', 'data directory of the hub (CAIRN_DATA; ./cairn-data)')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
The folder is a backup when this has ended, or the one that it was before. It holds the
hub's secrets. Exits with 1 when contents of the hub are damaged or missing.

Examples:
  $ cairn admin backup /mnt/backup/cairn
  $ cairn admin backup /mnt/backup/cairn --data /srv/cairn --json`,
    )
    .action(async (folder: string, options: Options) => {
      const { backUp } = await import('./backup.ts')
      await backUp(folder, options, io)
    })

  admin
    .command('restore <folder>')
    .description('make a data directory from a backup, and check it')
    .option('--data <dir>', 'a new or empty data directory (CAIRN_DATA; ./cairn-data)')
    .option('--database <url>', 'postgres://… with an empty catalog, instead of SQLite (CAIRN_DATABASE)')
    .option('--full', 'read every content once more for the check')
    .option('--json', 'print what was done as JSON, then each step of the check')
    .addHelpText(
      'after',
      `
Interrupted, it goes on when it is called again with the same folders.

Examples:
  $ cairn admin restore /mnt/backup/cairn --data /srv/cairn
  $ cairn admin restore /mnt/backup/cairn --data /srv/cairn --database postgres://cairn@db.example.org/cairn`,
    )
    .action(async (folder: string, options: Options) => {
      const { restore } = await import('./backup.ts')
      await restore(folder, options, io)
    })
}
