/**
 * A schema for the data of an event: the interface Standard Schema, version 1, which zod, valibot, arktype and other
 * libraries implement. `Input` is what an app gives, `Output` what the schema returns and the outbox stores.
 *
 * The interface is copied from its specification, so that no package is needed for it.
 */
export interface EventSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    /** Standard JSON Schema: the schema as data. Only some libraries and versions have it. */
    readonly jsonSchema?: { readonly input: (options: JsonSchemaOptions) => Record<string, unknown> }
  }
}

/** The output of a schema, or its issues. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** What a value lacks. Its message may quote the value. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

interface JsonSchemaOptions {
  readonly target: 'draft-2020-12'
  readonly libraryOptions?: Record<string, unknown> | undefined
}

/**
 * A tracking plan: a schema for each event, by the event's name. A name has 1 to 100 bytes.
 *
 * @example
 * ```ts
 * import type { EventPlan } from 'customerio-outbox'
 * import { z } from 'zod'
 *
 * export const events = {
 *   signed_up: z.object({ source: z.string().optional() }),
 *   order_placed: z.object({ total: z.number() }),
 * } satisfies EventPlan
 * ```
 */
export type EventPlan = Readonly<Record<string, EventSchema>>

/** The data that an app gives for an event with this schema. It may be read-only: a schema does not change it. */
export type EventInput<Schema extends EventSchema> = Immutable<
  NonNullable<Schema['~standard']['types']>['input']
>

type Immutable<T> = T extends string | number | boolean | bigint | symbol | null | undefined
  ? T
  : T extends readonly (infer Element)[]
    ? number extends T['length']
      ? readonly Immutable<Element>[]
      : { readonly [Index in keyof T]: Immutable<T[Index]> }
    : T extends object
      ? { readonly [Key in keyof T]: Immutable<T[Key]> }
      : T
