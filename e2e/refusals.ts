/**
 * What each call of `python/refusals.py` must raise, in its order. A class is one of the exception's ancestors, so
 * that it holds for 0.19.4 and the newest, which split some of them further.
 */
interface Refusal {
  name: string
  raises: string
  /** Any of these; where a reference says only what kind of error it is, more than one is right. */
  statuses: number[]
}

export const refusals: Refusal[] = [
  refusal('info of a missing repository', 'RepositoryNotFoundError', 404),
  refusal('info of a missing repository, anonymous', 'RepositoryNotFoundError', 401),
  refusal('info of a private repository', 'RepositoryNotFoundError', 404),
  refusal('info of a private repository, anonymous', 'RepositoryNotFoundError', 401),
  refusal('download from a private repository', 'RepositoryNotFoundError', 404),
  refusal('upload to a private repository', 'RepositoryNotFoundError', 404),
  refusal('download from a missing repository', 'RepositoryNotFoundError', 404),
  refusal('download of a missing file', 'EntryNotFoundError', 404),
  refusal('download of a missing revision', 'RevisionNotFoundError', 404),
  refusal('info of a missing revision', 'RevisionNotFoundError', 404),
  refusal('info of an unknown commit', 'RevisionNotFoundError', 404),
  refusal('commits of a missing revision', 'RevisionNotFoundError', 404),
  refusal('refs of a missing repository', 'RepositoryNotFoundError', 404),
  refusal('creating what exists', 'HfHubHTTPError', 409),
  refusal("creating in another's namespace", 'HfHubHTTPError', 403),
  refusal('creating with a read token', 'HfHubHTTPError', 403),
  refusal('deleting a missing repository', 'RepositoryNotFoundError', 404),
  refusal('deleting with a read token', 'HfHubHTTPError', 403),
  refusal("deleting another's repository", 'HfHubHTTPError', 403),
  refusal('commit on a stale parent', 'HfHubHTTPError', 412),
  refusal('commit on an unknown parent', 'HfHubHTTPError', 412),
  refusal('commit to a missing branch', 'RevisionNotFoundError', 404),
  refusal('commit with a read token', 'HfHubHTTPError', 403),
  refusal("commit to another's repository", 'HfHubHTTPError', 403),
  refusal('commit without a token', 'HfHubHTTPError', 401, 403),
  refusal('commit as a pull request', 'HfHubHTTPError', 501),
  refusal('delete of a missing file', 'EntryNotFoundError', 404),
  refusal('branch that exists', 'HfHubHTTPError', 409),
  refusal('branch from a missing revision', 'RevisionNotFoundError', 404),
  refusal('branch with a read token', 'HfHubHTTPError', 403),
  refusal('deleting a missing branch', 'HfHubHTTPError', 404),
  refusal('deleting the main branch', 'HfHubHTTPError', 400, 403, 409, 422),
  refusal('tag that exists', 'HfHubHTTPError', 409),
  refusal('tag on a missing revision', 'RevisionNotFoundError', 404),
  refusal('deleting a missing tag', 'HfHubHTTPError', 404),
  refusal('whoami with a wrong token', 'HTTPError', 401),
  refusal('info with a wrong token', 'HfHubHTTPError', 401),
]

function refusal(name: string, raises: string, ...statuses: number[]): Refusal {
  return { name, raises, statuses }
}
