/** What the JSON files of a model say about how to load it: `config`, `transformersInfo` and `mask_token` of info replies. */

type Json = Record<string, unknown>

/** Parsed files; null where there is none. */
export interface ModelFiles {
  config: Json | null
  tokenizerConfig: Json | null
  modelIndex: Json | null
  adapterConfig: Json | null
}

/** Exactly these keys: the Python client passes them to a constructor. */
export interface TransformersInfo {
  auto_model: string
  custom_class?: string
  pipeline_tag?: string
  processor?: string
}

const CONFIG_KEYS = ['architectures', 'model_type', 'auto_map', 'quantization_config', 'torch_dtype']
const TOKENIZER_KEYS = [
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
  'sep_token',
  'cls_token',
  'mask_token',
]
/** A chat template of more is not sent with info. */
const TOKENIZER_TEXT_LENGTH_MAX = 100_000

/** The end of an architecture's name, the class that loads it, and what it is for. The first that fits counts. */
const HEADS: readonly [end: string, autoModel: string, pipelineTag: string | null][] = [
  ['ForCausalLM', 'AutoModelForCausalLM', 'text-generation'],
  ['LMHeadModel', 'AutoModelForCausalLM', 'text-generation'],
  ['ForMaskedLM', 'AutoModelForMaskedLM', 'fill-mask'],
  ['ForSequenceClassification', 'AutoModelForSequenceClassification', 'text-classification'],
  ['ForTokenClassification', 'AutoModelForTokenClassification', 'token-classification'],
  ['ForQuestionAnswering', 'AutoModelForQuestionAnswering', 'question-answering'],
  ['ForMultipleChoice', 'AutoModelForMultipleChoice', 'multiple-choice'],
  ['ForSpeechSeq2Seq', 'AutoModelForSpeechSeq2Seq', 'automatic-speech-recognition'],
  ['ForVision2Seq', 'AutoModelForVision2Seq', 'image-text-to-text'],
  ['ForConditionalGeneration', 'AutoModelForSeq2SeqLM', null],
  ['ForCTC', 'AutoModelForCTC', 'automatic-speech-recognition'],
  ['ForImageClassification', 'AutoModelForImageClassification', 'image-classification'],
  ['ForObjectDetection', 'AutoModelForObjectDetection', 'object-detection'],
  ['ForSemanticSegmentation', 'AutoModelForSemanticSegmentation', 'image-segmentation'],
  ['ForAudioClassification', 'AutoModelForAudioClassification', 'audio-classification'],
  ['ForDepthEstimation', 'AutoModelForDepthEstimation', 'depth-estimation'],
]

/** Null when no file says anything. */
export function deriveConfig({
  config,
  tokenizerConfig,
  modelIndex,
  adapterConfig,
}: ModelFiles): Json | null {
  const tokenizer = pick(tokenizerConfig, TOKENIZER_KEYS)
  for (const key of TOKENIZER_KEYS) {
    const token = tokenText(tokenizer[key])
    if (token === null) delete tokenizer[key]
    else tokenizer[key] = token
  }
  const template = tokenizerConfig?.['chat_template']
  if (typeof template === 'string' && template.length <= TOKENIZER_TEXT_LENGTH_MAX)
    tokenizer['chat_template'] = template
  const diffusers = pick(modelIndex, ['_class_name'])
  const peft = pick(adapterConfig, ['base_model_name_or_path', 'task_type'])
  const derived: Json = {
    ...pick(config, CONFIG_KEYS),
    ...(Object.keys(tokenizer).length > 0 && { tokenizer_config: tokenizer }),
    ...(Object.keys(diffusers).length > 0 && { diffusers }),
    ...(Object.keys(peft).length > 0 && { peft }),
  }
  return Object.keys(derived).length > 0 ? derived : null
}

/** Null unless a config.json names an architecture. `files` are paths. */
export function deriveTransformersInfo(
  config: Json | null,
  files: readonly string[],
): TransformersInfo | null {
  const architectures = config?.['architectures']
  const first: unknown = Array.isArray(architectures) ? architectures[0] : null
  if (typeof first !== 'string') return null
  const [, autoModel, pipelineTag] = HEADS.find(([end]) => first.endsWith(end)) ?? ['', 'AutoModel', null]
  const custom = isJson(config?.['auto_map']) ? config['auto_map'][autoModel] : null
  const has = (...names: string[]) => names.some((name) => files.includes(name))
  const processor = has('processor_config.json')
    ? 'AutoProcessor'
    : has('tokenizer.json', 'tokenizer_config.json', 'vocab.json', 'vocab.txt')
      ? has('preprocessor_config.json')
        ? 'AutoProcessor'
        : 'AutoTokenizer'
      : has('preprocessor_config.json')
        ? 'AutoProcessor'
        : null
  return {
    auto_model: autoModel,
    ...(typeof custom === 'string' && { custom_class: custom }),
    ...(pipelineTag !== null && { pipeline_tag: pipelineTag }),
    ...(processor !== null && { processor }),
  }
}

export function maskToken({ tokenizerConfig }: ModelFiles): string | null {
  return tokenText(tokenizerConfig?.['mask_token'])
}

/** A token is written as text or as an object with its text in `content`. */
function tokenText(token: unknown): string | null {
  const text = isJson(token) ? token['content'] : token
  return typeof text === 'string' && text.length <= TOKENIZER_TEXT_LENGTH_MAX ? text : null
}

function pick(source: Json | null, keys: readonly string[]): Json {
  const found: Json = {}
  if (source === null) return found
  for (const key of keys)
    if (Object.hasOwn(source, key) && source[key] !== null && source[key] !== undefined)
      found[key] = source[key]
  return found
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
