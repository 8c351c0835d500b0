/**
 * Query and form parameters in the spellings of all client generations: `True`/`true`/`1`, `expand=a&expand=b`,
 * `expand[]=a` (hub-api.md §1.1, clients.md §0.10). Values are what a parser of queries, forms or JSON bodies yields.
 */
import { HubError } from '../errors.ts'
import { QUERY_LIST_MAX, QUERY_VALUE_LENGTH_MAX } from '../limits.ts'
import { printable, type RepoType } from '../repo-id.ts'

/** A parsed query, form or JSON body. */
export type Parameters = Readonly<Record<string, unknown>>

/** False when absent or null. Throws `BadRequest` for anything but true, false, 1 and 0 in any case. */
export function readBoolean(parameters: Parameters, name: string): boolean {
  const value = own(parameters, name)
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' || typeof value === 'number' ? String(value).toLowerCase() : ''
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  throw new HubError('BadRequest', `'${name}' must be true or false`)
}

/**
 * The values of `name` and `name[]`, single or repeated, in order. Throws `BadRequest` when one is no string or is too
 * long, `TooLarge` when there are more than `countMax`.
 */
export function readList(parameters: Parameters, name: string, countMax: number = QUERY_LIST_MAX): string[] {
  const values = [own(parameters, name), own(parameters, `${name}[]`)]
    .filter((value) => value !== undefined)
    .flat()
  // The Hub's own words for paths-info.
  if (values.length > countMax)
    throw new HubError('TooLarge', `too many parameters: '${name}' has more than ${countMax}`)
  return values.map((value) => {
    if (typeof value !== 'string') throw new HubError('BadRequest', `'${name}' must be text`)
    if (value.length > QUERY_VALUE_LENGTH_MAX) throw new HubError('BadRequest', `'${name}' is too long`)
    return value
  })
}

/**
 * What `expand` of repository info may name. From huggingface_hub 2.4.0 `hf_api.py`; `xetEnabled` is sent by 0.30 to
 * 0.36, `gitalyUid` by @huggingface/hub 2.17.5.
 */
const EXPANDABLE: Readonly<Record<RepoType, readonly string[]>> = {
  model:
    words(`author baseModels cardData childrenModelCount config createdAt disabled downloads downloadsAllTime
    evalResults gated gguf gitalyUid inference inferenceProviderMapping lastModified library_name likes mask_token
    model-index pipeline_tag private resourceGroup safetensors sha siblings spaces tags transformersInfo trendingScore
    usedStorage widgetData xetEnabled`),
  dataset:
    words(`author cardData citation createdAt description disabled downloads downloadsAllTime gated gitalyUid
    lastModified likes mainSize paperswithcode_id private resourceGroup sha siblings tags trendingScore usedStorage
    xetEnabled`),
  space: words(`author cardData createdAt datasets disabled gitalyUid lastModified likes models private region
    resourceGroup runtime sdk sha siblings subdomain tags trendingScore usedStorage xetEnabled`),
}

function words(text: string): string[] {
  return text.split(/\s+/)
}

/** The properties asked for; empty for the default set. Throws `BadRequest` naming an unknown one and those allowed. */
export function readExpand(parameters: Parameters, type: RepoType): Set<string> {
  const asked = new Set(readList(parameters, 'expand'))
  for (const property of asked)
    if (!EXPANDABLE[type].includes(property))
      throw new HubError(
        'BadRequest',
        `Unknown 'expand' property '${printable(property, 64)}' of a ${type}; allowed are ${EXPANDABLE[type].join(', ')}`,
      )
  return asked
}

function own(parameters: Parameters, name: string): unknown {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined
}
