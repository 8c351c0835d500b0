/** The words of `cairn`, and what becomes of failures. Verbs are imported when they are called: help stays fast. */
import { createRequire } from 'node:module'

import { Command, CommanderError } from 'commander'

import { addAdminCommands } from './admin/commands.ts'
import { CliError, UsageError, type CliIo } from './io.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/** Runs one command line and returns the exit code. Never rejects. */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const program = buildProgram(io)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has said what was wrong by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
    for (const line of (await explain(error)).split('\n')) io.stderr.write(`cairn: ${line}\n`)
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE
  }
}

function buildProgram(io: CliIo): Command {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
  const program = new Command('cairn')
    .description('The model hub you run yourself: every tool that honours HF_ENDPOINT works against it.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cairn serve --data ./cairn-data\n  $ cairn admin user create alice\n  $ cairn admin token create alice --name laptop',
    )

  program
    .command('serve')
    .description('start a hub, and stop it again with Ctrl-C or SIGTERM')
    .option('--data <dir>', 'data directory, made when missing (CAIRN_DATA; ./cairn-data)')
    .option(
      '--database <url>',
      'postgres://… instead of SQLite; with a password better in CAIRN_DATABASE, which no other user sees',
    )
    .option('--host <address>', 'address to listen on (CAIRN_HOST; 127.0.0.1)')
    .option('--port <number>', 'port to listen on, 0 picks a free one (CAIRN_PORT; 8080)')
    .option(
      '--public-url <url>',
      'base of all addresses that the hub hands out (CAIRN_PUBLIC_URL; from each request)',
    )
    .option(
      '--bootstrap <file>',
      'JSON of users, organizations and tokens that shall exist (CAIRN_BOOTSTRAP)',
    )
    .option(
      '--delete-grace <hours>',
      'how long deleted repositories can be restored (CAIRN_DELETE_GRACE_HOURS; 72)',
    )
    .option(
      '--gc-grace <hours>',
      'how long contents that nothing needs any more are kept (CAIRN_GC_GRACE_HOURS; 672)',
    )
    .option(
      '--gc-interval <hours>',
      'how often such contents are looked for; 0: only by hand (CAIRN_GC_INTERVAL_HOURS; 24)',
    )
    .option(
      '--account-quota <size>',
      'what a user or an organization may store, e.g. 500GB (CAIRN_ACCOUNT_QUOTA; none)',
    )
    .option('--repo-quota <size>', 'what a repository may store (CAIRN_REPO_QUOTA; none)')
    .option(
      '--lfs-migration <choice>',
      'off, on, or hours like delay=24,grace=168: when LFS uploads become Xet files (CAIRN_LFS_MIGRATION; on)',
    )
    .option(
      '--scrub-days <days>',
      'in how many days all that is stored is read once, 0 for never (CAIRN_SCRUB_DAYS; 30)',
    )
    .option(
      '--rate-limits <choice>',
      'off, auth (wrong credentials only), on, or numbers like api=1000,window=300 (CAIRN_RATE_LIMITS; auth)',
    )
    .option('--log-level <level>', 'fatal, error, warn, info, debug or silent (CAIRN_LOG_LEVEL; warn)')
    .option('--log-format <format>', 'json or pretty (CAIRN_LOG_FORMAT; pretty on a terminal)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ cairn serve\n  $ cairn serve --data /srv/cairn --host 0.0.0.0 --public-url https://hub.example.org\n  $ cairn serve --port 0 --bootstrap users.json',
    )
    .action(async (flags: Record<string, string>) => (await import('./serve.ts')).serve(flags, io))

  addAdminCommands(program, io)

  program
    .command('completion')
    .description('print a completion script')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  $ source <(cairn completion bash)\n  $ cairn completion fish > ~/.config/fish/completions/cairn.fish',
    )
    .action(async (shell: string) => {
      const { completionScript } = await import('./completion.ts')
      io.stdout.write(completionScript(program, shell))
    })
  return program
}

async function explain(error: unknown): Promise<string> {
  if (error instanceof CliError) return error.message
  const { explainFailure } = await import('@cairn/server/failure')
  return (
    explainFailure(error) ??
    `internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  )
}
