/**
 * The container registry's addresses, as far as Ollama pulls a model through them, and the question that llama.cpp asked
 * before it read trees. Ollama takes no path prefix in a model's name; llama.cpp does in its endpoint.
 */
import { formatDigest, MANIFEST_TYPE } from '@cairn/protocol/api/ollama-manifest'
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'

import { pullBlob, pullFiles, pullManifest, type ChosenFile } from '../../ops/gguf-pull.ts'
import { OPAQUE_HEADERS } from '../content-headers.ts'
import { countDownload } from '../count-download.ts'
import { rangedReply } from '../ranged.ts'
import type { Reply } from '../reply.ts'
import type { Call, Route } from '../route.ts'

/** It gets names of files in place of digests; later versions of it append their number. */
const LLAMA_CPP = /^llama-cpp(?:\/|$)/

export const v2Routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v2/',
    hub: null,
    handle: async () => ({ headers: { 'Docker-Distribution-API-Version': 'registry/2.0' }, json: {} }),
  },
  {
    method: 'GET',
    path: '/v2/:namespace/:name/manifests/:tag',
    hub: 'GET /v2/{id}/manifests/{tag}',
    quirk: 'a chat template is not translated from the model: it is the file `template` or none',
    handle: (call) =>
      challenged(call, () =>
        LLAMA_CPP.test(call.client.userAgent) ? namedFiles(call) : layeredManifest(call),
      ),
  },
  {
    method: 'GET',
    path: '/v2/:namespace/:name/blobs/:digest',
    hub: 'GET /v2/{id}/blobs/{digest}',
    handle: (call) => challenged(call, () => blob(call)),
  },
  {
    // Where the challenge leads: Ollama signs with a key of its own, and no account here has keys.
    method: 'GET',
    path: '/v2/token',
    hub: null,
    quirk: '501 with the text that Ollama shows when it was refused',
    ownCredential: true,
    handle: () =>
      Promise.reject(
        new HubError(
          'NotImplemented',
          'The repository does not exist or is private, and private ones cannot be pulled with the key of an Ollama client: not supported by this hub',
        ),
      ),
  },
]

/**
 * Ollama follows a 401 only to a realm on the same host, and shows what that answers; without one it complains of an
 * empty address (server/auth.go, 0.17.4).
 */
async function challenged(call: Call, handle: () => Promise<Reply>): Promise<Reply> {
  try {
    return await handle()
  } catch (error) {
    if (!(error instanceof HubError) || error.status !== 401) throw error
    const scope = `repository:${call.repo.namespace}/${call.repo.name}:pull`
    throw new HubError(error.code, error.message, {
      cause: error,
      status: error.status,
      headers: {
        'WWW-Authenticate': `Bearer realm="${call.site.base}/v2/token",service="cairn",scope="${encodeURI(scope)}"`,
      },
    })
  }
}

async function layeredManifest({ ops, principal, repo, params }: Call): Promise<Reply> {
  const { bytes, sha256 } = await pullManifest(ops, principal, repo, params['tag'] ?? '')
  return {
    headers: {
      'Content-Type': MANIFEST_TYPE,
      'Docker-Content-Digest': formatDigest(sha256),
      ETag: `"${formatDigest(sha256)}"`,
      Vary: 'User-Agent',
    },
    bytes,
  }
}

async function namedFiles({ ops, principal, repo, params }: Call): Promise<Reply> {
  const { model, projector } = await pullFiles(ops, principal, repo, params['tag'] ?? '')
  return {
    headers: { Vary: 'User-Agent' },
    json: {
      ggufFile: fileShape(model),
      ...(projector === null ? {} : { mmprojFile: fileShape(projector) }),
    },
  }
}

function fileShape({ path, oid, sha256, sizeBytes }: ChosenFile): object {
  return { rfilename: path, blobId: oid, size: sizeBytes, sha256 }
}

/**
 * The address stands in `Location` too: Ollama takes from there where to send its ranges, and without it gives up on
 * anything but a redirect to another host (server/download.go, 0.6.5). Newer ones do without.
 */
async function blob(call: Call): Promise<Reply> {
  const digest = call.params['digest'] ?? ''
  const { repo, content, isModel } = await pullBlob(call.ops, call.principal, call.repo, digest)
  const headers = {
    ...OPAQUE_HEADERS,
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    'Accept-Ranges': 'bytes',
    Location: `${call.site.base}/v2/${formatRepoId(repo)}/blobs/${digest}`,
  }
  const reply = rangedReply(content, headers, call.headers)
  if (isModel && reply.content !== undefined) countDownload(call, repo.id)
  return reply
}
