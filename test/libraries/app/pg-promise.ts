import createPgPromise from 'pg-promise'

export const db = createPgPromise()(process.env.DATABASE_URL ?? '')
