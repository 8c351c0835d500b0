/** git over HTTP, the smart protocol (gitprotocol-http). hub-api.md §10. */
import { HubError } from '@cairn/protocol/errors'
import { encodePacket, FLUSH } from '@cairn/protocol/git/pkt-line'

import { FETCH_REQUEST_MAX_BYTES, PUSH_MAX_BYTES } from '../../limits.ts'
import { repoFor } from '../../ops/access.ts'
import { advertiseFetch, type Connection, fetch, type GitVersion } from '../../ops/fetch.ts'
import { openPush, refsForPush } from '../../ops/push.ts'
import { gather } from '../body.ts'
import { clientOfAddress } from '../gate.ts'
import { gitBody } from '../git-body.ts'
import { pushAdvertisement, pushResult } from '../git-report.ts'
import { firstOf } from '../query.ts'
import type { Reply } from '../reply.ts'
import type { Call, Route } from '../route.ts'

type Service = 'git-upload-pack' | 'git-receive-pack'

const DUMB =
  'This hub speaks the smart protocol of git only: use git 1.6.6 or newer, without GIT_SMART_HTTP=0'

export const gitRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{web}/info/refs',
    hub: 'GET /{id}.git/info/refs',
    async handle(call) {
      const service = firstOf(call.query, 'service')
      if (service === 'git-upload-pack') {
        const version = versionOf(call)
        const refs = await advertiseFetch(call.ops, call.principal, call.repo, version, connectionOf(call))
        return advertisement(service, version === 2 ? refs : announced(service, refs))
      }
      if (service === 'git-receive-pack') {
        const refs = await refsForPush(call.ops, call.principal, call.repo)
        return advertisement(service, announced(service, pushAdvertisement(refs, versionOf(call))))
      }
      return refuseDumb(call)
    },
  },
  {
    method: 'POST',
    path: '{web}/git-upload-pack',
    hub: 'POST /{id}.git/git-upload-pack',
    async handle(call) {
      const type = 'application/x-git-upload-pack-request'
      const body = () => gather(gitBody(call.body, type, FETCH_REQUEST_MAX_BYTES))
      const { ops, principal, repo } = call
      const from = connectionOf(call)
      return result('git-upload-pack', await fetch(ops, principal, repo, versionOf(call), body, from))
    },
  },
  {
    method: 'POST',
    path: '{web}/git-receive-pack',
    hub: 'POST /{id}.git/git-receive-pack',
    async handle({ ops, principal, repo, body, signal }) {
      const pack = gitBody(body, 'application/x-git-receive-pack-request', PUSH_MAX_BYTES)
      const push = await openPush(ops, principal, repo, pack, signal())
      return result(
        'git-receive-pack',
        pushResult(push, () => body.complete),
      )
    },
  },
  { method: 'GET', path: '{web}/HEAD', hub: null, quirk: 'the dumb protocol is refused', handle: refuseDumb },
  {
    method: 'GET',
    path: '{web}/objects/*',
    hub: null,
    quirk: 'the dumb protocol is refused',
    handle: refuseDumb,
  },
]

function connectionOf({ client, signal }: Call): Connection {
  return { network: clientOfAddress(client.address), signal: signal() }
}

/** Only to those who may know that the repository is there. */
async function refuseDumb({ ops, principal, repo }: Call): Promise<Reply> {
  await repoFor(ops, principal, repo, 'read')
  throw new HubError('Forbidden', DUMB)
}

/** `Git-Protocol: version=2`, possibly among other keys. What is not known counts as the oldest, as git has it. */
function versionOf({ headers }: Call): GitVersion {
  const keys = String(headers['git-protocol'] ?? '').split(':')
  if (keys.includes('version=2')) return 2
  return keys.includes('version=1') ? 1 : 0
}

function advertisement(service: Service, stream: AsyncIterable<Uint8Array>): Reply {
  return gitReply(`application/x-${service}-advertisement`, stream)
}

function result(service: Service, stream: AsyncIterable<Uint8Array>): Reply {
  return gitReply(`application/x-${service}-result`, stream)
}

function gitReply(type: string, stream: AsyncIterable<Uint8Array>): Reply {
  const headers = {
    'Content-Type': type,
    Expires: 'Fri, 01 Jan 1980 00:00:00 GMT',
    Pragma: 'no-cache',
    'Cache-Control': 'no-cache, max-age=0, must-revalidate',
  }
  return { headers, stream }
}

/** Versions 0 and 1 say first what answers. */
async function* announced(service: Service, refs: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield encodePacket(`# service=${service}\n`)
  yield FLUSH
  yield* refs
}
