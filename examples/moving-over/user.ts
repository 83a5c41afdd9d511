import type pg from 'pg'

export interface User {
  readonly id: string
  readonly email: string
  readonly plan: string
}

export async function insertUser(tx: pg.PoolClient, { id, email, plan }: User): Promise<void> {
  await tx.query('INSERT INTO users (id, email, plan) VALUES ($1, $2, $3)', [id, email, plan])
}

export function welcomeEmail({ id, email }: User) {
  return {
    to: email,
    identifiers: { id },
    transactional_message_id: 'welcome',
    message_data: { first: true },
  }
}
