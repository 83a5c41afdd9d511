CREATE TABLE "outbox"."rate_limits" (
	"name" text PRIMARY KEY NOT NULL,
	"arrives_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "outbox"."dead_letters" ADD COLUMN "requested_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "outbox"."delivered" ADD COLUMN "outcome" text DEFAULT 'delivered' NOT NULL;--> statement-breakpoint
ALTER TABLE "outbox"."delivered" ADD COLUMN "delivery_id" text;--> statement-breakpoint
ALTER TABLE "outbox"."intents" ADD COLUMN "sending_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "outbox"."delivered" ADD CONSTRAINT "delivered_outcome" CHECK ("outbox"."delivered"."outcome" IN ('delivered', 'suppressed_by_config'));