// isomorphic-git as a git client: one verb a run. The first argument is its package's folder. See git-others.e2e.ts.
import fs from 'node:fs'
import { createRequire } from 'node:module'

const [folder, verb, ...args] = process.argv.slice(2)
const require = createRequire(`${folder}/`)
const git = require('isomorphic-git')
const http = require('isomorphic-git/http/node')

const verbs = {
  clone: (url, dir, depth) =>
    git.clone({ fs, http, dir, url, ...(depth === '0' ? {} : { depth: Number(depth), singleBranch: true }) }),
  fetch: (dir) => git.fetch({ fs, http, dir, remote: 'origin', tags: true }),
  async commit(dir, filepath, message) {
    await git.add({ fs, dir, filepath })
    await git.commit({ fs, dir, message, author: { name: 'Ana', email: 'ana@example.com' } })
  },
  async push(dir, refspec) {
    const [ref, remoteRef] = refspec.replace(/^\+/, '').split(':')
    // A deletion must name a local ref, too, and does nothing with it.
    const how =
      ref === ''
        ? { delete: true, ref: await git.currentBranch({ fs, dir, fullname: true }) }
        : { ref, force: refspec.startsWith('+') }
    await git.push({ fs, http, dir, remote: 'origin', remoteRef, ...how })
  },
}
await verbs[verb](...args)
