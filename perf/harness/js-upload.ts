/** One file through `@huggingface/hub`, in a process of its own: it computes for seconds without a pause. */
import { openAsBlob } from 'node:fs'

import { uploadFile } from '@huggingface/hub'

const [hubUrl = '', accessToken = '', name = '', path = '', target = ''] = process.argv.slice(2)
await uploadFile({
  hubUrl,
  accessToken,
  repo: { type: 'model', name },
  file: { path: target, content: await openAsBlob(path) },
  useXet: true,
})
