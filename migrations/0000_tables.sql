CREATE SCHEMA IF NOT EXISTS "outbox";
--> statement-breakpoint
CREATE TABLE "outbox"."actions" (
	"action_id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"filter" jsonb NOT NULL,
	"options" jsonb NOT NULL,
	"plan" text NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"total" bigint NOT NULL,
	"processed" bigint DEFAULT 0 NOT NULL,
	"requested_by" text NOT NULL,
	"reason" text,
	"requested_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"error" text,
	"position" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"result" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "actions_kind" CHECK ("outbox"."actions"."kind" IN ('redrive', 'discard', 'replay', 'erase', 'cancel', 'reschedule', 'backfill')),
	CONSTRAINT "actions_state" CHECK ("outbox"."actions"."state" IN ('queued', 'running', 'done', 'cancelled', 'failed')),
	CONSTRAINT "actions_finished" CHECK (("outbox"."actions"."finished_at" IS NOT NULL) = ("outbox"."actions"."state" IN ('done', 'cancelled', 'failed'))),
	CONSTRAINT "actions_error" CHECK ("outbox"."actions"."error" IS NULL OR "outbox"."actions"."state" IN ('running', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "outbox"."archive" (
	"id" uuid NOT NULL,
	"destination" text NOT NULL,
	"seq" bigint NOT NULL,
	"format" smallint NOT NULL,
	"operation" text NOT NULL,
	"name" text,
	"payload" json NOT NULL,
	"ordering_key" text NOT NULL,
	"on_ambiguous" text NOT NULL,
	"enqueued_at" timestamp with time zone NOT NULL,
	"delivered_at" timestamp with time zone NOT NULL,
	"drop_on" date NOT NULL
) PARTITION BY RANGE ("drop_on");
--> statement-breakpoint
CREATE TABLE "outbox"."breaker_transitions" (
	"ordinal" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox"."breaker_transitions_ordinal_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"destination" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"from_state" text NOT NULL,
	"to_state" text NOT NULL,
	"reason" text NOT NULL,
	"relay_id" uuid
);
--> statement-breakpoint
CREATE TABLE "outbox"."breakers" (
	"destination" text PRIMARY KEY NOT NULL,
	"state" text DEFAULT 'closed' NOT NULL,
	"failure_count" integer DEFAULT 0 NOT NULL,
	"last_failure_at" timestamp with time zone,
	"last_error" text,
	"opened_at" timestamp with time zone,
	"retry_at" timestamp with time zone,
	"consecutive_opens" integer DEFAULT 0 NOT NULL,
	"probe_relay" uuid,
	"probe_until" timestamp with time zone,
	"rate_limited_until" timestamp with time zone,
	CONSTRAINT "breakers_state" CHECK ("outbox"."breakers"."state" IN ('closed', 'open', 'half_open', 'paused', 'rejecting')),
	CONSTRAINT "breakers_open_since" CHECK ("outbox"."breakers"."state" = 'closed' OR "outbox"."breakers"."opened_at" IS NOT NULL),
	CONSTRAINT "breakers_probe" CHECK (("outbox"."breakers"."state" = 'half_open') = ("outbox"."breakers"."probe_relay" IS NOT NULL)),
	CONSTRAINT "breakers_probe_lease" CHECK (("outbox"."breakers"."probe_relay" IS NULL) = ("outbox"."breakers"."probe_until" IS NULL))
);
--> statement-breakpoint
CREATE TABLE "outbox"."dead_letters" (
	"id" uuid NOT NULL,
	"destination" text NOT NULL,
	"seq" bigint NOT NULL,
	"format" smallint NOT NULL,
	"operation" text NOT NULL,
	"name" text,
	"payload" jsonb NOT NULL,
	"ordering_key" text NOT NULL,
	"priority" text NOT NULL,
	"on_ambiguous" text NOT NULL,
	"enqueued_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"dead_at" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	"status" smallint,
	"field" text,
	"message" text,
	"requested_at" timestamp with time zone,
	"holds" boolean DEFAULT false NOT NULL,
	CONSTRAINT "dead_letters_pkey" PRIMARY KEY("id"),
	CONSTRAINT "dead_letters_reason" CHECK ("outbox"."dead_letters"."reason" IN ('rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted'))
);
--> statement-breakpoint
CREATE TABLE "outbox"."dedup" (
	"workspace" text NOT NULL,
	"key" text NOT NULL,
	"intent_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "dedup_pkey" PRIMARY KEY("workspace","key")
);
--> statement-breakpoint
CREATE TABLE "outbox"."delivered" (
	"id" uuid NOT NULL,
	"destination" text NOT NULL,
	"lane" smallint NOT NULL,
	"seq" bigint NOT NULL,
	"operation" text NOT NULL,
	"name" text,
	"ordering_key" text NOT NULL,
	"enqueued_at" timestamp with time zone NOT NULL,
	"delivered_at" timestamp with time zone NOT NULL,
	"outcome" text DEFAULT 'delivered' NOT NULL,
	"delivery_id" text,
	CONSTRAINT "delivered_outcome" CHECK ("outbox"."delivered"."outcome" IN ('delivered', 'suppressed_by_config'))
) PARTITION BY RANGE ("delivered_at");
--> statement-breakpoint
CREATE TABLE "outbox"."event_plan" (
	"name" text PRIMARY KEY NOT NULL,
	"required" text[] NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox"."history" (
	"id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"event" text NOT NULL,
	"action_id" uuid,
	"by_user" text,
	"detail" text,
	"payload" jsonb,
	CONSTRAINT "history_event" CHECK ("outbox"."history"."event" IN ('edited', 'redriven', 'discarded', 'replayed', 'cancelled', 'rescheduled'))
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "outbox"."intents" (
	"destination" text NOT NULL,
	"lane" smallint NOT NULL,
	"seq" bigint GENERATED ALWAYS AS IDENTITY (sequence name "outbox"."intents_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" uuid NOT NULL,
	"format" smallint DEFAULT 1 NOT NULL,
	"operation" text NOT NULL,
	"name" text,
	"payload" json NOT NULL,
	"ordering_key" text NOT NULL,
	"priority" text DEFAULT 'normal' NOT NULL,
	"on_ambiguous" text DEFAULT 'park' NOT NULL,
	"enqueued_at" timestamp with time zone NOT NULL,
	"send_after" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"sending_at" timestamp with time zone,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"retry_at" timestamp with time zone,
	CONSTRAINT "intents_pkey" PRIMARY KEY("destination","lane","seq"),
	CONSTRAINT "intents_lane" CHECK ("outbox"."intents"."lane" BETWEEN -33 AND 31),
	CONSTRAINT "intents_scheduled_has_time" CHECK ("outbox"."intents"."lane" <> -1 OR "outbox"."intents"."send_after" IS NOT NULL),
	CONSTRAINT "intents_destination" CHECK ("outbox"."intents"."destination" ~ '^[^/]+/(track|app|broadcast|pipelines)$')
);
--> statement-breakpoint
CREATE TABLE "outbox"."lanes" (
	"destination" text NOT NULL,
	"lane" smallint NOT NULL,
	"epoch" bigint DEFAULT 1 NOT NULL,
	"relay_id" uuid,
	"taken_at" timestamp with time zone,
	"watermark" bigint DEFAULT 0 NOT NULL,
	"provisional_watermark" bigint DEFAULT 0 NOT NULL,
	"provisional_xids" bigint[] DEFAULT '{}' NOT NULL,
	"release_requests" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "lanes_pkey" PRIMARY KEY("destination","lane"),
	CONSTRAINT "lanes_holder" CHECK (("outbox"."lanes"."relay_id" IS NULL) = ("outbox"."lanes"."taken_at" IS NULL)),
	CONSTRAINT "lanes_provisional" CHECK ("outbox"."lanes"."provisional_watermark" >= "outbox"."lanes"."watermark")
);
--> statement-breakpoint
CREATE TABLE "outbox"."locks" (
	"name" text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox"."origin" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"system_identifier" text,
	"database_oid" bigint NOT NULL,
	"database_name" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "origin_one" CHECK ("outbox"."origin"."one")
);
--> statement-breakpoint
CREATE TABLE "outbox"."rate_limits" (
	"name" text PRIMARY KEY NOT NULL,
	"arrives_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox"."relays" (
	"relay_id" uuid PRIMARY KEY NOT NULL,
	"host" text NOT NULL,
	"pid" integer NOT NULL,
	"version" text NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"polls_failing_since" timestamp with time zone,
	"poll_error" text,
	"format" smallint DEFAULT 1 NOT NULL,
	"schema_version" integer,
	"encryption_keys" text[]
);
--> statement-breakpoint
CREATE TABLE "outbox"."settled_counts" (
	"minute" timestamp with time zone NOT NULL,
	"destination" text NOT NULL,
	"lane" smallint NOT NULL,
	"bin" smallint NOT NULL,
	"count" bigint NOT NULL,
	CONSTRAINT "settled_counts_pkey" PRIMARY KEY("minute","destination","lane","bin")
);
--> statement-breakpoint
CREATE TABLE "outbox"."unserved_workspaces" (
	"slot" smallint PRIMARY KEY NOT NULL,
	"name" text
);
--> statement-breakpoint
CREATE TABLE "outbox"."workspaces" (
	"name" text PRIMARY KEY NOT NULL,
	"served_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "actions_open" ON "outbox"."actions" USING btree ("requested_at") WHERE "outbox"."actions"."state" IN ('queued', 'running');--> statement-breakpoint
CREATE INDEX "archive_order" ON "outbox"."archive" USING btree ("seq","id");--> statement-breakpoint
CREATE INDEX "archive_id" ON "outbox"."archive" USING brin ("id") WITH (pages_per_range=64);--> statement-breakpoint
CREATE INDEX "archive_person" ON "outbox"."archive" USING brin ("ordering_key" text_bloom_ops(n_distinct_per_range=2000)) WITH (pages_per_range=64);--> statement-breakpoint
CREATE INDEX "breaker_transitions_at" ON "outbox"."breaker_transitions" USING btree ("at");--> statement-breakpoint
CREATE INDEX "dead_letters_summary" ON "outbox"."dead_letters" USING btree ("destination","operation","reason","dead_at");--> statement-breakpoint
CREATE INDEX "dead_letters_newest" ON "outbox"."dead_letters" USING btree ("dead_at","destination");--> statement-breakpoint
CREATE INDEX "dead_letters_person" ON "outbox"."dead_letters" USING btree ("ordering_key");--> statement-breakpoint
CREATE INDEX "dead_letters_order" ON "outbox"."dead_letters" USING btree ("seq","id");--> statement-breakpoint
CREATE INDEX "dedup_expiry" ON "outbox"."dedup" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "dedup_intent" ON "outbox"."dedup" USING btree ("intent_id");--> statement-breakpoint
CREATE INDEX "delivered_message" ON "outbox"."delivered" USING btree ("delivery_id") WHERE "outbox"."delivered"."delivery_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "delivered_id" ON "outbox"."delivered" USING brin ("id") WITH (pages_per_range=64);--> statement-breakpoint
CREATE INDEX "delivered_person" ON "outbox"."delivered" USING brin ("ordering_key" text_bloom_ops(n_distinct_per_range=4500)) WITH (pages_per_range=64);--> statement-breakpoint
CREATE INDEX "history_id" ON "outbox"."history" USING btree ("id");--> statement-breakpoint
CREATE INDEX "history_edited" ON "outbox"."history" USING btree ("at") WHERE "outbox"."history"."payload" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "intents_scheduled" ON "outbox"."intents" USING btree ("destination","send_after","seq") WHERE "outbox"."intents"."lane" = -1;--> statement-breakpoint
CREATE INDEX "intents_held" ON "outbox"."intents" USING btree ("destination","lane","ordering_key","seq") WHERE "outbox"."intents"."lane" < -1;
--> statement-breakpoint
COMMENT ON COLUMN "outbox".dead_letters.requested_at IS
  'Reason ambiguous: when the request with the unknown outcome began. Check in Customer.io before you send the intent again.';
