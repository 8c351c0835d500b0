/**
 * What a client sends to `receive-pack` before the pack, and what it is told afterwards (gitprotocol-pack):
 *
 *   request   shallow <oid> *      <old> SP <new> SP <ref> NUL <capabilities>      <old> SP <new> SP <ref> *      0000
 *             with the capability push-options: <option> *  0000      then the pack, if not all refs are deleted
 *   report    unpack ok | unpack <reason>      ok <ref> | ng <ref> SP <reason> *      0000
 *
 * An oid of zeros stands for a ref that is not there.
 */
import { FormatError } from '../errors.ts'
import { PACKET_MAX_BYTES, PUSH_COMMANDS_MAX, PUSH_OPTIONS_MAX } from '../limits.ts'
import { decodeName, encodeName } from './names.ts'
import { encodePacket, FLUSH, type Packet, PacketReader } from './pkt-line.ts'

export interface RefCommand {
  /** As sent: any bytes, escaped as in names.ts. */
  name: string
  /** What the client takes the ref to be; null: absent. */
  old: string | null
  /** Null deletes it. */
  next: string | null
}

export interface ReceiveRequest {
  /** Each ref once; the first `PUSH_COMMANDS_MAX` of them. */
  commands: RefCommand[]
  /** All that were sent. */
  commandCount: number
  capabilities: ReadonlySet<string>
  hasOptions: boolean
}

export interface ReceiveReport {
  /** Why the pack was not taken; null when it was. */
  unpackProblem: string | null
  refs: { name: string; problem: string | null }[]
}

const COMMAND = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)$/
const ZEROS = '0'.repeat(40)
const REASON_LENGTH_MAX = 1000
const LINE_FEED = 0x0a
/** Without the packet's length and the line feed. */
const PACKET_LINE_MAX_BYTES = PACKET_MAX_BYTES - 5

/** Reads from pieces what stands before the pack. */
export class ReceiveReader {
  readonly request: ReceiveRequest = {
    commands: [],
    commandCount: 0,
    capabilities: new Set(),
    hasOptions: false,
  }
  readonly #reader = new PacketReader()
  readonly #names = new Set<string>()
  #section: 'commands' | 'options' | 'pack' = 'commands'
  #optionCount = 0

  /** True when all has been read; then `rest` has the beginning of the pack. */
  push(chunk: Uint8Array): boolean {
    this.#reader.push(chunk)
    while (this.#section !== 'pack') {
      const at = this.#reader.offset
      const packet = this.#reader.next()
      if (packet === null) return false
      this.#read(packet, at)
    }
    return true
  }

  rest(): Uint8Array {
    return this.#reader.rest()
  }

  #read(packet: Packet, at: number): void {
    if (packet.kind === 'flush') {
      const { commandCount, capabilities } = this.request
      const hasOptions = this.#section === 'commands' && commandCount > 0 && capabilities.has('push-options')
      this.#section = hasOptions ? 'options' : 'pack'
    } else if (packet.kind !== 'data') {
      throw new FormatError('A push has no such packet', at)
    } else if (this.#section === 'options') {
      if (++this.#optionCount > PUSH_OPTIONS_MAX) throw new FormatError('Too many push options', at)
      this.request.hasOptions = true
    } else {
      this.#command(packet.payload, at)
    }
  }

  #command(payload: Uint8Array, at: number): void {
    const [line, capabilities] = splitAtNul(payload)
    // A clone without its history says where that ends. Whether the hub has what lies behind is looked at anyway.
    if (/^shallow [0-9a-f]{40}$/.test(line)) return
    const match = COMMAND.exec(line)
    if (match === null) throw new FormatError('A push command cannot be understood', at)
    const [, old = '', next = '', name = ''] = match
    if (this.request.commandCount === 0) this.request.capabilities = new Set(capabilities?.split(' ') ?? [])
    this.request.commandCount += 1
    if (this.request.commandCount > PUSH_COMMANDS_MAX) return
    if (this.#names.has(name)) throw new FormatError('A push names a ref twice', at)
    this.#names.add(name)
    this.request.commands.push({ name, old: orNull(old), next: orNull(next) })
  }
}

export function encodeReport({ unpackProblem, refs }: ReceiveReport): Uint8Array[] {
  const packets = [encodePacket(`unpack ${unpackProblem === null ? 'ok' : oneLine(unpackProblem)}\n`)]
  for (const { name, problem } of refs) {
    const line = encodeName(problem === null ? `ok ${name}` : `ng ${name} ${oneLine(problem)}`)
    // A name may fill a packet nearly alone; then little is left for the reason.
    const fitting = line.subarray(0, PACKET_LINE_MAX_BYTES)
    packets.push(encodePacket(withLineFeed(fitting)))
  }
  return [...packets, FLUSH]
}

function withLineFeed(line: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(line.length + 1)
  bytes.set(line)
  bytes[line.length] = LINE_FEED
  return bytes
}

function splitAtNul(payload: Uint8Array): [string, string?] {
  const nul = payload.indexOf(0)
  const text = (bytes: Uint8Array) => decodeName(bytes).replace(/\n$/, '')
  if (nul < 0) return [text(payload)]
  return [text(payload.subarray(0, nul)), text(payload.subarray(nul + 1)).trim()]
}

function orNull(oid: string): string | null {
  return oid === ZEROS ? null : oid
}

function oneLine(reason: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what must not get through
  return reason.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, REASON_LENGTH_MAX)
}
