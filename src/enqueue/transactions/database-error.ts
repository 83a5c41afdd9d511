/** Where libraries keep the error of the database that they wrap. */
const WRAPPED = ['cause', 'original', 'driverError', 'driverAdapterError', 'meta'] as const

/**
 * What Postgres says about an error, by the names of the drivers. All other fields may hold the parameters: those that
 * libraries add, and `detail` and `where` of Postgres, which may quote a row.
 */
const FIELDS = [
  'name',
  'code',
  'errno',
  'severity',
  'severity_local',
  'hint',
  'position',
  'schema',
  'schema_name',
  'table',
  'table_name',
  'column',
  'column_name',
  'dataType',
  'constraint',
  'constraint_name',
  'file',
  'line',
  'routine',
] as const

const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/

/** Prisma's own codes look like a SQLSTATE: `P2010` says that a raw query failed. Postgres' class is `P0`. */
const PRISMA_CODE = /^P[1-9]/

type Fields = Readonly<Record<string, unknown>>

/**
 * The database's own error, without the statement and its parameters, which are customers' data. Libraries wrap the error in
 * errors of their own that list both, or write both into the error itself.
 *
 * @param text The statement. Knex writes it in front of the message.
 * @returns An error of the class, message and stack of the database driver's.
 */
export function databaseErrorOf(error: unknown, text: string): unknown {
  if (!(error instanceof Error)) return error
  let own: Fields = error as unknown as Fields
  for (let depth = 0, inner: Fields | undefined = own; inner && depth < 6; depth++) {
    if (inner instanceof Error || stateIn(inner)) own = inner
    inner = wrappedIn(inner)
  }
  return bare(own, text)
}

/** The SQLSTATE of an error, for example `25P01`. Undefined if the database did not raise it. */
export function stateOf(error: unknown): string | undefined {
  return error instanceof Error ? stateIn(error as unknown as Fields) : undefined
}

/** Errors without a SQLSTATE by which Kysely, Knex, PGlite and Prisma refuse a statement after the end of its transaction. */
const ENDED = /^Transaction (is already (committed|rolled back|aborted)|query already complete|is closed)/
const PRISMA_TRANSACTION_API_ERROR = 'P2028'

/** Whether a library refused the statement because its transaction has ended. */
export function saysEnded(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ENDED.test(error.message) || ('code' in error && error.code === PRISMA_TRANSACTION_API_ERROR)
}

/** Prisma's adapters keep the SQLSTATE in `originalCode`, Bun in `errno`, and all others in `code`. */
function stateIn({ originalCode, errno, code }: Fields): string | undefined {
  return [originalCode, errno, code].find(
    (value): value is string => typeof value === 'string' && SQLSTATE.test(value) && !PRISMA_CODE.test(value),
  )
}

function wrappedIn(wrapper: Fields): Fields | undefined {
  return WRAPPED.map((name) => wrapper[name]).find(
    (value): value is Fields => typeof value === 'object' && value !== null,
  )
}

function bare(own: Fields, text: string): Error {
  const message = String(own.originalMessage ?? own.message)
  const prefix = `${text} - `
  const error = new Error(message.startsWith(prefix) ? message.slice(prefix.length) : message)
  const set = (name: string, value: unknown, enumerable: boolean) =>
    Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true })
  if (own instanceof Error) {
    Object.setPrototypeOf(error, Object.getPrototypeOf(own))
    set('stack', own.stack, false)
  }
  for (const name of FIELDS) if (own[name] !== undefined) set(name, own[name], name !== 'name')
  const state = stateIn(own)
  if (state !== undefined) set('code', state, true)
  return error
}
