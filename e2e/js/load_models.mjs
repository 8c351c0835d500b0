/** Models through transformers.js and @huggingface/gguf; prints one JSON object, which the test judges. */
import { gguf } from '@huggingface/gguf'
import { AutoConfig, AutoProcessor, AutoTokenizer, env } from '@huggingface/transformers'

const { HF_ENDPOINT: endpoint, HF_TOKEN: token } = process.env
const { model, hidden } = JSON.parse(process.argv[2])

async function outcome(call) {
  try {
    await call()
    return 'ok'
  } catch (error) {
    return error.message
  }
}

env.remoteHost = endpoint
env.allowLocalModels = false
env.useFSCache = false

const tokenizer = await AutoTokenizer.from_pretrained(model)
const facts = {
  tokens: tokenizer.encode('the hub speaks'),
  decoded: tokenizer.decode(tokenizer.encode('the hub speaks'), { skip_special_tokens: true }),
  layers: (await AutoConfig.from_pretrained(model)).num_hidden_layers,
  tagged: (await AutoConfig.from_pretrained(model, { revision: 'v1' })).num_hidden_layers,
  noProcessor: await outcome(() => AutoProcessor.from_pretrained(model)),
  anonymous: await outcome(() => AutoConfig.from_pretrained(hidden)),
}

const plainFetch = env.fetch
env.fetch = (input, init) => {
  const headers = new Headers(init?.headers)
  if (String(input).startsWith(endpoint)) headers.set('authorization', `Bearer ${token}`)
  return plainFetch(input, { ...init, headers })
}
facts.hidden = (await AutoConfig.from_pretrained(hidden)).num_hidden_layers

const fileIn = (repo) => `${endpoint}/${repo}/resolve/main/tiny.gguf`
const { metadata, tensorInfos } = await gguf(fileIn(model))
facts.gguf = {
  architecture: metadata['general.architecture'],
  words: metadata['tokenizer.ggml.tokens'].length,
  tensors: tensorInfos.map((tensor) => tensor.name),
}
facts.anonymousGguf = await outcome(() => gguf(fileIn(hidden)))
facts.hiddenGguf = (await gguf(fileIn(hidden), { fetch: env.fetch })).metadata['general.architecture']
process.stdout.write(JSON.stringify(facts))
