/** What a repository's card and file names say about it: the tags that info replies carry and searches filter by. */
import { CARD_TAG_LENGTH_MAX, CARD_TAGS_MAX, CARD_TEXT_SCAN_MAX } from '../limits.ts'
import type { RepoType } from '../repo-id.ts'
import { PIPELINE_TAGS } from './card-vocabulary.ts'
import type { CardData } from './card.ts'

export interface CardFacts {
  tags: string[]
  pipelineTag: string | null
  libraryName: string | null
  /** The first one, when the card names several. */
  license: string | null
  languages: string[]
  datasets: string[]
  baseModels: string[]
  /** Spaces only. */
  sdk: string | null
}

/** Libraries that a file name gives away, as tags; in the order of tags. */
const FILE_TAGS: readonly [tag: string, pattern: RegExp][] = [
  ['sentence-transformers', /^modules\.json$/],
  ['diffusers', /^model_index\.json$/],
  ['peft', /^adapter_config\.json$/],
  ['transformers', /^config\.json$/],
  ['pytorch', /(?:^|\/)pytorch_model[^/]*\.bin$/],
  ['tf', /(?:^|\/)tf_model[^/]*\.h5$/],
  ['jax', /(?:^|\/)flax_model[^/]*\.msgpack$/],
  ['tensorboard', /tfevents/],
  ['onnx', /\.onnx$/],
  ['safetensors', /\.safetensors$/],
  ['gguf', /\.gguf$/],
]
const WEIGHTS: ReadonlySet<string> = new Set(['pytorch', 'tf', 'jax', 'safetensors'])
/** Those of the above that can be a `library_name`, the most telling first. */
const LIBRARIES: readonly string[] = ['sentence-transformers', 'diffusers', 'peft', 'transformers', 'gguf']

/**
 * - Models, tags in this order: `library_name`; what files give away (`modules.json` sentence-transformers,
 *   `model_index.json` diffusers, `adapter_config.json` peft, `config.json` beside weights transformers,
 *   `pytorch_model*.bin` pytorch, `tf_model*.h5` tf, `flax_model*.msgpack` jax, `*tfevents*` tensorboard, `*.onnx`,
 *   `*.safetensors`, `*.gguf`); `pipeline_tag`; the card's `tags`; languages; `dataset:`; `arxiv:` for each arXiv address in
 *   the text; `base_model:` and, when the card has `base_model_relation`, `base_model:{relation}:`; `license:`.
 * - Datasets: `task_categories:`, `task_ids:`, `annotations_creators:`, `language_creators:`, `multilinguality:`,
 *   `source_datasets:`, `language:`, `license:`, `size_categories:`, `arxiv:`, then the card's `tags`.
 * - Spaces: the SDK, then the card's `tags`.
 *
 * The library is `library_name`, else what files give away; where it names another one, `config.json` does not say
 * transformers. The pipeline tag is `pipeline_tag`, else the first of the card's
 * tags that is a task, else `sentence-similarity` for sentence-transformers. `region:` is not added. Values that are
 * no text are skipped, so a card that breaks the rules still has facts. `markdown` is the card's whole text.
 */
export function deriveCardFacts(
  type: RepoType,
  data: CardData | null,
  files: readonly string[],
  markdown = '',
): CardFacts {
  const card = data ?? {}
  const licenses = texts(card, 'license')
  const facts = {
    license: licenses[0] ?? null,
    languages: texts(card, 'language'),
    datasets: texts(card, 'datasets'),
    baseModels: texts(card, 'base_model'),
  }
  const tags = texts(card, 'tags')
  if (type === 'space') {
    const sdk = texts(card, 'sdk')[0] ?? null
    return {
      ...facts,
      tags: unique([...(sdk === null ? [] : [sdk]), ...tags]),
      pipelineTag: null,
      libraryName: null,
      sdk,
    }
  }
  const arxiv = arxivTags(markdown)
  const license = prefixed('license', licenses)
  if (type === 'dataset') {
    const described = DATASET_KEYS.flatMap((key) => prefixed(key, texts(card, key)))
    const all = unique([...described, ...arxiv, ...tags])
    return { ...facts, tags: all, pipelineTag: null, libraryName: null, sdk: null }
  }
  const named = texts(card, 'library_name')[0] ?? null
  const hints = fileTags(files).filter((tag) => tag !== 'transformers' || loadsWithTransformers(named))
  const libraryName = named ?? LIBRARIES.find((library) => hints.includes(library)) ?? null
  const pipelineTag =
    texts(card, 'pipeline_tag')[0] ??
    tags.find((tag) => PIPELINE_TAGS.has(tag)) ??
    (libraryName === 'sentence-transformers' ? 'sentence-similarity' : null)
  const relation = texts(card, 'base_model_relation')[0]
  const all = unique([
    ...(libraryName === null ? [] : [libraryName]),
    ...hints,
    ...(pipelineTag === null ? [] : [pipelineTag]),
    ...tags,
    ...facts.languages,
    ...prefixed('dataset', facts.datasets),
    ...arxiv,
    ...prefixed('base_model', facts.baseModels),
    ...(relation === undefined ? [] : prefixed(`base_model:${relation}`, facts.baseModels)),
    ...license,
  ])
  return { ...facts, tags: all, pipelineTag, libraryName, sdk: null }
}

const DATASET_KEYS: readonly string[] = [
  'task_categories',
  'task_ids',
  'annotations_creators',
  'language_creators',
  'multilinguality',
  'source_datasets',
  'language',
  'license',
  'size_categories',
]

function fileTags(files: readonly string[]): string[] {
  const found = FILE_TAGS.filter(([, pattern]) => files.some((file) => pattern.test(file))).map(
    ([tag]) => tag,
  )
  // A config.json alone is anybody's; beside weights it is what transformers writes.
  return found.filter((tag) => tag !== 'transformers' || found.some((other) => WEIGHTS.has(other)))
}

/** Many libraries write a config.json; a card that names one of them is believed. */
function loadsWithTransformers(named: string | null): boolean {
  return named === null || named === 'transformers' || named === 'sentence-transformers'
}

function arxivTags(markdown: string): string[] {
  const addresses = markdown
    .slice(0, CARD_TEXT_SCAN_MAX)
    .matchAll(/\barxiv\.org\/(?:abs|pdf)\/(\d{4}\.\d{4,5})(?!\d)/gi)
  return prefixed('arxiv', unique([...addresses].map((match) => match[1] ?? '')))
}

/** The text or texts under a key; anything else, and what is too long for a tag, is skipped. */
function texts(card: CardData, key: string): string[] {
  const value = Object.hasOwn(card, key) ? card[key] : null
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values
    .filter((item) => typeof item === 'string')
    .filter((item) => item !== '' && item.length <= CARD_TAG_LENGTH_MAX)
    .slice(0, CARD_TAGS_MAX)
}

function prefixed(prefix: string, values: readonly string[]): string[] {
  return values.map((value) => `${prefix}:${value}`)
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].slice(0, CARD_TAGS_MAX)
}
