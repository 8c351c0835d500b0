/**
 * Packet lines, the frames of git's protocol (gitprotocol-common):
 *
 *   packet  = length(4 hex digits, itself included) payload      "0009done\n" is the payload "done\n"
 *   0000    = flush, the end of a list       0001 = delimiter       0002 = end of a response
 *   side band: the first byte of a payload says what it is: 1 data, 2 text for people, 3 a fatal error
 */
import { FormatError } from '../errors.ts'
import { PACKET_MAX_BYTES } from '../limits.ts'

export type Packet = { kind: 'data'; payload: Uint8Array } | { kind: 'flush' | 'delimiter' | 'end' }

export const FLUSH: Uint8Array = new TextEncoder().encode('0000')

const HEADER_BYTES = 4
const MARKS = ['flush', 'delimiter', 'end'] as const
const encoder = new TextEncoder()

export function encodePacket(payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === 'string' ? encoder.encode(payload) : payload
  const sizeBytes = bytes.length + HEADER_BYTES
  if (sizeBytes > PACKET_MAX_BYTES) throw new TypeError('Too long for a packet')
  const packet = new Uint8Array(sizeBytes)
  packet.set(encoder.encode(sizeBytes.toString(16).padStart(HEADER_BYTES, '0')))
  packet.set(bytes, HEADER_BYTES)
  return packet
}

/** As many packets of one side band as the bytes need. */
export function encodeSideBand(band: 1 | 2 | 3, bytes: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = []
  const step = PACKET_MAX_BYTES - HEADER_BYTES - 1
  for (let at = 0; at < bytes.length; at += step) {
    const part = bytes.subarray(at, at + step)
    const payload = new Uint8Array(part.length + 1)
    payload[0] = band
    payload.set(part, 1)
    packets.push(encodePacket(payload))
  }
  return packets
}

/** Takes packets off bytes that arrive in pieces. */
export class PacketReader {
  #bytes = new Uint8Array()
  #start = 0
  #end = 0
  #offset = 0

  push(chunk: Uint8Array): void {
    const left = this.#end - this.#start
    if (this.#end + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(left + chunk.length, 2 * left))
      grown.set(this.#bytes.subarray(this.#start, this.#end))
      this.#bytes = grown
      this.#start = 0
      this.#end = left
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The next packet, a copy of its own; null when its last byte has not arrived yet. */
  next(): Packet | null {
    const left = this.#end - this.#start
    if (left < HEADER_BYTES) return null
    const sizeBytes = this.#sizeAt(this.#start)
    if (sizeBytes < HEADER_BYTES) {
      const kind = MARKS[sizeBytes]
      if (kind === undefined) throw new FormatError('A packet is shorter than its length', this.#offset)
      this.#take(HEADER_BYTES)
      return { kind }
    }
    if (left < sizeBytes) return null
    return { kind: 'data', payload: this.#take(sizeBytes).slice(HEADER_BYTES) }
  }

  /** What no packet has been made of; the reader is empty afterwards. */
  rest(): Uint8Array {
    return this.#take(this.#end - this.#start)
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#offset
  }

  #sizeAt(at: number): number {
    let digits = ''
    for (let index = at; index < at + HEADER_BYTES; index++)
      digits += String.fromCharCode(this.#bytes[index]!)
    const sizeBytes = /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN
    if (Number.isNaN(sizeBytes)) throw new FormatError('A packet has no length', this.#offset)
    if (sizeBytes > PACKET_MAX_BYTES) throw new FormatError('A packet is too long', this.#offset)
    return sizeBytes
  }

  #take(sizeBytes: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.#start, this.#start + sizeBytes)
    this.#start += sizeBytes
    this.#offset += sizeBytes
    return bytes
  }
}
