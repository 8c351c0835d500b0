import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { reviewCard } from '../../../ops/documents.ts'
import { readJson } from '../../body.ts'
import type { Route } from '../../route.ts'

const Body = z.object({ content: z.string(), repoType: z.enum(REPO_TYPES).default('model') })

export const validateYamlRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/validate-yaml',
    hub: 'POST /api/validate-yaml',
    /** Always JSON: huggingface_hub parses the body before it looks at the status (2.4.0, `hf_api.py`). */
    async handle({ ops, body }) {
      const { content, repoType } = await readJson(body, Body)
      const result = await reviewCard(ops, content, repoType)
      return { status: result.errors.length > 0 ? 400 : 200, json: result }
    },
  },
]
