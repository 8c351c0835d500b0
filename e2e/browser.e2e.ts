/**
 * A real Chromium: a page of another origin reads what it may, and what people upload never runs on the hub's origin,
 * under whatever name and at whichever of its addresses.
 */
import { access } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { commit, createRepo, uploadFile } from '@huggingface/hub'
import type * as HubClient from '@huggingface/hub'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { startPageServer, type PageServer } from './browser-page.ts'

const PROGRAM = '/usr/bin/chromium'
const isInstalled = await access(PROGRAM).then(
  () => true,
  () => false,
)
if (!isInstalled && process.env['CI'] === 'true') throw new Error('Chromium is not installed')
if (!isInstalled) console.log('SKIP e2e in a browser: Chromium is not installed')

const ARGS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-features=LocalNetworkAccessChecks'
const REPO = 'alice/pages'
/** Long enough for a script that runs to call home, as the control shows. */
const SETTLE_MS = 400

const stack = new AsyncDisposableStack()
let hub: TestHub
let server: PageServer
let browser: Browser
const caller = () => ({ hubUrl: hub.url, accessToken: TOKENS.alice, repo: REPO })

beforeAll(async () => {
  if (!isInstalled) return
  hub = stack.use(await startHub())
  server = stack.use(await startPageServer())
  browser = await chromium.launch({ executablePath: PROGRAM, args: ARGS.split(' ') })
  stack.defer(() => browser.close())
  await createRepo(caller())
})
afterAll(() => stack.disposeAsync())

async function inPage<T>(url: string, act: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.newPage()
  try {
    await page.goto(url)
    return await act(page)
  } finally {
    await page.close()
  }
}

describe.skipIf(!isInstalled)('a page of another origin', () => {
  interface Seen {
    status: number
    text: string
    headers: Record<string, string>
  }
  const fetchIn = (
    page: Page,
    path: string,
    init: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Seen | string> =>
    page.evaluate(
      async ([url, given]) => {
        try {
          const answer = await fetch(url, given)
          const headers = Object.fromEntries(answer.headers)
          return { status: answer.status, text: await answer.text(), headers }
        } catch (error) {
          return String(error)
        }
      },
      [hub.url + path, init] as const,
    )

  test('reads a range of a private file and what the headers say of it', async () => {
    const repo = 'alice/private'
    await createRepo({ ...caller(), repo, visibility: 'private' })
    const file = { path: 'data.bin', content: new Blob(['0123456789'.repeat(10)]) }
    await uploadFile({ ...caller(), repo, file, useXet: false })
    const headers = { Authorization: `Bearer ${TOKENS.alice}`, Range: 'bytes=2-5', 'X-Anything': 'at all' }
    await inPage(server.url, async (page) => {
      for (const form of ['resolve', 'raw']) {
        const seen = await fetchIn(page, `/${repo}/${form}/main/data.bin`, { headers })
        expect(seen).toMatchObject({
          status: 206,
          headers: {
            etag: expect.stringMatching(/^"[0-9a-f]+"$/),
            'accept-ranges': 'bytes',
            'content-range': expect.stringMatching(/^bytes 2-5\/\d+$/),
            'x-repo-commit': expect.stringMatching(/^[0-9a-f]{40}$/),
            'x-request-id': expect.stringMatching(/./),
          },
        })
        if (form === 'resolve')
          expect(seen).toMatchObject({
            text: '2345',
            headers: { 'x-linked-size': '100', 'x-linked-etag': expect.stringMatching(/^"[0-9a-f]{64}"$/) },
          })
      }
    })
  })

  test('reads errors, and is stopped before methods that the hub does not have', async () => {
    const refusal = (status: number, code: string | undefined) =>
      expect.objectContaining({
        status,
        headers: expect.objectContaining({
          'x-error-message': expect.stringMatching(/./),
          ...(code === undefined ? {} : { 'x-error-code': code }),
        }),
      })
    await inPage(server.url, async (page) => {
      const asked = [
        await fetchIn(page, `/${REPO}/resolve/main/missing`),
        await fetchIn(page, '/api/models/alice/missing'),
        await fetchIn(page, '/api/whoami-v2', { headers: { Authorization: 'Bearer hf_wrong' } }),
        await fetchIn(page, `/${REPO}/resolve/main/.gitattributes`, { headers: { Range: 'bytes=99999-' } }),
        await fetchIn(page, '/api/scheduled-jobs/alice', { method: 'DELETE' }),
        await fetchIn(page, '/nothing/at/all', { method: 'PATCH', headers: { 'X-Xet-Session-Id': 'x' } }),
      ]
      expect(asked).toEqual([
        refusal(404, 'EntryNotFound'),
        refusal(401, 'RepoNotFound'),
        refusal(401, undefined),
        refusal(416, 'RangeNotSatisfiable'),
        refusal(501, 'NotImplemented'),
        refusal(404, 'NotFound'),
      ])
      expect(await fetchIn(page, '/api/models', { method: 'PROPFIND' })).toContain('TypeError')
    })
  })

  test('uploads and downloads with @huggingface/hub, over Xet and over LFS', async () => {
    const sums = await inPage(`${server.url}/client`, (page) =>
      page.evaluate(
        async ({ hubUrl, accessToken }) => {
          const { hubClient: client } = globalThis as unknown as {
            hubClient: typeof HubClient
          }
          const at = { hubUrl, accessToken, repo: 'alice/from-browser' }
          const digest = async (blob: Blob) =>
            new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())).toHex()
          await client.createRepo(at)
          const found: [string, string, string][] = []
          for (const useXet of [true, false]) {
            const bytes = new Uint8Array(1_500_000).map(
              (_, index) => (index * index * (useXet ? 7 : 11)) >> 5,
            )
            const content = new Blob([bytes])
            const path = `${useXet ? 'xet' : 'lfs'}.bin`
            await client.uploadFile({ ...at, useXet, file: { path, content } })
            const back = await client.downloadFile({ ...at, path, xet: useXet })
            found.push([path, await digest(content), await digest(back!)])
          }
          const names: string[] = []
          for await (const { path } of client.listFiles(at)) names.push(path)
          await client.deleteRepo(at)
          return { found, names: names.toSorted() }
        },
        { hubUrl: hub.url, accessToken: TOKENS.alice },
      ),
    )
    expect(sums.names).toEqual(['.gitattributes', 'lfs.bin', 'xet.bin'])
    for (const [path, sent, back] of sums.found) expect(back, path).toBe(sent)
  })
})

describe.skipIf(!isInstalled)('uploaded content', () => {
  const call = (name: string) => `fetch('${server.url}/beacon/${name}', { credentials: 'include' })`
  const html = (name: string) =>
    `<!doctype html><title>upload</title><img src=x onerror="${call(name).replaceAll('"', '')}"><script>document.title = 'ran'; ${call(name)}</script>`
  const svg = (name: string) =>
    `<svg xmlns="http://www.w3.org/2000/svg" onload="${call(name)}"><script>${call(name)}</script></svg>`
  const xhtml = (name: string) =>
    `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>upload</title><script>${call(name)}</script></head><body/></html>`
  const pdf = (name: string) =>
    `%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.launchURL\\('${server.url}/beacon/${name}'\\))>>>>endobj\ntrailer<</Root 1 0 R>>`
  const multipart = (name: string) =>
    `MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n${html(name)}\n--b--`

  /** By name of the file: its content, which knows the name that it calls home by. */
  const UPLOADS: Record<string, (name: string) => string> = {
    'page.html': html,
    'PAGE.HTML': html,
    'page.xhtml': xhtml,
    'page.xml': xhtml,
    'picture.svg': svg,
    'archive.mhtml': multipart,
    'script.js': call,
    'paper.pdf': pdf,
    page: html,
    'page.png': html,
    'picture.png': svg,
    'page.json': html,
    'page.txt': html,
    'page.html;x=.png': html,
    'folder.html/index': html,
  }
  const contents = () =>
    Object.entries(UPLOADS).map(([path, make]) => ({ path, content: make(encodeURIComponent(path)) }))

  beforeAll(async () => {
    const operations = contents().map(({ path, content }) => ({
      operation: 'addOrUpdate' as const,
      path,
      content: new Blob([content]),
    }))
    await commit({ ...caller(), title: 'Hostile', operations, useXet: false })
  })

  /** Goes there as a link would; what becomes a download ends the navigation. */
  async function visit(page: Page, url: string): Promise<void> {
    await page.goto(url, { waitUntil: 'load' }).catch((error: Error) => {
      if (!/Download is starting|ERR_ABORTED|ERR_INVALID_RESPONSE/.test(error.message)) throw error
    })
  }

  async function expectNoBeacon(urls: readonly string[]): Promise<void> {
    const before = server.beacons().length
    const page = await browser.newPage()
    for (const url of urls) await visit(page, url)
    await delay(SETTLE_MS)
    await page.close()
    expect(server.beacons().slice(before)).toEqual([])
  }

  test('would run where another server says that it is a page', async () => {
    await using control = await startPageServer({ '/page.html': html('control') })
    const page = await browser.newPage()
    await visit(page, `${control.url}/page.html`)
    await expect.poll(() => server.beacons(), { timeout: 10_000 }).toContain('control')
    expect(await page.title()).toBe('ran')
    await page.close()
  })

  test('does not run at resolve, nor at raw', async () => {
    const below = (form: string) => (path: string) => `${hub.url}/${REPO}/${form}/main/${encodeURI(path)}`
    await expectNoBeacon([
      ...Object.keys(UPLOADS).map(below('resolve')),
      ...['page.html', 'page.xhtml', 'picture.svg', 'page'].map(below('raw')),
    ])
  })

  test('does not run at the signed addresses of LFS', async () => {
    const hrefs: string[] = []
    for (const path of ['page.html', 'picture.svg', 'page']) {
      const content = contents().find((one) => one.path === path)?.content ?? ''
      hrefs.push(await signedLfs(`${content} `))
    }
    await expectNoBeacon(hrefs)
  })

  test('does not run at the bridge, nor as a piece of a xorb', async () => {
    const repo = 'alice/xet-pages'
    const attributes = new Blob(['*.html filter=lfs diff=lfs merge=lfs -text\n'])
    await createRepo({ ...caller(), repo, files: [{ path: '.gitattributes', content: attributes }] })
    // Nothing repeats itself, so that it stands in the xorb as it is.
    const content = new Blob([
      `<script>${call('xet')}</script>`,
      crypto.getRandomValues(new Uint8Array(50_000)),
    ])
    await uploadFile({ ...caller(), repo, useXet: true, file: { path: 'page.html', content } })
    const at = `${hub.url}/${repo}/resolve/main/page.html`
    const headers = { Authorization: `Bearer ${TOKENS.alice}` }
    const xetHash = (await fetch(at, { method: 'HEAD', headers })).headers.get('X-Xet-Hash')
    expect(xetHash).toMatch(/^[0-9a-f]{64}$/)
    const { casUrl, accessToken } = (await (
      await fetch(`${hub.url}/api/models/${repo}/xet-read-token/main`, { headers })
    ).json()) as { casUrl: string; accessToken: string }
    const plan = await fetch(`${casUrl}/v1/reconstructions/${xetHash}`, {
      headers: { Authorization: `Bearer ${accessToken}` },
    })
    const { fetch_info: pieces } = (await plan.json()) as { fetch_info: Record<string, { url: string }[]> }
    const piece = Object.values(pieces)[0]?.[0]?.url ?? ''
    expect((await fetch(piece)).status).toBe(206)
    await expectNoBeacon([at, at.replace('/resolve/', '/raw/'), piece])
  })

  test('is no script for a page of the hub itself, and no worker', async () => {
    const path = `/${REPO}/resolve/main/script.js`
    const before = server.beacons().length
    const page = await browser.newPage()
    const body = `<!doctype html><title>hub</title><script>${call('own-page')}</script>
      <script src="${path}"></script><script type="module" src="${path}"></script>`
    await page.route(`${hub.url}/own-page`, (route) => route.fulfill({ contentType: 'text/html', body }))
    await page.goto(`${hub.url}/own-page`)
    const worker = await page.evaluate<string>(
      `navigator.serviceWorker.register('${path}').then(() => 'registered', String)`,
    )
    expect(worker).toContain('SecurityError')
    await expect.poll(() => server.beacons(), { timeout: 10_000 }).toContain('own-page')
    await delay(SETTLE_MS)
    await page.close()
    expect(server.beacons().slice(before)).toEqual(['own-page'])
  })

  async function signedLfs(content: string): Promise<string> {
    const file = { path: 'signed.bin', content: new Blob([content]) }
    await uploadFile({ ...caller(), file, useXet: false })
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.from(content)))
    const answer = await fetch(`${hub.url}/${REPO}.git/info/lfs/objects/batch`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKENS.alice}`, 'Content-Type': 'application/vnd.git-lfs+json' },
      body: JSON.stringify({
        operation: 'download',
        transfers: ['basic'],
        objects: [{ oid: Buffer.from(bytes).toString('hex'), size: Buffer.byteLength(content) }],
      }),
    })
    const { objects } = (await answer.json()) as { objects: { actions: { download: { href: string } } }[] }
    const href = objects[0]?.actions.download.href ?? ''
    expect((await fetch(href)).status).toBe(200)
    return href
  }
})
