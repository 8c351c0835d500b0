/**
 * The server's side of the git helper process: the only way in which the server starts git. A call yields a
 * connection to git's stdin and stdout and a promise of its end. See helper-process.ts for why.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'

import {
  GIT_OUTPUT_MAX_BYTES,
  GIT_PROCESSES_MAX,
  GIT_QUEUE_MAX,
  GIT_START_TIMEOUT_MS,
  GIT_STDERR_MAX_BYTES,
  GIT_TIMEOUT_MS,
} from '../limits.ts'
import { busy } from './busy.ts'
import { type FromHelper, TICKET_LENGTH, type ToHelper } from './helper-messages.ts'
import { Slots, type SlotsLoad } from './slots.ts'

/** Beside this file, as .ts in the checkout and .js in a published package. */
const PROCESS_FILE = fileURLToPath(new URL(`helper-process${extname(import.meta.url)}`, import.meta.url))
/** A path of a unix socket has at most 107 bytes. */
const SOCKET_FOLDER_LENGTH_MAX = 80
const CLOSE_GRACE_MS = 2000

export type GitFailure = 'start' | 'timeout' | 'aborted' | 'helper' | 'output' | 'exit'

/** git did not do what it was started for. `stderr` is what it said, cut to a limit; for logs, not for clients. */
export class GitProcessError extends Error {
  readonly reason: GitFailure
  readonly stderr: string

  constructor(reason: GitFailure, message: string, options: { stderr?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GitProcessError'
    this.reason = reason
    this.stderr = options.stderr ?? ''
  }
}

export interface GitCall {
  /** Never built from client input without a check that it cannot be an option. No shell is involved. */
  args: readonly string[]
  gitDir: string
  /** Added to the clean environment, e.g. GIT_PROTOCOL or a quarantine's object directories. */
  env?: Readonly<Record<string, string>>
  signal?: AbortSignal
  timeoutMs?: number
  /** Lives on after the call, has no timeout and takes no slot; its owner bounds how many there are. */
  resident?: boolean
  /** Gets only the processor time that nobody else wants, and takes no slot: its owner runs one at a time. */
  background?: boolean
}

export interface GitExit {
  code: number | null
  signal: string | null
  stderr: string
}

export interface GitProcess {
  /** git's stdin and stdout. `end()` closes its stdin. Errors of the stream are also told by `exited`. */
  stream: Duplex
  /** Resolves however git ends; rejects with GitProcessError on timeout, abort or death of the helper. */
  exited: Promise<GitExit>
  kill(): void
}

interface Call {
  connected: PromiseWithResolvers<Socket>
  exited: PromiseWithResolvers<GitExit>
  socket: Socket | null
  /** Why it was killed. */
  failure: GitProcessError | null
}

export class GitHelper implements AsyncDisposable {
  readonly #server: Server
  readonly #folder: string
  readonly #calls = new Map<string, Call>()
  readonly #slots = new Slots(GIT_PROCESSES_MAX, GIT_QUEUE_MAX)
  readonly #path: string
  #child: ChildProcess | null = null
  #closed = false

  private constructor(server: Server, folder: string, path: string) {
    this.#server = server
    this.#folder = folder
    this.#path = path
    server.on('connection', (socket) => this.#admit(socket))
  }

  /** Opens the socket and starts the helper. `path` is where the git binary is looked for. */
  static async open(path: string = process.env['PATH'] ?? '/usr/bin:/bin'): Promise<GitHelper> {
    const base = tmpdir().length > SOCKET_FOLDER_LENGTH_MAX ? '/tmp' : tmpdir()
    // mkdtemp makes it 0700: nobody else can connect.
    const folder = await mkdtemp(join(base, 'cairn-'))
    const server = createServer()
    const listening = Promise.withResolvers<void>()
    server.once('error', listening.reject)
    server.listen(join(folder, 's'), listening.resolve)
    await listening.promise
    const helper = new GitHelper(server, folder, path)
    helper.#ensureChild()
    return helper
  }

  /** The helper's process id, or null between a death and the next call. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** git processes that end by themselves soon, and those that wait to be one. */
  get slots(): SlotsLoad {
    return this.#slots.load
  }

  /** All git processes there are, those included that live as long as somebody reads. */
  get running(): number {
    return this.#calls.size
  }

  async spawnGit(call: GitCall): Promise<GitProcess> {
    if (this.#closed) throw new GitProcessError('helper', 'The git helper is closed')
    const release = call.resident || call.background ? () => {} : await this.#slots.take(call.signal)
    if (release === null) throw busy()
    let process: GitProcess
    try {
      process = await this.#start(call)
    } catch (error) {
      release()
      throw error
    }
    process.exited.then(release, release)
    return process
  }

  /** Runs git to its end and collects stdout. Any exit code resolves; see `runGit` for one that must be 0. */
  async collect(
    call: GitCall & { stdin?: Uint8Array | string; stdoutMaxBytes?: number },
  ): Promise<GitExit & { stdout: Buffer }> {
    const git = await this.spawnGit(call)
    if (call.stdin === undefined) git.stream.end()
    else git.stream.end(call.stdin)
    const chunks: Buffer[] = []
    let sizeBytes = 0
    let tooMuch = false
    let broken: unknown = null
    try {
      for await (const chunk of git.stream as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length
        tooMuch = sizeBytes > (call.stdoutMaxBytes ?? GIT_OUTPUT_MAX_BYTES)
        if (tooMuch) break
        chunks.push(chunk)
      }
    } catch (error) {
      // A git that ends before it has read its stdin breaks the connection; then its exit says more.
      broken = error
    }
    if (tooMuch) {
      git.kill()
      throw new GitProcessError('output', `git ${call.args[0]} wrote too much`)
    }
    const exit = await git.exited
    if (broken !== null && exit.code === 0)
      throw new GitProcessError('output', `git ${call.args[0]} was cut off`, { cause: broken })
    return { ...exit, stdout: Buffer.concat(chunks) }
  }

  /** Runs git to its end; throws GitProcessError unless it exits with 0. Returns its stdout. */
  async runGit(call: GitCall & { stdin?: Uint8Array | string; stdoutMaxBytes?: number }): Promise<Buffer> {
    const { code, signal, stderr, stdout } = await this.collect(call)
    if (code !== 0)
      throw new GitProcessError(
        'exit',
        `git ${call.args[0]} ended with ${code ?? signal}: ${stderr.trim()}`,
        { stderr },
      )
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const child = this.#child
    if (child !== null && child.exitCode === null) {
      const ended = new Promise((resolve) => void child.once('exit', resolve))
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_GRACE_MS)
      await ended
      clearTimeout(timer)
    }
    for (const call of this.#calls.values()) call.socket?.destroy()
    await new Promise((resolve) => void this.#server.close(resolve))
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #start(options: GitCall): Promise<GitProcess> {
    const child = this.#ensureChild()
    const ticket = randomBytes(TICKET_LENGTH / 2).toString('hex')
    const call: Call = {
      connected: Promise.withResolvers(),
      exited: Promise.withResolvers(),
      socket: null,
      failure: null,
    }
    // Whoever reads only the stream need not look at the end as well.
    call.exited.promise.catch(() => {})
    this.#calls.set(ticket, call)

    const stop = (reason: GitFailure, message: string) => {
      if (!this.#calls.has(ticket) || call.failure !== null) return
      call.failure = new GitProcessError(reason, `git ${options.args[0]} ${message}`)
      call.socket?.destroy(call.failure)
      call.connected.reject(call.failure)
      this.#tell({ kind: 'kill', ticket })
    }
    const onAbort = () => stop('aborted', 'was aborted')
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const startTimer = setTimeout(() => stop('start', 'did not start in time'), GIT_START_TIMEOUT_MS)
    const timeoutMs = options.timeoutMs ?? GIT_TIMEOUT_MS
    const timer = options.resident ? undefined : setTimeout(() => stop('timeout', 'took too long'), timeoutMs)
    const cleanUp = () => {
      clearTimeout(startTimer)
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
    }
    call.exited.promise.then(cleanUp, cleanUp)

    this.#tell({
      kind: 'spawn',
      ticket,
      // `safe.directory`: the data directory may belong to another user than the one that runs the hub.
      args: ['-c', 'safe.directory=*', ...options.args],
      cwd: options.gitDir,
      env: { ...cleanEnvironment(this.#path), GIT_DIR: options.gitDir, ...options.env },
      stderrMaxBytes: GIT_STDERR_MAX_BYTES,
      background: options.background ?? false,
    })
    if (options.signal?.aborted) onAbort()
    if (!child.connected) this.#lose(child)
    const stream = await call.connected.promise
    clearTimeout(startTimer)
    return { stream, exited: call.exited.promise, kill: () => this.#tell({ kind: 'kill', ticket }) }
  }

  #ensureChild(): ChildProcess {
    if (this.#child !== null) return this.#child
    const child = fork(PROCESS_FILE, [join(this.#folder, 's')], {
      execPath: process.execPath,
      execArgv: [],
      env: { PATH: this.#path },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    child.on('message', (message: FromHelper) => this.#hear(message))
    child.once('error', () => this.#lose(child))
    child.once('exit', () => this.#lose(child))
    return child
  }

  #tell(message: ToHelper): void {
    // A failure to send means that the helper is gone, and `exit` tells every caller.
    if (this.#child?.connected) this.#child.send(message, () => {})
  }

  #hear(message: FromHelper): void {
    const call = this.#calls.get(message.ticket)
    if (call === undefined) return
    this.#calls.delete(message.ticket)
    if (message.kind === 'failed')
      call.failure ??= new GitProcessError('start', `git did not start: ${message.message}`)
    if (call.failure !== null) {
      call.socket?.destroy(call.failure)
      call.connected.reject(call.failure)
      call.exited.reject(call.failure)
      return
    }
    // The connection of a git that was quick may still be waiting to be accepted.
    if (call.socket === null) this.#calls.set(message.ticket, call)
    call.exited.resolve(message.kind === 'exit' ? message : { code: null, signal: null, stderr: '' })
  }

  /** The first bytes of a connection say which call it belongs to. */
  #admit(socket: Socket): void {
    // Its end and its errors are told by `exited`; without a listener an error would end the server.
    socket.on('error', () => {})
    const onReadable = () => {
      const ticket = (socket.read(TICKET_LENGTH) as Buffer | null)?.toString()
      if (ticket === undefined) return
      socket.off('readable', onReadable)
      const call = this.#calls.get(ticket)
      if (call === undefined || call.failure !== null) {
        socket.destroy()
        return
      }
      call.socket = socket
      call.connected.resolve(socket)
      // When git has ended already, nothing else removes the call.
      call.exited.promise.then(
        () => this.#calls.delete(ticket),
        () => {},
      )
    }
    socket.on('readable', onReadable)
  }

  /** The helper died: what it ran is lost, and the next call starts another. */
  #lose(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = null
    for (const [ticket, call] of this.#calls) {
      this.#calls.delete(ticket)
      call.failure ??= new GitProcessError('helper', 'The git helper process ended')
      call.socket?.destroy(call.failure)
      call.connected.reject(call.failure)
      call.exited.reject(call.failure)
    }
  }
}

/** Nothing of the server's own environment reaches git, and no configuration but the repository's. */
function cleanEnvironment(path: string): Record<string, string> {
  return {
    PATH: path,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    // A pushed refs/replace/* must not change what an oid means.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
  }
}
