-- An intent that fails alone while others pass has attempts of its own; a relay says which row formats it knows.
ALTER TABLE "outbox"."dead_letters" DROP CONSTRAINT "dead_letters_reason";--> statement-breakpoint
ALTER TABLE "outbox"."intents" ADD COLUMN "attempts" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "outbox"."intents" ADD COLUMN "retry_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "outbox"."relays" ADD COLUMN "format" smallint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "outbox"."dead_letters" ADD CONSTRAINT "dead_letters_reason" CHECK ("outbox"."dead_letters"."reason" IN ('rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted'));