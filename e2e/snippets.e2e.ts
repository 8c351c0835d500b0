/**
 * docs/clients.md is true: each block on it runs, in the page's order and in one directory, against a real hub, and
 * prints what the page says. Only the address and the token are replaced.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { generateGguf } from '@cairn/testkit/gguf-content'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { isFull } from './generations.ts'
import { cairnBin, printOnFailure, startHub } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { clientEnv } from './python-walk.ts'
import { consoleSteps, printsAsShown, snippetsOf } from './snippets.ts'
import type { Snippet } from './snippets.ts'

const { pythonNewest, modelFolder } = inject('clients')
const { pythonTables, pythonTransformers, pythonHttpfs, jsFolder } = inject('libraries')
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const snippetMaxMs = 120_000
/** As the page writes them. */
const host = '127.0.0.1:8080'
const anyToken = 'hf_…'
const scope = 'node_modules/@huggingface'
const separator = '--- next command ---'

/** What a block asks for by `env=`, with what it runs on. */
const environments: Record<string, { isHeavy: boolean; found: string | null }> = {
  newest: { isHeavy: false, found: pythonNewest },
  tables: { isHeavy: false, found: pythonTables },
  transformers: { isHeavy: true, found: pythonTransformers },
  httpfs: { isHeavy: true, found: pythonHttpfs },
  js: { isHeavy: false, found: root },
  jsLibraries: { isHeavy: true, found: jsFolder },
}

const page = await readFile(join(root, 'docs', 'clients.md'), 'utf8')

describe('docs/clients.md', () => {
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let work: string
  let env: NodeJS.ProcessEnv

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'cairn-e2e-snippets-'))
    stack.defer(() => rm(work, { recursive: true, force: true }))
    hub = stack.use(await startHub())
    await writeFolders()
    const token = (await readFile(join(hub.dataDir, 'admin-token'), 'utf8')).trim()
    env = {
      ...clientEnv({ endpoint: hub.url, home: join(work, 'home') }),
      HOME: join(work, 'home'),
      PATH: `${join(work, 'programs')}:${process.env['PATH']}`,
      HF_TOKEN: token,
      NO_COLOR: '1',
      GIT_AUTHOR_NAME: 'Admin',
      GIT_AUTHOR_EMAIL: 'admin@example.org',
      GIT_COMMITTER_NAME: 'Admin',
      GIT_COMMITTER_EMAIL: 'admin@example.org',
    }
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => hub.log())

  /** What the page takes for granted: a model, some data, the programs, and the hub's own data directory. */
  async function writeFolders(): Promise<void> {
    for (const folder of ['home', 'programs', 'my-model', 'my-data', scope])
      await mkdir(join(work, folder), { recursive: true })
    await writeFile(join(work, 'my-model', 'config.json'), '{"model_type":"bert"}\n')
    await writeFile(join(work, 'my-model', 'model.safetensors'), oneTensor())
    const gguf = generateGguf({ architecture: 'llama', seed: 1, weightCount: 8 })
    await writeFile(join(work, 'my-model', 'tiny.gguf'), gguf)
    await writeFile(join(work, 'my-data', 'train.csv'), 'id,text\n1,one\n2,two\n3,three\n')
    await symlink(hub.dataDir, join(work, 'cairn-data'))
    await symlink(modelFolder ?? '', join(work, 'all-MiniLM-L6-v2'))
    // The script that was installed names a folder that has been renamed since.
    await writeProgram('hf', `exec '${pythonNewest}' '${join(dirname(pythonNewest ?? ''), 'hf')}' "$@"`)
    const hfjs = join(root, scope, 'hub/dist/cli.js')
    await writeProgram(
      'npx',
      `case $1 in cairn) bin='${cairnBin}';; hfjs) bin='${hfjs}';; esac\nshift\nexec '${process.execPath}' "$bin" "$@"`,
    )
    const fromLibraries =
      jsFolder === null ? [] : ['gguf', 'transformers'].map((name) => join(jsFolder, scope, name))
    const packages = [join(root, scope, 'hub'), ...fromLibraries]
    for (const path of packages) await symlink(path, join(work, scope, path.split('/').at(-1)!))
  }

  async function writeProgram(name: string, body: string): Promise<void> {
    await writeFile(join(work, 'programs', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  }

  const hubHost = (): string => new URL(hub.url).host

  const runAs = async (program: string, args: string[]): Promise<string> => {
    const options = { cwd: work, env, timeout: snippetMaxMs }
    return (await promisify(execFile)(program, args, options)).stdout
  }

  async function check(snippet: Snippet, found: string): Promise<void> {
    const code = snippet.code.replaceAll(host, hubHost()).replaceAll(anyToken, env['HF_TOKEN']!)
    if (snippet.language === 'console') {
      await checkConsole(code)
      return
    }
    const printed = await run(snippet, code, found)
    if (snippet.output !== null) expectShown(snippet.output, printed)
  }

  async function run({ language, line }: Snippet, code: string, found: string): Promise<string> {
    if (language === 'sh') return runAs('bash', ['-euo', 'pipefail', '-c', code])
    const file = join(work, `line-${line}.${language === 'js' ? 'mjs' : 'py'}`)
    await writeFile(file, code)
    return runAs(language === 'js' ? process.execPath : found, [file])
  }

  /** A terminal shows both streams, and goes on after a command that failed. */
  async function checkConsole(code: string): Promise<void> {
    const steps = consoleSteps(code)
    const script = steps.map(({ command }) => `echo '${separator}'\n${command}\n`).join('')
    const printed = await runAs('bash', ['-c', `exec 2>&1\n${script}true`])
    const outputs = printed.split(`${separator}\n`).slice(1)
    for (const [index, { output }] of steps.entries()) expectShown(output, outputs[index] ?? '')
  }

  function expectShown(shown: string, printed: string): void {
    const plain = printed.replaceAll(hubHost(), host).replaceAll(env['HF_TOKEN']!, anyToken)
    if (!printsAsShown(shown.replaceAll(hubHost(), host), plain)) expect(plain).toBe(shown)
  }

  for (const snippet of snippetsOf(page)) {
    const { language, line, section, needs } = snippet
    const name = `${line}: ${language} under «${section}»`
    const environment = environments[needs['env'] ?? (language === 'js' ? 'js' : 'newest')]
    if (environment === undefined) throw new Error(`${name}: no environment '${needs['env']}'`)
    if (environment.isHeavy && !isFull) continue
    if (needs['skip'] !== undefined) {
      console.log(`SKIP docs/clients.md:${name}: ${needs['skip']}`)
      continue
    }
    const { found } = environment
    test.skipIf(found === null || pythonNewest === null || modelFolder === null)(name, () =>
      check(snippet, found!),
    )
  }
})

/** A safetensors file with a vector of two zeros. */
function oneTensor(): Uint8Array {
  const header = JSON.stringify({ zeros: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } })
  const sizeBytes = Buffer.alloc(8)
  sizeBytes.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([sizeBytes, Buffer.from(header), Buffer.alloc(8)])
}

describe('the blocks of a page', () => {
  test('are programs with what they need and print', () => {
    const found = snippetsOf(
      '## A\n```python env=tables\nprint(1)\n```\n\n```text\n1\n```\n## B\n```rust skip="too slow"\nls\n```\n',
    )
    expect(found).toEqual([
      {
        line: 2,
        section: 'A',
        language: 'python',
        needs: { env: 'tables' },
        code: 'print(1)\n',
        output: '1\n',
      },
      { line: 10, section: 'B', language: 'rust', needs: { skip: 'too slow' }, code: 'ls\n', output: null },
    ])
  })

  test.each(['```rust\nmain()\n```', '```sh\nls\n```\nprints\n```text\na\n```', '```sh\nls', '```\nls\n```'])(
    'are refused when they would go untried: %j',
    (text) => {
      expect(() => snippetsOf(text)).toThrow(/^line \d/)
    },
  )

  test('of a terminal are commands and outputs', () => {
    expect(consoleSteps("$ printf '%s' a |\n  cat\na\n$ true\n")).toEqual([
      { command: "printf '%s' a |\n  cat", output: 'a\n' },
      { command: 'true', output: '' },
    ])
  })

  test('print what is shown, but for ids, times and what is left out', () => {
    const commit = '0123456789012345678901234567890123456789'
    expect(printsAsShown(`at ${commit}`, `at ${commit.replace('0', 'f')}\n`)).toBe(true)
    expect(printsAsShown('a … c\n…\nend', 'a b c\n1\n2\nend')).toBe(true)
    expect(printsAsShown('a.c', 'abc')).toBe(false)
    expect(printsAsShown('one\n', 'one\ntwo\n')).toBe(false)
  })
})
