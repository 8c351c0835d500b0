/**
 * The direction of the arrows (ARCHITECTURE.md), from the import lines themselves. The linter holds most of them while
 * one writes; this test also sees packages, dynamic imports and what only one folder may import.
 */
import { glob, readFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

import { beforeAll, describe, expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const FILE_LINES_MAX = 400
/** Lists of names without any code. */
const LISTS = /\/limits\.ts$/

interface Import {
  /** From the root of the checkout. */
  from: string
  /** A path from the root for files of ours, else the bare specifier. */
  to: string
  isDynamic: boolean
  isType: boolean
}

interface Source {
  path: string
  lineCount: number
  text: string
  imports: Import[]
}

/** Product code: no tests, and nothing beside them that only tests import. */
let sources: Source[]

beforeAll(async () => {
  const paths = await Array.fromAsync(glob('packages/*/src/**/*.ts', { cwd: root }))
  sources = await Promise.all(
    paths
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => !/\.(?:test|contract|fixture)\.ts$|\/contract\//.test(path))
      .toSorted()
      .map(async (path) => {
        const text = await readFile(join(root, path), 'utf8')
        return { path, text, lineCount: text.split('\n').length - 1, imports: importsOf(path, text) }
      }),
  )
})

const STATIC_IMPORT =
  /^(?:import(?<type> type)?(?: [^'"]*? from)?|export(?<typeAgain> type)? (?:\*[^'"{]*|\{[^}]*\}) from) '(?<specifier>[^'\n]+)'/gm
const DYNAMIC_IMPORT = /\bimport\('(?<specifier>[^'\n]+)'\)/g

function importsOf(path: string, text: string): Import[] {
  const found = (pattern: RegExp, isDynamic: boolean) =>
    [...text.matchAll(pattern)].map(({ groups = {} }) => ({
      from: path,
      to: resolveSpecifier(path, groups['specifier'] ?? ''),
      isDynamic,
      isType: (groups['type'] ?? groups['typeAgain']) !== undefined,
    }))
  return [...found(STATIC_IMPORT, false), ...found(DYNAMIC_IMPORT, true)]
}

function resolveSpecifier(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier)
  const ours = /^@cairn\/([^/]+)\/(.+)$/.exec(specifier)
  return ours === null ? specifier : `packages/${ours[1]}/src/${ours[2]}.ts`
}

const packageOf = (path: string): string => path.split('/')[1] ?? ''
const isOurs = (path: string): boolean => path.startsWith('packages/')
/** `http`, `ops` …, or the file itself for those directly in src. */
const partOf = (path: string): string => path.split('/')[3] ?? ''

function describeImports(imports: readonly Import[]): string[] {
  return imports.map(({ from, to }) => `${from} imports ${to}`)
}

function importsWhere(wrong: (one: Import) => boolean): string[] {
  return describeImports(sources.flatMap(({ imports }) => imports).filter(wrong))
}

test('the test sees the code', () => {
  expect(sources.length).toBeGreaterThan(100)
  expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(500)
  // Every name in the tables below is that of something that is there.
  const parts = new Set(
    sources.filter(({ path }) => packageOf(path) === 'server').map(({ path }) => partOf(path)),
  )
  for (const part of Object.keys(SERVER_PARTS)) expect(parts).toContain(part)
})

describe('packages', () => {
  const MAY_IMPORT: Record<string, readonly string[]> = {
    protocol: [],
    server: ['protocol'],
    cli: ['server'],
    testkit: ['protocol', 'server'],
  }

  test('import only those that stand before them', () => {
    const allowed = ({ from, to }: Import) =>
      packageOf(from) === packageOf(to) || MAY_IMPORT[packageOf(from)]?.includes(packageOf(to)) === true
    expect(importsWhere((one) => isOurs(one.to) && !allowed(one))).toEqual([])
  })

  test('protocol knows no Node', () => {
    expect(importsWhere(({ from, to }) => packageOf(from) === 'protocol' && to.startsWith('node:'))).toEqual(
      [],
    )
  })

  test('the command line loads the server when a command needs it, not before', () => {
    const eager = ({ from, to, isDynamic }: Import) =>
      packageOf(from) === 'cli' && packageOf(to) === 'server' && isOurs(to) && !isDynamic
    expect(importsWhere(eager)).toEqual([])
  })
})

/** What a folder of the server may import beside itself and protocol. hub.ts, main.ts and their like may all. */
const SERVER_PARTS: Record<string, readonly string[]> = {
  http: ['ops', 'free.ts', 'limits.ts'],
  ops: ['git', 'store', 'workers', 'free.ts', 'limits.ts'],
  jobs: ['ops', 'store', 'limits.ts'],
  git: ['limits.ts'],
  store: ['buffer-pool.ts', 'limits.ts'],
  workers: ['buffer-pool.ts', 'limits.ts', 'primitives.ts'],
}

describe('inside the server', () => {
  test('folders import only those below them', () => {
    const wrong = ({ from, to }: Import) => {
      if (packageOf(from) !== 'server' || packageOf(to) !== 'server' || !isOurs(to)) return false
      const allowed = SERVER_PARTS[partOf(from)]
      return allowed !== undefined && partOf(to) !== partOf(from) && !allowed.includes(partOf(to))
    }
    expect(importsWhere(wrong)).toEqual([])
  })

  test.each([
    ['fastify', /^fastify$/, /^packages\/server\/src\/http\//],
    ['kysely', /^kysely$/, /^packages\/server\/src\/store\//],
    ['node:child_process', /^node:child_process$/, /^packages\/(?:server\/src\/git|testkit\/src)\//],
    ['node:worker_threads', /^node:worker_threads$/, /^packages\/server\/src\/workers\//],
  ])('only one folder imports %s', (_, module, folder) => {
    expect(importsWhere(({ to }) => module.test(to))).not.toEqual([])
    expect(importsWhere(({ from, to }) => module.test(to) && !folder.test(from))).toEqual([])
  })

  test('only hub.ts knows which backends were chosen, and backups what they copy', () => {
    const backends =
      /\/server\/src\/(?:store\/blobs\/disk|store\/catalog\/(?:sqlite|postgres)|git\/store|workers\/xorb-pool)\.ts$/
    const chosen = sources
      .flatMap(({ imports }) => imports)
      .filter(({ from, to, isType }) => backends.test(to) && !isType && partOf(from) !== partOf(to))
    const choosers = new Set(chosen.map(({ from }) => from))
    expect([...choosers].filter((path) => partOf(path) !== 'backup')).toEqual(['packages/server/src/hub.ts'])
  })

  test('the environment is handed to config.ts; only the finder of git looks at PATH', () => {
    const readers = sources.filter(
      ({ path, text }) => packageOf(path) === 'server' && /\bprocess\.env\b/.test(withoutComments(text)),
    )
    expect(readers.map(({ path }) => path)).toEqual(['packages/server/src/git/helper.ts'])
  })
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

describe('files', () => {
  test(`have at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources.filter(({ path, lineCount }) => lineCount > FILE_LINES_MAX && !LISTS.test(path))
    expect(long.map(({ path, lineCount }) => `${path}: ${lineCount}`)).toEqual([])
  })

  test('lie in folders that say what is in them', () => {
    const drawers = sources.filter(({ path }) =>
      /(?:^|\/)(?:utils?|helpers?|common|misc|shared)(?:\/|\.ts$)/.test(path),
    )
    // git/helper.ts is the process that starts git; the drawer would be a folder of that name.
    expect(
      drawers.map(({ path }) => path).filter((path) => path !== 'packages/server/src/git/helper.ts'),
    ).toEqual([])
  })
})
