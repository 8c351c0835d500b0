/** `cairn admin …`: each command becomes one request to the hub, and its answer one print. */
import { InvalidArgumentError, type Command } from 'commander'

import { CliError, UsageError, type CliIo } from '../io.ts'
import { addMaintenance } from './maintenance.ts'
import type { MigrateOptions } from './migrate-database.ts'
import { repoArgs, repoName, targetOf, type Options } from './options.ts'
import type { AdminAnswer } from './print.ts'

/** The largest secret that is read from a file or from stdin. */
const TOKEN_FILE_MAX_BYTES = 16 * 1024

const QUOTA = 'show or set what may be stored: a size like 500GB, none, or default for what the hub has'

interface AdminRequest {
  resource: string
  verb: 'create' | 'list' | 'delete' | 'restore' | 'repack' | 'quota'
  args: Record<string, unknown>
}

export function addAdminCommands(program: Command, io: CliIo): void {
  const admin = program
    .command('admin')
    .description('accounts, tokens, repositories and registries of a hub, and what it stores')
    .addHelpText(
      'after',
      `
Works on the data directory of a hub, running or stopped (--data), or with an
administrator's write token in HF_TOKEN on a hub elsewhere (--endpoint).

Examples:
  $ cairn admin user create alice --fullname 'Alice A.'
  $ cairn admin token create alice --name laptop
  $ cairn admin org create acme
  $ cairn admin member set acme alice write
  $ cairn admin registry create acme/staging --data /srv/cairn
  $ cairn admin backup /mnt/backup/hub
  $ HF_TOKEN=hf_… cairn admin user list --endpoint https://hub.example.org --json`,
    )

  /** A leaf: where it is sent, and how it is sent and printed. */
  function leaf(parent: Command, usage: string, description: string, toRequest: ToRequest): Command {
    return parent
      .command(usage)
      .description(description)
      .option('--data <dir>', 'data directory of the hub (CAIRN_DATA; ./cairn-data)')
      .option('--endpoint <url>', 'a hub elsewhere, with the token in HF_TOKEN')
      .option('--json', 'print the answer as JSON')
      .action(async (...given: unknown[]) => {
        const words = given.slice(0, -2) as string[]
        const options = given.at(-2) as Options
        const request = await toRequest(words, options)
        const { openAdmin } = await import('./send.ts')
        await using hub = await openAdmin(targetOf(options), io)
        const answer = (await hub.send(request)) as AdminAnswer
        const { printAnswer } = await import('./print.ts')
        printAnswer(request, answer, options['json'] === true, io)
      })
  }
  type ToRequest = (words: string[], options: Options) => AdminRequest | Promise<AdminRequest>
  const group = (name: string, description: string): Command => admin.command(name).description(description)

  const user = group('user', 'people who have tokens and repositories')
  leaf(user, 'create <name>', 'make a user', ([name], o) =>
    request('user', 'create', {
      name,
      id: o['id'],
      fullname: o['fullname'],
      email: o['email'],
      isAdmin: o['admin'],
    }),
  )
    .option('--id <id>', 'a chosen id')
    .option('--fullname <text>')
    .option('--email <address>')
    .option('--admin', 'may administer this hub')
  leaf(user, 'list', 'list users', () => request('user', 'list', {}))
  leaf(user, 'quota <name> [size]', QUOTA, ([name, quota]) => request('user', 'quota', { name, quota }))
  leaf(user, 'delete <name>', 'delete a user who owns no repositories', ([name]) =>
    request('user', 'delete', { name }),
  )

  const org = group('org', 'organizations')
  leaf(org, 'create <name>', 'make an organization', ([name], o) =>
    request('org', 'create', { name, id: o['id'], fullname: o['fullname'] }),
  )
    .option('--id <id>', 'a chosen id')
    .option('--fullname <text>')
  leaf(org, 'list', 'list organizations', () => request('org', 'list', {}))
  leaf(org, 'quota <name> [size]', QUOTA, ([name, quota]) => request('org', 'quota', { name, quota }))
  leaf(org, 'delete <name>', 'delete an organization that owns nothing', ([name]) =>
    request('org', 'delete', { name }),
  )

  const member = group('member', 'who belongs to which organization')
  leaf(member, 'set <org> <user> <role>', 'give a role: admin, write, contributor or read', ([o, u, role]) =>
    request('member', 'create', { org: o, user: u, role }),
  )
  leaf(member, 'remove <org> <user>', 'take the membership away', ([o, u]) =>
    request('member', 'delete', { org: o, user: u }),
  )
  leaf(member, 'list <org>', 'list members', ([o]) => request('member', 'list', { org: o }))

  const token = group('token', 'access tokens of users')
  leaf(token, 'create <user>', 'make a token and print it, once', async ([u], o) =>
    request('token', 'create', {
      user: u,
      name: o['name'],
      role: o['role'],
      scopes: o['scope'],
      grants: typeof o['grants'] === 'string' ? parseGrants(o['grants']) : undefined,
      expiresInDays: o['expiresInDays'],
      token: typeof o['tokenFile'] === 'string' ? await readToken(o['tokenFile'], io) : undefined,
    }),
  )
    .requiredOption('--name <name>', 'what the user knows it by')
    .option('--role <role>', 'read, write or fineGrained', 'write')
    .option(
      '--scope <scope...>',
      'of a fineGrained one: NAMESPACE[/NAME]=PERMISSION[,PERMISSION], datasets/… and spaces/… too, * for everything',
    )
    .option('--grants <json>', 'of a fineGrained one: as whoami shows them')
    .option('--expires-in-days <days>', 'for ever when absent', parseDays)
    .option('--token-file <file>', "a chosen token's string, from a file or - for standard input")
  leaf(token, 'list <user>', 'list tokens, without their strings', ([u]) =>
    request('token', 'list', { user: u }),
  )
  leaf(token, 'delete <user> <token>', 'delete a token by name or id', ([u, t]) =>
    request('token', 'delete', { user: u, token: t }),
  )

  leaf(admin, 'audit', 'who changed what, newest first', (_, o) =>
    request('audit', 'list', {
      repo: o['repo'],
      actor: o['actor'],
      action: o['action'],
      since: o['since'],
      before: o['before'],
      limit: o['limit'],
    }),
  )
    .option('--repo <id>', 'about one repository NAMESPACE/NAME')
    .option('--actor <user>', 'by one user')
    .option('--action <action>', 'e.g. repo.create, or repo. for all that begin so')
    .option('--since <date>', 'from 2026-01-31 or 2026-01-31T12:00:00Z on')
    .option('--before <id>', 'the page that follows the row with this id')
    .option('--limit <count>', 'rows of a page (100)', Number)

  leaf(
    admin,
    'storage [account]',
    'what owners store, or the repositories of one: logical and on disk',
    ([a]) => request('storage', 'list', { account: a }),
  )

  const repo = group('repo', 'repositories')
  leaf(repo, 'create <id>', 'make a repository NAMESPACE/NAME', ([id], o) =>
    request('repo', 'create', { ...repoArgs(id, o), private: o['private'] === true }),
  )
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--registry <org/slug>', 'in another registry than the default one')
    .option('--private', 'for members only')
  leaf(repo, 'list', 'list repositories of one registry', (_, o) =>
    request('repo', 'list', { registry: o['registry'], deleted: o['deleted'] }),
  )
    .option('--registry <org/slug>', 'of another registry than the default one')
    .option('--deleted', 'those that were deleted and can be restored')
  leaf(repo, 'delete <id>', 'delete a repository; its files go when the grace has ended', ([id], o) =>
    request('repo', 'delete', { ...repoArgs(id, o), now: o['now'] }),
  )
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--registry <org/slug>', 'in another registry than the default one')
    .option('--now', 'remove its files at once: it cannot be restored')
  leaf(repo, 'restore <id>', 'bring a deleted repository back, with all its files', ([id], o) =>
    request('repo', 'restore', {
      ...repoArgs(id, o),
      as: typeof o['as'] === 'string' ? repoName(o['as']) : undefined,
    }),
  )
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--registry <org/slug>', 'in another registry than the default one')
    .option('--as <id>', 'under another NAMESPACE/NAME, when its own is taken')
  leaf(repo, 'quota <id> [size]', QUOTA, ([id, quota], o) =>
    request('repo', 'quota', { ...repoArgs(id, o), quota }),
  )
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--registry <org/slug>', 'in another registry than the default one')
  leaf(repo, 'repack <id>', 'pack what has gathered in a repository now, beside requests', ([id], o) =>
    request('repo', 'repack', { ...repoArgs(id, o), prune: o['prune'] }),
  )
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--registry <org/slug>', 'in another registry than the default one')
    .option('--prune', 'everything anew, without what nothing reaches and whose grace has ended')

  const registry = group('registry', 'registries, each served at /ORG/SLUG/huggingface')
  leaf(registry, 'create <org/slug>', 'make a registry of an organization', ([name]) =>
    request('registry', 'create', { registry: name }),
  )
  leaf(registry, 'list', 'list registries', () => request('registry', 'list', {}))
  leaf(registry, 'delete <org/slug>', 'delete a registry that holds no repositories', ([name]) =>
    request('registry', 'delete', { registry: name }),
  )

  admin
    .command('stats')
    .description('how much there is of everything, what waits and what has failed')
    .option('--data <dir>', 'data directory of the hub (CAIRN_DATA; ./cairn-data)')
    .option('--endpoint <url>', 'a hub elsewhere, with the token in HF_TOKEN')
    .option('--json', 'print the answer as JSON')
    .action(async (options: Options) => {
      const { printStats } = await import('./stats.ts')
      await printStats(targetOf(options), options['json'] === true, io)
    })
  addMaintenance(admin, io)

  admin
    .command('migrate-database')
    .description('copy the catalog of a stopped hub into an empty database: SQLite to PostgreSQL or back')
    .option('--data <dir>', 'data directory of the hub (CAIRN_DATA; ./cairn-data)')
    .option('--from <database>', 'postgres://… or a SQLite file (catalog.db of the data directory)')
    .option('--to <database>', 'postgres://… or a SQLite file (catalog.db of the data directory)')
    .addHelpText(
      'after',
      `
Each table is read back and compared before this says that it is done; the source
stays as it is. A password is taken from PGPASSWORD when the URL has none.

Examples:
  $ cairn admin migrate-database --data /srv/cairn --to postgres://cairn@db.example.org/cairn
  $ cairn admin migrate-database --data /srv/cairn --from postgres://cairn@db.example.org/cairn`,
    )
    .action(async (options: MigrateOptions) => {
      const { migrateDatabase } = await import('./migrate-database.ts')
      await migrateDatabase(options, io)
    })
}

function request(resource: string, verb: AdminRequest['verb'], args: AdminRequest['args']): AdminRequest {
  return {
    resource,
    verb,
    args: Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)),
  }
}

function parseGrants(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`--grants is not JSON: ${(error as Error).message}`)
  }
}

function parseDays(text: string): number {
  const days = Number(text)
  if (!(days > 0)) throw new InvalidArgumentError('Give a number of days.')
  return days
}

/** Not an argument: those can be seen by every user of the machine. */
async function readToken(path: string, io: CliIo): Promise<string> {
  const { createReadStream } = await import('node:fs')
  let text = ''
  try {
    for await (const chunk of path === '-' ? io.stdin : createReadStream(path)) {
      text += chunk.toString()
      if (text.length > TOKEN_FILE_MAX_BYTES) throw new CliError(`${path} is too large for a token`)
    }
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  return text.trim()
}
