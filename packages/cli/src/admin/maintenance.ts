/** Commands of `cairn admin` that go through a whole hub, step by step: what each asks for and says in the end. */
import type { Command } from 'commander'

import type { CliIo } from '../io.ts'
import { repoArgs, targetOf, type Options } from './options.ts'
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
    'check repositories: refs, objects, and the contents that they name',
    `
Exits with 1 when a problem is left. Goes on beside requests.

Examples:
  $ cairn admin fsck
  $ cairn admin fsck acme/tiny --full
  $ cairn admin fsck --repair --json --data /srv/cairn`,
    ({ full, repair, ...options }, [id]) => ({
      verb: 'fsck',
      args: {
        repo: id === undefined ? null : repoArgs(id, options),
        full: full === true,
        repair: repair === true,
      },
      advice: 'a backup may have what is missing',
      summary: ({ repositories = 0 }) => `${repositories} repositories checked`,
    }),
  )
    .option('--type <type>', 'of the named one: model, dataset or space', 'model')
    .option('--registry <org/slug>', 'of the named one: in another registry than the default one')
    .option('--full', 'read every content and compare its sha256')
    .option('--repair', "bring git's refs to what the catalog says")
}
