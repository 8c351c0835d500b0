/**
 * `POST /api/validate-yaml`: what is wrong with a card's metadata, in the words that users of the Hub know. Unknown keys are
 * fine. Every version of huggingface_hub from 0.21 asks before it uploads a README.md and gives up when there are errors.
 */
import { z } from 'zod'

import { CARD_MESSAGES_MAX } from '../limits.ts'
import { printable, type RepoType } from '../repo-id.ts'
import { LICENSES, PIPELINE_TAGS, SPACE_COLORS, SPACE_SDKS } from './card-vocabulary.ts'
import { parseCard, type CardData } from './card.ts'

export interface CardReport {
  errors: { message: string }[]
  warnings: { message: string }[]
}

const text = z.string('must be a string')
const textList = z.array(text, 'must be an array')
const textOrList = z.union([text, textList], 'must be a string or an array of strings')
const oneOf = (words: ReadonlySet<string>) =>
  text.refine((value) => words.has(value), { error: `must be one of [${[...words].join(', ')}]` })
const license = oneOf(LICENSES)

const COMMON = {
  license: z.union([license, z.array(license)], { error: licenseMessage }),
  license_name: text,
  license_link: text,
  tags: textList,
  language: textOrList,
  pretty_name: text,
}

const named = z.looseObject({ type: text, name: text.nullish() }, 'must be an object')
const MODEL_INDEX = z.array(
  z.looseObject(
    {
      name: text,
      results: z.array(
        z.looseObject(
          {
            task: named,
            dataset: named.nullish(),
            metrics: z.array(
              z.looseObject({ type: text, value: z.unknown() }, 'must be an object'),
              'must be an array',
            ),
          },
          'must be an object',
        ),
        'must be an array',
      ),
    },
    'must be an object',
  ),
  'must be an array',
)

const RULES: Readonly<Record<RepoType, Readonly<Record<string, z.ZodType>>>> = {
  model: {
    ...COMMON,
    datasets: textOrList,
    base_model: textOrList,
    base_model_relation: text,
    metrics: textOrList,
    library_name: text,
    pipeline_tag: text,
    inference: z.unknown(),
    'model-index': MODEL_INDEX,
  },
  dataset: {
    ...COMMON,
    annotations_creators: textOrList,
    language_creators: textOrList,
    multilinguality: textOrList,
    size_categories: textOrList,
    source_datasets: textOrList,
    task_categories: textOrList,
    task_ids: textOrList,
    configs: z.array(
      z.looseObject({ config_name: text.optional() }, 'must be an object'),
      'must be an array',
    ),
  },
  space: {
    ...COMMON,
    title: text,
    emoji: text,
    colorFrom: oneOf(SPACE_COLORS),
    colorTo: oneOf(SPACE_COLORS),
    sdk: oneOf(SPACE_SDKS),
    sdk_version: z.union([text, z.number()], 'must be a string'),
    python_version: z.union([text, z.number()], 'must be a string'),
    app_file: text,
    app_port: z
      .int('must be a port number')
      .min(1, 'must be a port number')
      .max(65535, 'must be a port number'),
    pinned: z.boolean('must be a boolean'),
    models: textList,
    datasets: textList,
  },
}

function licenseMessage(issue: { input?: unknown }): string {
  const isText = typeof issue.input === 'string' || Array.isArray(issue.input)
  return isText ? `must be one of [${[...LICENSES].join(', ')}]` : 'must be a string or an array of strings'
}

/** The report for a whole README.md. With errors the route answers 400, otherwise 200. */
export function validateCard(content: string, repoType: RepoType): CardReport {
  const { data, problems } = parseCard(content)
  if (problems.length > 0)
    return {
      errors: problems.map((problem) => ({ message: `Invalid YAML metadata: ${problem}` })),
      warnings: [],
    }
  if (data === null || Object.keys(data).length === 0)
    return { errors: [], warnings: [{ message: 'empty or missing yaml metadata in repo card' }] }
  const errors: string[] = []
  for (const [key, rule] of Object.entries(RULES[repoType])) {
    // A key without a value says nothing, as a template leaves it.
    if (!Object.hasOwn(data, key) || data[key] === null) continue
    const checked = rule.safeParse(data[key])
    if (!checked.success)
      for (const issue of checked.error.issues) errors.push(`"${pathOf(key, issue.path)}" ${issue.message}`)
  }
  return { errors: messages(errors), warnings: messages(warningsOf(data, repoType)) }
}

function warningsOf(data: CardData, repoType: RepoType): string[] {
  const warnings: string[] = []
  const task = data['pipeline_tag']
  if (repoType === 'model' && typeof task === 'string' && !PIPELINE_TAGS.has(task))
    warnings.push(`"pipeline_tag" '${printable(task)}' is not a known task`)
  if (repoType === 'space' && !Object.hasOwn(data, 'sdk')) warnings.push('"sdk" is missing')
  const languages = Array.isArray(data['language']) ? data['language'] : [data['language']]
  for (const language of languages)
    if (
      typeof language === 'string' &&
      !/^(?:[a-z]{2,3}(?:[-_][A-Za-z0-9]+)*|code|multilingual)$/.test(language)
    )
      warnings.push(`"language" '${printable(language)}' is not an ISO 639 code, "code" or "multilingual"`)
  return warnings
}

/** `model-index[0].results` as the Hub writes it. */
function pathOf(key: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : `${text}.${printable(String(part), 40)}`,
    key,
  )
}

function messages(texts: readonly string[]): { message: string }[] {
  return texts.slice(0, CARD_MESSAGES_MAX).map((message) => ({ message }))
}
