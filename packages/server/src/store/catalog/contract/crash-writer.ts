/** A process that commits accounts without end and reports each one after its commit; a test kills it. */
import { openSqliteCatalog } from '../sqlite.ts'
import { user } from './fixtures.ts'

const catalog = await openSqliteCatalog({ path: process.argv[2]! })
for (let index = 0; ; index += 1) {
  await catalog.tx(async (rows, emit) => {
    await rows.accounts.insert(user(`u${index}`))
    emit({ type: 'repo.created', repoId: `u${index}` })
  })
  process.send!(index)
}
