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
