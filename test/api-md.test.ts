/** API.md says what the route tables say. */
import { readFile } from 'node:fs/promises'

import { expect, test } from 'vitest'

import { apiMdPath, readRouteTables, renderApiMd } from '../scripts/api-md.ts'

test('API.md is what the route tables make of it', async () => {
  const written = await readFile(apiMdPath, 'utf8').catch(() => '')
  expect(written === (await renderApiMd()), 'API.md is stale: run `npm run api-md` and commit it').toBe(true)
})

test('every table under routes/ is mounted, and nothing else is', async () => {
  const { mounted, tables } = await readRouteTables()
  const names = (rows: typeof mounted) => rows.map(({ method, path }) => `${method} ${path}`).toSorted()
  expect(names(mounted)).toEqual(names(tables.flatMap(({ table }) => table)))
  expect(new Set(names(mounted)).size, 'a route is there twice').toBe(mounted.length)
})

test('a route of the Hub that is there is not listed as absent too', async () => {
  const { mounted } = await readRouteTables()
  const done = new Set(mounted.filter(({ absent }) => !absent).map(({ hub }) => hub))
  expect(mounted.filter(({ absent, hub }) => absent && done.has(hub)).map(({ hub }) => hub)).toEqual([])
})
