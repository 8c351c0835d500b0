/** Command lines, what they print and how they end. */
import { expect, test } from 'vitest'

import type { CliIo } from './io.ts'
import { run } from './program.ts'

async function cairn(
  line: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const io: CliIo = {
    env,
    cwd: '/nowhere',
    stdin: (async function* () {})(),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  }
  const code = await run(line.split(' ').filter(Boolean), io)
  return { code, out, err }
}

test.each([
  ['--help', /Examples:\n +\$ cairn serve/],
  ['--version', /^\d+\.\d+\.\d+\n$/],
  ['serve --help', /--public-url <url>[\s\S]+Examples:/],
  ['admin --help', /registry[\s\S]+Examples:/],
  ['admin token create --help', /--token-file/],
  ['help admin', /member/],
])('%s explains and succeeds', async (line, expected) => {
  const { code, out, err } = await cairn(line)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(expected)
})

test.each([
  ['nonsense', /unknown command/],
  ['serve --nonsense', /unknown option/],
  ['serve extra', /too many arguments/],
  ['admin user create', /missing required argument/],
  ['admin token create ada', /--name/],
  ['admin token create ada --name t --expires-in-days never', /number of days/],
  ['admin repo create tiny', /give NAMESPACE\/NAME/],
  ['admin repo delete a/b/c', /give NAMESPACE\/NAME/],
  ['admin user list --data d --endpoint http://x', /give one of them/],
  ['completion tcsh', /bash, zsh or fish/],
])('%s is a usage error', async (line, expected) => {
  const { code, out, err } = await cairn(line)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(expected)
})

test.each<[string, NodeJS.ProcessEnv, RegExp]>([
  ['serve --port 65536', {}, /^cairn: --port: '65536' is not a port.*\n$/],
  ['serve', { CAIRN_PORT: 'x', CAIRN_HOST: '/' }, /^cairn: CAIRN_HOST: .*\ncairn: CAIRN_PORT: .*\n$/],
  ['serve --bootstrap none.json', {}, /^cairn: bootstrap: \/nowhere\/none.json cannot be read: .*\n$/],
  ['admin user list', {}, /^cairn: There is no hub in \/nowhere\/cairn-data: start one with .*\n$/],
  ['admin user list --endpoint http://127.0.0.1:1', {}, /^cairn: HF_TOKEN is not set.*\n$/],
  [
    'admin user list --endpoint http://127.0.0.1:1',
    { HF_TOKEN: 'hf_x' },
    /^cairn: http:\/\/127.0.0.1:1 does not answer .*\n$/,
  ],
  [
    'admin token create ada --name t --token-file /nowhere/t',
    {},
    /^cairn: \/nowhere\/t cannot be read: .*\n$/,
  ],
])('%s fails with its cause and the next step', async (line, env, expected) => {
  const { code, out, err } = await cairn(line, env)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(expected)
})

test.each(['bash', 'zsh', 'fish'])('the completion of %s knows every command', async (shell) => {
  const { code, out } = await cairn(`completion ${shell}`)
  expect(code).toBe(0)
  for (const word of ['serve', 'registry', 'token-file', 'public-url']) expect(out).toContain(word)
})
