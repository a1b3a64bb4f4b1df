/* What jp holds in memory, made for tests: the bytes are as jp lays its files out. */
#include "tests/mount/acted_jp.h"

#include <stdio.h>

struct acted_conversation acted_in_memory(struct acted_memory *memory, const char *digits,
					  const char *name, const char *title, int turns)
{
	char *events = memory->events;
	size_t room = sizeof(memory->events), used;

	(void)snprintf(memory->metadata, sizeof(memory->metadata),
		       "{\n  \"title\": \"%s\",\n  \"last_activated_at\": \"2026-03-06 "
		       "08:00:%02d.5\"\n}\n",
		       title, turns % 60);
	(void)snprintf(memory->base_config, sizeof(memory->base_config),
		       "{\n  \"assistant\": {\n    \"name\": \"jp\"\n  }\n}\n");
	used = (size_t)snprintf(events, room, "[");
	for (int i = 0; i < turns; i++)
		used += (size_t)snprintf(events + used, room - used,
					 "%s\n  {\n    \"timestamp\": \"2026-03-06 08:%02d:%02d.0\""
					 ",\n    \"type\": \"turn_start\"\n  },\n  {\n    "
					 "\"timestamp\": \"2026-03-06 08:%02d:%02d.5\",\n    "
					 "\"type\": \"chat_request\",\n    \"content\": \"%s, "
					 "question %d\"\n  }",
					 i > 0 ? "," : "", i / 60, i % 60, i / 60, i % 60, title,
					 i);
	(void)snprintf(events + used, room - used, "%s]\n", turns > 0 ? "\n" : "");
	return (struct acted_conversation){.digits = digits,
					   .name = name,
					   .metadata = memory->metadata,
					   .base_config = memory->base_config,
					   .events = events};
}
