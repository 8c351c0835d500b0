/** The answer to a push: what happened to each ref, in the form that the client asked for. */
import { setTimeout as pause } from 'node:timers/promises'

import { encodePacket, encodeSideBand, FLUSH } from '@cairn/protocol/git/pkt-line'
import { encodeReport } from '@cairn/protocol/git/receive-request'

import { PUSH_KEEP_ALIVE_MS } from '../limits.ts'
import type { Push, PushOutcome, refsForPush } from '../ops/push.ts'

const CAPABILITIES =
  'report-status delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 agent=cairn'

/** The refs that can be pushed to; the first packet also says what the hub can. */
export async function* pushAdvertisement(
  refs: Awaited<ReturnType<typeof refsForPush>>,
  version: number,
): AsyncGenerator<Uint8Array> {
  if (version === 1) yield encodePacket('version 1\n')
  const [first, ...others] = refs.length > 0 ? refs : [{ oid: '0'.repeat(40), name: 'capabilities^{}' }]
  yield encodePacket(`${first!.oid} ${first!.name}\0${CAPABILITIES}\n`)
  for (let at = 0; at < others.length; at += 1000)
    yield Buffer.concat(others.slice(at, at + 1000).map(({ oid, name }) => encodePacket(`${oid} ${name}\n`)))
  yield FLUSH
}

/**
 * Runs the push. While it is looked at an empty packet now and then keeps the connection; not while the client still
 * sends, since few expect an answer then.
 */
export async function* pushResult(
  { capabilities, run }: Push,
  hasSentAll: () => boolean,
): AsyncGenerator<Uint8Array> {
  if (run === null) return
  const outcome = run()
  const hasBands = capabilities.has('side-band-64k')
  for (;;) {
    const waiting = new AbortController()
    const silence = pause(PUSH_KEEP_ALIVE_MS, null, { signal: waiting.signal }).catch(() => null)
    const done = await Promise.race([outcome, silence])
    waiting.abort()
    if (done !== null) {
      yield Buffer.concat(encode(done, hasBands, capabilities.has('report-status')))
      return
    }
    if (hasBands && hasSentAll()) yield encodePacket('\x01')
  }
}

function encode({ report, lines }: PushOutcome, hasBands: boolean, wantsReport: boolean): Uint8Array[] {
  const packets = wantsReport ? encodeReport(report) : []
  if (!hasBands) return packets
  const told = lines.flatMap((line) => encodeSideBand(2, Buffer.from(`${line}\n`)))
  return [...told, ...encodeSideBand(1, Buffer.concat(packets)), FLUSH]
}
