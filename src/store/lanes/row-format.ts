/** `intents.payload` is the payload that was given to `outbox.enqueue`. The relay converts it before the request. */
export const PAYLOAD_FORMAT = 1

/** `intents.payload` is wire text: the operation as Customer.io takes it, as `outbox.wire_of` makes it. */
export const WIRE_FORMAT = 2

/** `intents.payload` is an envelope: the payload of format 1, encrypted (`src/encryption/envelope.ts`). */
export const ENCRYPTED_FORMAT = 3

/**
 * The highest `intents.format` that this version knows. A row of a later format comes from a newer app, and stays in the
 * queue for a newer relay.
 */
export const ROW_FORMAT = ENCRYPTED_FORMAT
