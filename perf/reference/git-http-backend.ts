/**
 * `git http-backend` behind nginx and fcgiwrap: how git itself is served over HTTP. Whoever asks may push. Nothing is
 * buffered on disk in between, and there are more processes waiting than clients come.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { findNginx, freePort, startNginx } from '@cairn/testkit/start-nginx'

const PROCESSES = 4
const START_MAX_MS = 10_000

export interface GitHttpBackend extends AsyncDisposable {
  /** Of the folder, without a trailing slash. */
  url: string
}

/** Serves every bare repository below `root`. Throws when nginx, fcgiwrap or git's http-backend is not installed. */
export async function startGitHttpBackend(root: string): Promise<GitHttpBackend> {
  const program = await findNginx()
  if (program === null) throw new Error('nginx is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'cairn-fcgi-'))
  const socket = join(folder, 'socket')
  const fcgiwrap = spawn('fcgiwrap', ['-c', String(PROCESSES), '-s', `unix:${socket}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // A group of its own: ended by SIGKILL it would leave its children.
    detached: true,
  })
  const ended = once(fcgiwrap, 'exit')
  const stop = async (): Promise<void> => {
    process.kill(-fcgiwrap.pid!, 'SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await Promise.race([waitForFile(socket), ended.then(() => Promise.reject(new Error('fcgiwrap ended')))])
    const port = await freePort()
    const nginx = await startNginx({ program, port, http: configuration(port, socket, root) })
    return {
      url: `http://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        await nginx[Symbol.asyncDispose]()
        await stop()
      },
    }
  } catch (error) {
    if (fcgiwrap.pid !== undefined) await stop()
    throw error
  }
}

function configuration(port: number, socket: string, root: string): string {
  const parameters = {
    SCRIPT_FILENAME: '/usr/lib/git-core/git-http-backend',
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: '$uri',
    QUERY_STRING: '$query_string',
    REQUEST_METHOD: '$request_method',
    CONTENT_TYPE: '$content_type',
    CONTENT_LENGTH: '$content_length',
    REMOTE_USER: 'anybody',
    REMOTE_ADDR: '$remote_addr',
  }
  const lines = Object.entries(parameters).map(([name, value]) => `fastcgi_param ${name} ${value};`)
  return `server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      ${lines.join('\n      ')}
      fastcgi_pass unix:${socket};
      fastcgi_buffering off;
      fastcgi_request_buffering off;
    }
  }`
}

async function waitForFile(path: string): Promise<void> {
  const deadline = Date.now() + START_MAX_MS
  for (;;) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return
    if (Date.now() > deadline) throw new Error(`${path} does not appear`)
    await sleep(10)
  }
}
