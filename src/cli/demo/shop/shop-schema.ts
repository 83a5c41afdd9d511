import { boolean, integer, pgSchema, text } from 'drizzle-orm/pg-core'

const demo = pgSchema('outbox_demo')

/** The shop's business tables, and below them those for the final check. */
export const people = demo.table('people', {
  id: text('id').primaryKey(),
  email: text('email').notNull(),
  /** Counts the person's intents in commit order: incremented under the row lock. */
  version: integer('version').notNull(),
})

export const orders = demo.table('orders', {
  id: text('id').primaryKey(),
  personId: text('person_id').notNull(),
  totalCents: integer('total_cents').notNull(),
})

/** Deliveries that must happen. The business transaction writes them. */
export const expected = demo.table('expected', {
  ref: text('ref').primaryKey(),
  run: text('run').notNull(),
  personId: text('person_id').notNull(),
  position: integer('position').notNull(),
  isEvent: boolean('is_event').notNull(),
})

/** Deliveries that must not happen: of rolled-back transactions. Another transaction writes them. */
export const rolledBack = demo.table('rolled_back', {
  ref: text('ref').primaryKey(),
  run: text('run').notNull(),
})

export const SHOP_DDL = `
CREATE SCHEMA IF NOT EXISTS outbox_demo;
CREATE TABLE IF NOT EXISTS outbox_demo.people (
  id text PRIMARY KEY, email text NOT NULL, version integer NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.orders (
  id text PRIMARY KEY, person_id text NOT NULL, total_cents integer NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.expected (
  ref text PRIMARY KEY, run text NOT NULL, person_id text NOT NULL, position integer NOT NULL, is_event boolean NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.rolled_back (ref text PRIMARY KEY, run text NOT NULL);`
