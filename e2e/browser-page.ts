/**
 * Pages on an origin of their own, for a browser that then talks to a hub on another. `/client` has the browser build
 * of @huggingface/hub as `hubClient`; calls of `/beacon/…` are noted: a script that ran where it should not.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageServer extends AsyncDisposable {
  url: string
  /** What follows `/beacon/` in the requests so far. */
  beacons(): string[]
}

const MODULES = join(import.meta.dirname, '..', 'node_modules')
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.mjs': 'text/javascript' }

const IMPORTS = {
  '@huggingface/hub': '/modules/@huggingface/hub/dist/browser/index.mjs',
  ...Object.fromEntries(
    ['@huggingface/xetchunk-wasm', '@huggingface/blake3-jit', 'gearhash-jit'].map((name) => [
      name,
      fileURLToPath(import.meta.resolve(name)).replace(MODULES, '/modules'),
    ]),
  ),
}
const EMPTY = '<!doctype html><title>page</title><link rel="icon" href="data:,">'
const CLIENT = `${EMPTY}<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">import * as client from '@huggingface/hub'; globalThis.hubClient = client</script>`

/** `pages` are served as HTML, by path. */
export async function startPageServer(pages: Readonly<Record<string, string>> = {}): Promise<PageServer> {
  const beacons: string[] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/')
    const send = (type: string, body: string | Buffer) =>
      response.setHeader('Content-Type', `${type}; charset=utf-8`).end(body)
    if (path.startsWith('/beacon/')) {
      beacons.push(path.slice('/beacon/'.length))
      response.setHeader('Access-Control-Allow-Origin', '*').end()
    } else if (path.startsWith('/modules/') && !path.includes('..'))
      readFile(join(MODULES, path.slice('/modules/'.length))).then(
        (bytes) => send(TYPES[extname(path)] ?? 'application/octet-stream', bytes),
        () => response.writeHead(404).end(),
      )
    else send('text/html', pages[path] ?? (path === '/client' ? CLIENT : EMPTY))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    beacons: () => beacons,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
