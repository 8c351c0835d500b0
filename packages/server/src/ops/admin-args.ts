/** How arguments of administration are checked, and those that several commands take. */
import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { formatIssues, nameField } from './account-fields.ts'

export const registryField = z
  .string()
  .max(400)
  .regex(/^[^/]+\/[^/]+$/, 'a registry is given as ORG/SLUG')
  .transform((text) => {
    const [org = '', slug = ''] = text.split('/')
    return { org, slug }
  })

export const repoFields = {
  registry: registryField.nullish().transform((name) => name ?? null),
  type: z.enum(REPO_TYPES).default('model'),
  namespace: nameField,
  name: nameField,
}

/** BadRequest names each argument that is wrong. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new HubError('BadRequest', formatIssues(parsed.error).join('; '))
  return parsed.data
}
