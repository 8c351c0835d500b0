/** Tags sorted by what they say, for `/api/models-tags-by-type` and `/api/datasets-tags-by-type`. */
import type { RepoType } from '../repo-id.ts'
import { PIPELINE_TAGS } from './card-vocabulary.ts'

export interface TypedTag {
  id: string
  label: string
  type: string
}

const MODEL_PREFIXES = ['license', 'dataset', 'arxiv', 'base_model', 'region', 'doi']
const DATASET_PREFIXES = [
  'task_categories',
  'task_ids',
  'language',
  'license',
  'size_categories',
  'multilinguality',
  'arxiv',
  'annotations_creators',
  'language_creators',
  'source_datasets',
  'format',
  'modality',
  'library',
  'region',
]
const LIBRARIES: ReadonlySet<string> = new Set(
  `pytorch tf jax safetensors transformers diffusers peft gguf onnx sentence-transformers tensorboard keras timm spacy
  flair sklearn fastai stanza asteroid espnet nemo paddlepaddle paddlenlp open_clip setfit span-marker adapter-transformers
  allennlp fasttext stable-baselines3 ml-agents mlx coreml openvino rust tflite unity-sentis bertopic pyannote-audio
  speechbrain transformers.js llamafile joblib`.split(/\s+/),
)

export function tagType(type: RepoType, tag: string): string {
  const colon = tag.indexOf(':')
  const prefix = colon === -1 ? '' : tag.slice(0, colon)
  const prefixes = type === 'dataset' ? DATASET_PREFIXES : MODEL_PREFIXES
  if (prefixes.includes(prefix)) return prefix
  if (type === 'dataset') return 'other'
  if (PIPELINE_TAGS.has(tag)) return 'pipeline_tag'
  if (LIBRARIES.has(tag)) return 'library'
  return /^[a-z]{2,3}$/.test(tag) ? 'language' : 'other'
}

export function tagsByType(type: RepoType, tags: readonly string[]): Record<string, TypedTag[]> {
  const found = new Map<string, TypedTag[]>()
  for (const tag of tags) {
    const kind = tagType(type, tag)
    const label = tag.startsWith(`${kind}:`) ? tag.slice(kind.length + 1) : tag
    found.set(kind, [...(found.get(kind) ?? []), { id: tag, label, type: kind }])
  }
  return Object.fromEntries(found)
}
