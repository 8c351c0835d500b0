/** A catalog in a directory of its own, with a clock that ticks a second a look and randomness that repeats itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { AccountDeps } from '../src/ops/change.ts'
import { openSqliteCatalog } from '../src/store/catalog/sqlite.ts'

export async function openAccountDeps(): Promise<AccountDeps & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-accounts-'))
  const catalog = await openSqliteCatalog({ path: join(dir, 'catalog.db') })
  let now = Date.UTC(2026, 0, 1)
  let state = 1
  return {
    catalog,
    clock: () => (now += 1000),
    // A linear congruential generator; its high bits are good enough to look random.
    random: (sizeBytes) =>
      Uint8Array.from(
        { length: sizeBytes },
        () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24,
      ),
    async [Symbol.asyncDispose]() {
      await catalog[Symbol.asyncDispose]()
      await rm(dir, { recursive: true })
    },
  }
}

/** Everything that account operations can change, to see that a refusal changed nothing. */
export async function accountState({ catalog }: AccountDeps): Promise<unknown> {
  const { accounts, tokens, registries, audit } = catalog.rows
  const users = await accounts.list('user')
  const orgs = await accounts.list('org')
  return {
    users,
    orgs,
    tokens: await Promise.all(users.map((user) => tokens.list(user.id))),
    members: await Promise.all(orgs.map((org) => accounts.membersOf(org.id))),
    registries: await registries.list(),
    audit: await audit.list({ limit: 1000 }),
  }
}
