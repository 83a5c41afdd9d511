/**
 * The shop's business tables, `people` and `orders`, and those for the final check:
 * - `people.version` counts the person's intents in commit order: it is incremented under the row lock;
 * - `expected` has the deliveries that must happen; the business transaction writes them;
 * - `rolled_back` has those that must not happen; another transaction writes them.
 */
export const SHOP_DDL = `
CREATE SCHEMA IF NOT EXISTS outbox_demo;
CREATE TABLE IF NOT EXISTS outbox_demo.people (
  id text PRIMARY KEY, email text NOT NULL, version integer NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.orders (
  id text PRIMARY KEY, person_id text NOT NULL, total_cents integer NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.expected (
  ref text PRIMARY KEY, run text NOT NULL, person_id text NOT NULL, position integer NOT NULL, is_event boolean NOT NULL);
CREATE TABLE IF NOT EXISTS outbox_demo.rolled_back (ref text PRIMARY KEY, run text NOT NULL);`
