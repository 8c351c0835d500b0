/** A real nginx for tests and measurements: a free port, a folder of its own, gone with the process that started it. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface Nginx extends AsyncDisposable {
  /** `METHOD path status` of every request that has ended, in that order. Empty without `log`. */
  requests(): Promise<string[]>
}

export interface NginxOptions {
  /** As of `findNginx`. */
  program: string
  /** What stands inside `http { }`. */
  http: string
  /** Where that listens on 127.0.0.1; it is waited for. */
  port: number
  workers?: number
  log?: boolean
}

const PLACES = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx']
const START_MS = 20_000
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/** Null when nginx is not installed. */
export async function findNginx(): Promise<string | null> {
  for (const place of PLACES)
    if (
      await access(place).then(
        () => true,
        () => false,
      )
    )
      return place
  return null
}

/** Below those that the system gives to outgoing connections, so that none of them takes it before nginx does. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}

export async function startNginx({
  program,
  http,
  port,
  workers = 1,
  log = false,
}: NginxOptions): Promise<Nginx> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-nginx-'))
  const logPath = join(root, 'requests.log')
  const config = [
    // Its workers could not read a folder of root's otherwise.
    process.getuid?.() === 0 ? 'user root;' : '',
    `worker_processes ${workers};`,
    'daemon off;',
    `pid ${join(root, 'pid')};`,
    'events { worker_connections 1024; }',
    'http {',
    "log_format requests '$request_method $request_uri $status';",
    `access_log ${log ? `${logPath} requests` : 'off'};`,
    ...TEMPORARY.map((name) => `${name}_temp_path ${join(root, name)};`),
    http,
    '}',
  ]
  await writeFile(join(root, 'nginx.conf'), config.join('\n'))
  // The shell waits for the end of its stdin, which comes even when this process is killed.
  const script = '"$@" </dev/null & cat >/dev/null; kill -TERM $! 2>/dev/null; wait $!'
  const command = [program, '-e', 'stderr', '-p', root, '-c', join(root, 'nginx.conf')]
  const shell = spawn('/bin/sh', ['-c', script, 'sh', ...command], { stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  shell.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-65_536)))
  const ended = once(shell, 'exit')
  const stop = async (): Promise<void> => {
    shell.stdin.end()
    await ended
    await rm(root, { recursive: true, force: true })
  }
  try {
    const deadline = Date.now() + START_MS
    while (!(await listens(port))) {
      if (said.includes('[emerg]') || Date.now() > deadline) throw new Error(`nginx does not start: ${said}`)
      await delay(10)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    async requests() {
      const text = await readFile(logPath, 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
    [Symbol.asyncDispose]: stop,
  }
}

function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}
