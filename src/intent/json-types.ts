/** Any JSON value. Dates, NaN, Infinity, bigint, functions and class instances are not JSON and are refused. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** A JSON object. Keys whose value is `undefined` are left out, as `JSON.stringify` does. */
export type JsonObject = { readonly [key: string]: Json | undefined }
