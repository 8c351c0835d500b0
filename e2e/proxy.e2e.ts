/**
 * Stock clients behind a real nginx that runs the lines of docs/operations.md: at the root, below a path that it hands
 * on or takes off, and at a registry below that. nginx talks to the hub from 127.0.0.2, the only peer that is trusted.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { findNginx, freePort, startNginx, type Nginx } from '@cairn/testkit/start-nginx'
import { createRepo, deleteRepo, downloadFile, listFiles, uploadFile } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { cleanEnv } from './hub-process.ts'
import { noise } from './model-folder.ts'

const run = promisify(execFile)
const { pythonNewest, python019 } = inject('clients')
const program = await findNginx()
if (program === null && process.env['CI'] === 'true') throw new Error('nginx is not installed')
if (program === null) console.log('SKIP e2e behind nginx: it is not installed')

const ODD_NAME = 'a b/ü#1%2F?.txt'
const LARGE_BYTES = 3 * 1024 * 1024
const REGISTRY = '/acme/lab/huggingface'
const sha256Of = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
const STACK = new AsyncDisposableStack()
let work: string

/** An nginx before a hub, and the base that clients are given. */
interface Front {
  base: string
  hub: TestHub
  nginx: Nginx
}
let atRoot: Front
let kept: Front
let stripped: Front

beforeAll(async () => {
  if (program === null) return
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-proxy-'))
  const [server = '', keptLocation = '', map = '', strippedLocation = '', ...rest] = await nginxSnippets()
  expect(rest).toEqual([])
  const front = async (location: string | null, path: string, hub: (base: string) => Promise<TestHub>) => {
    const port = await freePort()
    const base = `http://127.0.0.1:${port}${path}`
    const behind = STACK.use(await hub(base))
    const http = configured(map + server, location, port, behind.url)
    const nginx = STACK.use(await startNginx({ program, http, port, log: true }))
    return { base, hub: behind, nginx }
  }
  const trusting = () =>
    startHub({ env: { CAIRN_TRUSTED_PROXIES: '127.0.0.2', CAIRN_RATE_LIMITS: 'failures=3' } })
  atRoot = await front(null, '', trusting)
  kept = await front(keptLocation, '/hub', (base) => startHub({ flags: { publicUrl: base } }))
  stripped = await front(strippedLocation, '/hub', trusting)
  await stripped.hub.hub.ops.catalog.tx(async (rows) => {
    const acme = await rows.accounts.getByName('acme')
    await rows.registries.insert({ id: 'lab', orgId: acme?.id ?? '', slug: 'lab', createdAt: 0 })
  })
})
afterAll(async () => {
  await STACK.disposeAsync()
  if (work !== undefined) await rm(work, { recursive: true, force: true })
})

/** The code blocks of the page, in their order: they are what is tested. */
async function nginxSnippets(): Promise<string[]> {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'operations.md'), 'utf8')
  return [...page.matchAll(/^```nginx\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
}

/** Only addresses are exchanged, and the place of the hub. */
function configured(server: string, location: string | null, port: number, hubUrl: string): string {
  return [
    [/server 127\.0\.0\.1:8080;/, `server ${new URL(hubUrl).host};`] as const,
    [/listen 443 ssl;/, `listen 127.0.0.1:${port}; proxy_bind 127.0.0.2;`] as const,
    ...(location === null ? [] : [[/ {2}location \/ \{[^}]*\}\n/, location] as const]),
  ].reduce((text, [pattern, value]) => {
    expect(text).toMatch(pattern)
    return text.replace(pattern, () => value)
  }, server)
}

/** Requests that went through since the last call. */
async function passed(nginx: Nginx, act: () => Promise<void>): Promise<string[]> {
  const before = (await nginx.requests()).length
  await act()
  return (await nginx.requests()).slice(before)
}

const CASES: [string, () => Front & { site?: string }][] = [
  ['at the root', () => atRoot],
  ['below a path that is handed on', () => kept],
  ['below a path that is taken off', () => stripped],
  ['at a registry below a path that is taken off', () => ({ ...stripped, site: stripped.base + REGISTRY })],
]

describe.skipIf(program === null).each(CASES)('%s', (place, where) => {
  const repo = 'acme/tiny'

  test.skipIf(pythonNewest === null)('the newest huggingface_hub makes the round trip', async () => {
    const { base, nginx, site = base } = where()
    const [xet, lfs] = [noise(`xet ${place}`, LARGE_BYTES), noise(`lfs ${place}`, LARGE_BYTES)]
    const [xetFile, lfsFile] = [join(work, `xet ${place}`), join(work, `lfs ${place}`)]
    await Promise.all([writeFile(xetFile, xet), writeFile(lfsFile, lfs)])
    const plan = { repo, renamed: 'acme/renamed', oddName: ODD_NAME, xetFile, lfsFile }
    let facts: unknown
    const through = await passed(nginx, async () => {
      // A slash at the end is what people paste.
      facts = await python(pythonNewest!, 'proxied.py', `${site}/`, plan)
    })
    const web = site === atRoot.base ? site : `${site}/models`
    expect(facts).toEqual({
      created: repo,
      commitUrl: expect.stringMatching(new RegExp(`^${web}/${repo}/commit/[0-9a-f]{40}$`)),
      xet: sha256Of(xet),
      lfs: sha256Of(lfs),
      bridged: sha256Of(xet),
      names: ['.gitattributes', ODD_NAME, 'first.bin', 'second.bin'],
      odd: sha256Of('odd\n'),
      renamed: 'acme/renamed',
      atOldName: sha256Of(xet),
      exists: false,
    })
    const below = new URL(site).pathname.replace(/\/$/, '')
    for (const pattern of [
      `^POST ${below}/cas/g1/[^/]+/v1/xorbs/default/\\w+ 200$`,
      `^POST ${below}/cas/g1/[^/]+/v2/shards 200$`,
      `^GET ${below}/cas/g1/[^/]+/fetch/\\S+ 206$`,
      `^PUT ${below}/${repo}\\.git/info/lfs/objects/\\S+ 200$`,
      `^GET ${below}/${repo}/resolve/dev%2Folder/\\S+ 200$`,
    ])
      expect(through).toContainEqual(expect.stringMatching(new RegExp(pattern)))
    expect(through.filter((line) => !line.includes(` ${below}/`) && !line.includes(` /${below}/`))).toEqual(
      [],
    )
  })

  test('@huggingface/hub makes the round trip', async () => {
    const { base, nginx, site = base } = where()
    const caller = { hubUrl: site, accessToken: TOKENS.alice, repo: 'acme/from-js' }
    const through = await passed(nginx, async () => {
      await createRepo(caller)
      for (const useXet of [true, false]) {
        const bytes = noise(`${place} ${useXet}`, LARGE_BYTES)
        const content = new Blob([bytes as Uint8Array<ArrayBuffer>])
        await uploadFile({ ...caller, useXet, file: { path: 'large.bin', content } })
        const back = await downloadFile({ ...caller, path: 'large.bin', xet: useXet })
        expect(sha256Of(Buffer.from(await (back as Blob).arrayBuffer()))).toBe(sha256Of(bytes))
      }
      const listed = await Array.fromAsync(listFiles(caller))
      expect(listed.map(({ path }) => path).toSorted()).toEqual(['.gitattributes', 'large.bin'])
      await deleteRepo(caller)
    })
    for (const part of ['/xorbs/', '/v1/shards', '/v2/reconstructions/', '/fetch/', '/info/lfs/objects/'])
      expect(through).toContainEqual(expect.stringContaining(part))
  })

  test('pages follow one another through the proxy', async () => {
    const { base, site = base } = where()
    const headers = { Authorization: `Bearer ${TOKENS.alice}` }
    // An endpoint with a slash at its end, as JavaScript takes it.
    expect((await fetch(`${site}//api/whoami-v2`, { headers })).status).toBe(200)
    await createRepo({ hubUrl: site, accessToken: TOKENS.alice, repo: 'acme/page-one' })
    await createRepo({ hubUrl: site, accessToken: TOKENS.alice, repo: 'acme/page-two' })
    const first = await fetch(`${site}/api/models?limit=1&search=page`, { headers })
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('Link') ?? '')?.[1] ?? ''
    expect(next.startsWith(`${site}/api/models?`)).toBe(true)
    const second = await fetch(next, { headers })
    expect(await second.json()).toHaveLength(1)
  })
})

describe.skipIf(program === null)('between the proxy and the hub', () => {
  test.skipIf(python019 === null)('huggingface_hub 0.19.4 works below a path', async () => {
    const script = `
import json
from huggingface_hub import HfApi, hf_hub_download
api = HfApi()
url = api.create_repo("acme/old")
api.upload_file(repo_id="acme/old", path_or_fileobj=b"old", path_in_repo="a.txt")
print(json.dumps([url.repo_id, open(hf_hub_download("acme/old", "a.txt")).read()]))
api.delete_repo("acme/old")
`
    expect(await python(python019!, script, stripped.base)).toEqual(['acme/old', 'old'])
  })

  test('git pushes more than it buffers, and clones it again', async () => {
    const site = stripped.base + REGISTRY
    await createRepo({ hubUrl: site, accessToken: TOKENS.alice, repo: 'acme/by-git' })
    const git = (...args: string[]) =>
      run('git', ['-c', `http.extraHeader=Authorization: Bearer ${TOKENS.alice}`, ...args], {
        env: cleanEnv({ HOME: work, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' }),
      })
    const [first, second] = [join(work, 'first'), join(work, 'second')]
    await git('clone', '--quiet', `${site}/acme/by-git`, first)
    await writeFile(join(first, 'large.txt'), noise('git', LARGE_BYTES))
    await git('-C', first, 'add', '.')
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
    await git('-C', first, ...author, 'commit', '--quiet', '-m', 'More than http.postBuffer')
    await git('-C', first, 'push', '--quiet')
    await git('clone', '--quiet', `${site}/acme/by-git`, second)
    expect(sha256Of(await readFile(join(second, 'large.txt')))).toBe(sha256Of(noise('git', LARGE_BYTES)))
  })

  const forged = {
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Prefix': '/evil',
    'X-Forwarded-For': '127.0.0.2',
  }
  const linkOf = async (base: string): Promise<string | null> => {
    const path = '/api/models/acme/forged/tree/main?limit=1'
    const answer = await ask('127.0.0.1', base + path, { ...forged, Authorization: `Bearer ${TOKENS.alice}` })
    return /^<(.*)\?/.exec(answer.link)?.[1] ?? null
  }

  test('forged headers change no address, through the proxy and past it', async () => {
    for (const { base, hub } of [atRoot, stripped]) {
      const caller = { hubUrl: base, accessToken: TOKENS.alice, repo: 'acme/forged' }
      await createRepo({ ...caller, files: [{ path: 'a.txt', content: new Blob(['a']) }] })
      for (const asked of [base, hub.url])
        expect(await linkOf(asked)).toBe(`${asked}/api/models/acme/forged/tree/main`)
    }
  })

  test('wrong credentials are counted by client, whatever it forges, and shut out nobody else', async () => {
    const guess = async (client: string) => {
      const wrong = {
        ...forged,
        'X-Forwarded-For': `192.0.2.${Math.random()}`,
        Authorization: 'Bearer hf_wrong',
      }
      return (await ask(client, `${atRoot.base}/api/whoami-v2`, wrong)).status
    }
    expect([await guess('127.0.0.3'), await guess('127.0.0.3'), await guess('127.0.0.3')]).toEqual([
      401, 401, 401,
    ])
    expect(await guess('127.0.0.3')).toBe(429)
    expect(await guess('127.0.0.4')).toBe(401)
    const good = { Authorization: `Bearer ${TOKENS.bob}` }
    expect((await ask('127.0.0.4', `${atRoot.base}/api/whoami-v2`, good)).status).toBe(200)
  })

  test('a body goes on to the hub while it arrives', { timeout: 10_000 }, async () => {
    const headers = { Authorization: 'Bearer hf_wrong', 'Content-Length': '50000000' }
    // The answer comes before the body does: nginx would wait for all of it otherwise.
    const path = '/api/models/acme/tiny/commit/main'
    expect((await ask('127.0.0.5', atRoot.base + path, headers, 'POST')).status).toBe(401)
  })
})

/** From an address of this machine; of a body only the head is sent. */
function ask(
  localAddress: string,
  url: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; link: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { localAddress, headers, method, agent: false })
    asked.once('error', reject)
    asked.once('response', (answer) => {
      resolve({ status: answer.statusCode ?? 0, link: String(answer.headers.link) })
      asked.destroy()
    })
    if (method === 'GET') asked.end()
    else asked.flushHeaders()
  })
}

/** A program of `e2e/python/`, or a script. */
async function python(bin: string, code: string, endpoint: string, plan: object = {}): Promise<unknown> {
  const env = cleanEnv({
    HF_ENDPOINT: endpoint,
    HF_TOKEN: TOKENS.alice,
    HF_HOME: await mkdtemp(join(work, 'home-')),
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    HF_HUB_DISABLE_UPDATE_CHECK: '1',
  })
  const source = code.endsWith('.py') ? [join(import.meta.dirname, 'python', code)] : ['-c', code]
  const { stdout } = await run(bin, [...source, JSON.stringify(plan)], { env })
  return JSON.parse(stdout)
}
