/** Any JSON value. `enqueue` refuses dates, NaN, Infinity, bigint, functions and class instances. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** A JSON object. Keys with the value `undefined` are left out, as `JSON.stringify` does. */
export type JsonObject = { readonly [key: string]: Json | undefined }

/**
 * An object whose values JSON holds, of any type: an `interface` too, which has no index signature and so is no
 * {@link JsonObject}. A type with a value that JSON cannot hold, such as a Date or a function, becomes one that nothing
 * can be assigned to.
 */
export type JsonData<T> = T & (T extends JsonObject ? unknown : JsonFields<T>)

type JsonFields<T> = T extends readonly unknown[]
  ? never
  : T extends object
    ? { readonly [Key in keyof T]: JsonValue<T[Key]> }
    : never

type JsonValue<T> = T extends Json | undefined
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends readonly (infer Element)[]
      ? readonly JsonValue<Element>[]
      : T extends object
        ? { readonly [Key in keyof T]: JsonValue<T[Key]> }
        : never
