/** Tests that want a PostgreSQL find one; it starts when the first of them asks. */
export { offerPostgres as default } from '../packages/testkit/src/test-postgres.ts'
