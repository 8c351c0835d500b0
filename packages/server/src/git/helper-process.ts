/**
 * The small process that starts git. Starting a process blocks the starter for a time that grows with its memory
 * (stack.md §2), so the server forks this one early and asks it. The bytes do not pass through here: it connects
 * to the server's unix socket and gives that connection to git as stdin and stdout.
 *
 * It lives exactly as long as the server: signals that a terminal or a supervisor sends to the whole group are
 * ignored, and when the IPC channel closes, every git it started is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'

import type { FromHelper, ToHelper } from './helper-messages.ts'

type SpawnCall = Extract<ToHelper, { kind: 'spawn' }>

const socketPath = process.argv[2]!
const running = new Map<string, ChildProcess | null>()

process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})
process.on('disconnect', () => {
  for (const child of running.values()) killGroup(child)
  // A server that was killed could not do this itself.
  rmSync(dirname(socketPath), { recursive: true, force: true })
  process.exit(0)
})
process.on('message', (message: ToHelper) => {
  if (message.kind === 'spawn') start(message)
  else kill(message.ticket)
})

function start(call: SpawnCall): void {
  running.set(call.ticket, null)
  const socket = connect(socketPath)
  socket.once('error', (error) => fail(call.ticket, socket, error))
  socket.once('connect', () => {
    socket.pause()
    socket.write(call.ticket, () => {
      if (running.has(call.ticket)) handOver(call, socket)
      else socket.destroy()
    })
  })
}

function handOver(call: SpawnCall, socket: Socket): void {
  let child: ChildProcess
  try {
    // A group of its own, so that what git starts itself is killed with it.
    const [command, args] = call.background ? ['nice', ['-n', '19', 'git', ...call.args]] : ['git', call.args]
    child = spawn(command, args, {
      cwd: call.cwd,
      env: call.env,
      stdio: [socket, socket, 'pipe'],
      detached: true,
    })
  } catch (error) {
    fail(call.ticket, socket, error as Error)
    return
  }
  // Not `end`, which would shut git's side of the connection too.
  socket.destroy()
  running.set(call.ticket, child)
  let stderr = Buffer.alloc(0)
  child.stderr!.on('data', (chunk: Buffer) => {
    if (stderr.length < call.stderrMaxBytes)
      stderr = Buffer.concat([stderr, chunk.subarray(0, call.stderrMaxBytes - stderr.length)])
  })
  child.once('error', (error) => fail(call.ticket, socket, error))
  child.once('close', (code, signal) => {
    if (running.delete(call.ticket))
      send({ kind: 'exit', ticket: call.ticket, code, signal, stderr: stderr.toString() })
  })
}

function fail(ticket: string, socket: Socket, error: Error): void {
  socket.destroy()
  if (running.delete(ticket)) send({ kind: 'failed', ticket, message: error.message })
}

function kill(ticket: string): void {
  const child = running.get(ticket)
  if (child === null) {
    // Not started yet, and now it will not be.
    running.delete(ticket)
    send({ kind: 'exit', ticket, code: null, signal: 'SIGKILL', stderr: '' })
  } else if (child !== undefined) {
    killGroup(child)
  }
}

function killGroup(child: ChildProcess | null): void {
  if (child?.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function send(message: FromHelper): void {
  // A server that was killed reads no more; `disconnect` follows, and with it the end.
  if (process.connected) process.send!(message, () => {})
}
