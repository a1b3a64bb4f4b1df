/*
 * From events to Markdown. See transcript.h.
 *
 * A tool's call and its result are shown each where it happened, and not together as jp has them:
 * results may come long after, and nothing has to be remembered for them but a name.
 */
#include "core/transcript.h"

#include "core/base/base64.h"
#include "core/base/utf8.h"
#include "core/conversation_id.h"
#include "core/event_reader.h"
#include "core/said.h"
#include "core/timestamp.h"
#include "core/transcript_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	DECISECOND_NS = 100000000,
	METADATA_BYTES_MAX = 1024 * 1024,
	CALLS_REMEMBERED = 64,
	NAME_BYTES = 128, /* longer ones are not remembered */
};

/* A tool call whose result may come. */
struct call {
	char id[NAME_BYTES], name[NAME_BYTES];
};

struct transcript {
	struct jp_markdown markdown;
	bool has_base; /* base_config.json is there */
	bool is_first; /* the event */
	uint64_t turns;
	struct call calls[CALLS_REMEMBERED]; /* a ring */
	size_t call_count;                   /* all that there were */
};

static bool is_string(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

static const char *string_of(const json_t *object, const char *key, size_t *ret_size)
{
	const json_t *value = json_object_get(object, key);

	*ret_size = json_string_length(value);
	return json_is_string(value) ? json_string_value(value) : "";
}

/* A short string on one line. */
static void put_line(struct transcript *transcript, const json_t *object, const char *key)
{
	size_t size;
	const char *text = string_of(object, key, &size);

	jp_markdown_line(&transcript->markdown, text, size);
}

/* ---- base64 ---- */

/* Every string in a value, at any depth; jansson reads no more than 2048 levels. */
static int decode_values(json_t *value)
{
	size_t index, size;
	const char *key;
	json_t *below;
	int r = 0;

	if (json_is_string(value)) {
		cleanup_free char *data = NULL;

		r = jp_base64_to_text(json_string_value(value), json_string_length(value), &data,
				      &size);
		if (r == 0 && json_string_setn(value, data, size) < 0)
			r = -ENOMEM;
		return r;
	}
	json_array_foreach(value, index, below)
	{
		r = decode_values(below);
		if (r < 0)
			return r;
	}
	json_object_foreach(value, key, below)
	{
		r = decode_values(below);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- events ---- */

/* When, after a heading. */
static void end_heading(struct transcript *transcript, const struct jp_event *event)
{
	char time[JP_TIMESTAMP_TEXT_BYTES];
	int64_t ns;

	if (jp_timestamp_parse(event->time, event->time_size, &ns) == 0) {
		jp_timestamp_format(ns, time);
		jp_markdown_format(&transcript->markdown, " \xe2\x80\x94 %s", time);
	}
	jp_markdown_put(&transcript->markdown, "\n\n");
}

static void begin_turn(struct transcript *transcript)
{
	transcript->turns++;
	transcript->markdown.turn = transcript->turns;
	transcript->markdown.part = JP_PART_FRAME;
	jp_markdown_format(&transcript->markdown, "## Turn %" PRIu64, transcript->turns);
}

/* What comes before the first start is a turn of its own. */
static void be_in_turn(struct transcript *transcript)
{
	if (transcript->turns > 0)
		return;
	begin_turn(transcript);
	jp_markdown_put(&transcript->markdown, "\n\n");
}

static int fence_value(struct transcript *transcript, const json_t *value)
{
	cleanup_free char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (text == NULL)
		return -ENOMEM;
	jp_markdown_fence(&transcript->markdown, "json", text, strlen(text));
	return 0;
}

static int show_request(struct transcript *transcript, const json_t *event,
			const struct jp_event *read)
{
	const json_t *schema = json_object_get(event, "schema");
	size_t size;
	const char *text = string_of(event, "content", &size);

	jp_markdown_put(&transcript->markdown, "### User");
	if (is_string(event, "author")) {
		jp_markdown_put(&transcript->markdown, " (");
		put_line(transcript, event, "author");
		jp_markdown_put(&transcript->markdown, ")");
	}
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_USER;
	jp_markdown_body(&transcript->markdown, text, size);
	if (schema == NULL || json_is_null(schema))
		return 0;
	jp_markdown_put(&transcript->markdown, "**Schema**\n\n");
	return fence_value(transcript, schema);
}

static int show_response(struct transcript *transcript, const json_t *event,
			 const struct jp_event *read)
{
	bool is_message = is_string(event, "message");
	size_t size;
	const char *text;

	if (!is_message && !is_string(event, "reasoning")) {
		jp_markdown_put(&transcript->markdown, "### Assistant (structured)");
		end_heading(transcript, read);
		transcript->markdown.part = JP_PART_ASSISTANT;
		return fence_value(transcript, json_object_get(event, "data"));
	}
	jp_markdown_put(&transcript->markdown, is_message ? "### Assistant" : "### Reasoning");
	end_heading(transcript, read);
	transcript->markdown.part = is_message ? JP_PART_ASSISTANT : JP_PART_REASONING;
	text = string_of(event, is_message ? "message" : "reasoning", &size);
	jp_markdown_body(&transcript->markdown, text, size);
	return 0;
}

static void remember_call(struct transcript *transcript, const json_t *event)
{
	struct call *call = &transcript->calls[transcript->call_count % CALLS_REMEMBERED];
	size_t id_size, name_size;
	const char *id = string_of(event, "id", &id_size);
	const char *name = string_of(event, "name", &name_size);

	if (id_size >= NAME_BYTES || name_size >= NAME_BYTES)
		return;
	memcpy(call->id, id, id_size + 1);
	memcpy(call->name, name, name_size + 1);
	transcript->call_count++;
}

/* The tool that was called by this ID, the last time; NULL: nobody knows. */
static const char *find_call(const struct transcript *transcript, const char *id)
{
	for (size_t i = 0; i < CALLS_REMEMBERED && i < transcript->call_count; i++) {
		const struct call *call =
			&transcript->calls[(transcript->call_count - 1 - i) % CALLS_REMEMBERED];

		if (strcmp(call->id, id) == 0)
			return call->name;
	}
	return NULL;
}

static int show_call(struct transcript *transcript, json_t *event, const struct jp_event *read)
{
	json_t *arguments = json_object_get(event, "arguments");
	int r;

	remember_call(transcript, event);
	jp_markdown_put(&transcript->markdown, "### Tool: ");
	put_line(transcript, event, "name");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_TOOL;
	if (arguments == NULL || (json_is_object(arguments) && json_object_size(arguments) == 0))
		return 0;
	r = decode_values(arguments);
	if (r < 0)
		return r;
	jp_markdown_put(&transcript->markdown, "**Arguments**\n\n");
	return fence_value(transcript, arguments);
}

static int show_result(struct transcript *transcript, const json_t *event,
		       const struct jp_event *read)
{
	cleanup_free char *data = NULL;
	size_t size, id_size;
	const char *text = string_of(event, "content", &size);
	const char *id = string_of(event, "id", &id_size), *name = find_call(transcript, id);
	int r = jp_base64_to_text(text, size, &data, &size);

	if (r < 0)
		return r;
	jp_markdown_put(&transcript->markdown, json_is_true(json_object_get(event, "is_error"))
						       ? "### Tool error: "
						       : "### Tool result: ");
	if (name != NULL) {
		jp_markdown_line(&transcript->markdown, name, strlen(name));
	} else {
		jp_markdown_put(&transcript->markdown, "of the call ");
		jp_markdown_line(&transcript->markdown, id, id_size);
	}
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_TOOL;
	jp_markdown_fence(&transcript->markdown, "", data, size);
	return 0;
}

static int show_inquiry(struct transcript *transcript, const json_t *event,
			const struct jp_event *read)
{
	const json_t *source = json_object_get(event, "source");
	const json_t *question = json_object_get(event, "question");
	size_t size;
	const char *text = string_of(question, "text", &size);

	jp_markdown_put(&transcript->markdown, "### Inquiry by ");
	put_line(transcript, source, is_string(source, "name") ? "name" : "source");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_TOOL;
	jp_markdown_body(&transcript->markdown, text, size);
	if (json_object_get(question, "answer_type") == NULL)
		return 0;
	jp_markdown_put(&transcript->markdown, "**Kind of answer**\n\n");
	return fence_value(transcript, json_object_get(question, "answer_type"));
}

static int show_answer(struct transcript *transcript, const json_t *event,
		       const struct jp_event *read)
{
	jp_markdown_put(&transcript->markdown, "### Answer to the inquiry");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_TOOL;
	return fence_value(transcript, json_object_get(event, "answer"));
}

static int show_compaction(struct transcript *transcript, const json_t *event,
			   const struct jp_event *read)
{
	jp_markdown_put(&transcript->markdown, "### Compaction");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_OTHER;
	return fence_value(transcript, event);
}

/* A kind that is not known, or not as it should be. */
static int show_unknown(struct transcript *transcript, const json_t *event,
			const struct jp_event *read)
{
	jp_markdown_put(&transcript->markdown, "### Event of another kind");
	if (is_string(event, "type")) {
		jp_markdown_put(&transcript->markdown, ": ");
		put_line(transcript, event, "type");
	}
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_OTHER;
	return fence_value(transcript, event);
}

/* An event that is no value that can be had. */
static void show_raw(struct transcript *transcript, const struct jp_event *read)
{
	jp_markdown_put(&transcript->markdown, "### Event that cannot be read");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_OTHER;
	if (read->text == NULL)
		jp_markdown_put(&transcript->markdown, "_(larger than 16 MiB)_\n\n");
	else if (jp_utf8_is_valid(read->text, read->size))
		jp_markdown_fence(&transcript->markdown, "json", read->text, read->size);
	else
		jp_markdown_format(&transcript->markdown, "_(%zu bytes, not UTF-8)_\n\n",
				   read->size);
}

/* ---- configuration ---- */

/* Attachments are addresses, or objects, in an array that may stand under "value". */
static int show_attachments(struct transcript *transcript, const json_t *config)
{
	const json_t *list =
		json_object_get(json_object_get(config, "conversation"), "attachments");
	size_t index;
	json_t *attachment;

	if (json_is_object(list))
		list = json_object_get(list, "value");
	if (json_array_size(list) == 0)
		return 0;
	jp_markdown_put(&transcript->markdown, "**Attachments**\n\n");
	json_array_foreach(list, index, attachment)
	{
		cleanup_free char *text = NULL;

		jp_markdown_put(&transcript->markdown, "- ");
		if (json_is_string(attachment)) {
			jp_markdown_line(&transcript->markdown, json_string_value(attachment),
					 json_string_length(attachment));
		} else {
			text = json_dumps(attachment, JSON_ENCODE_ANY);
			if (text == NULL)
				return -ENOMEM;
			jp_markdown_line(&transcript->markdown, text, strlen(text));
		}
		jp_markdown_put(&transcript->markdown, "\n");
	}
	jp_markdown_put(&transcript->markdown, "\n");
	return 0;
}

static int show_config(struct transcript *transcript, const json_t *event,
		       const struct jp_event *read)
{
	const json_t *delta = json_object_get(event, "delta");

	if (delta == NULL)
		delta = event; /* as older versions have it */
	if (transcript->is_first && !transcript->has_base)
		return show_attachments(transcript, delta);
	jp_markdown_put(&transcript->markdown, "### Configuration changed");
	end_heading(transcript, read);
	transcript->markdown.part = JP_PART_OTHER;
	return show_attachments(transcript, delta);
}

static int show_event(struct transcript *transcript, const struct jp_event *read)
{
	json_auto_t *event = jp_event_parse(read, 0);
	size_t size;
	const char *type = string_of(event, "type", &size);

	transcript->markdown.part = JP_PART_FRAME;
	if (event == NULL) {
		show_raw(transcript, read);
		return 0;
	}
	if (strcmp(type, "config_delta") == 0)
		return show_config(transcript, event, read);
	if (strcmp(type, "compaction") == 0)
		return show_compaction(transcript, event, read);
	if (strcmp(type, "turn_start") == 0) {
		begin_turn(transcript);
		end_heading(transcript, read);
		return 0;
	}
	if (jp_said_kind(event) == JP_SAID_NOTHING)
		return show_unknown(transcript, event, read);
	be_in_turn(transcript);
	switch (jp_said_kind(event)) {
	case JP_SAID_REQUEST:
		return show_request(transcript, event, read);
	case JP_SAID_RESPONSE:
		return show_response(transcript, event, read);
	case JP_SAID_CALL:
		return show_call(transcript, event, read);
	case JP_SAID_RESULT:
		return show_result(transcript, event, read);
	case JP_SAID_INQUIRY:
		return show_inquiry(transcript, event, read);
	case JP_SAID_ANSWER:
		return show_answer(transcript, event, read);
	case JP_SAID_NOTHING:
		break;
	}
	return 0;
}

/* Elements of the array that are no objects. */
static void name_strangers(struct transcript *transcript, size_t count)
{
	transcript->markdown.part = JP_PART_FRAME;
	if (count > 0)
		jp_markdown_format(&transcript->markdown,
				   "_(elements of events.json that are no events: %zu)_\n\n",
				   count);
}

static int show_events(struct transcript *transcript, int fd)
{
	cleanup_event_reader struct jp_event_reader reader;
	int r;

	jp_event_reader_init(&reader, fd, JP_EVENTS_ANY);
	if (fd < 0) {
		jp_markdown_put(&transcript->markdown, "_(events.json is missing)_\n");
		return 0;
	}
	transcript->is_first = true;
	while ((r = jp_event_next(&reader)) == JP_AT_EVENT) {
		name_strangers(transcript, reader.event.strangers);
		r = show_event(transcript, &reader.event);
		if (r == 0)
			r = transcript->markdown.failure;
		if (r != 0)
			return r;
		transcript->is_first = false;
	}
	if (r < 0)
		return r;
	name_strangers(transcript, reader.event.strangers);
	if (r == JP_AT_NOTHING)
		jp_markdown_format(&transcript->markdown,
				   "_(events.json is not JSON after its first %jd bytes; what "
				   "follows is not shown)_\n",
				   (intmax_t)jp_event_reader_position(&reader));
	return 0;
}

/* ---- what stands before ---- */

/* A whole file as an object; NULL in *ret when it is none. */
static int read_object(int fd, size_t limit, json_t **ret)
{
	cleanup_free char *text = NULL;
	struct stat st;
	ssize_t n;

	*ret = NULL;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size > limit)
		return 0;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return -ENOMEM;
	n = jp_read_at(fd, text, (size_t)st.st_size, 0);
	if (n < 0)
		return (int)n;
	/* jp_event_parse() bounds what a value may cost. */
	*ret = jp_event_parse(&(struct jp_event){.text = text, .size = (size_t)n}, 0);
	if (*ret != NULL && !json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
	}
	return 0;
}

static int show_beginning(struct transcript *transcript, const struct jp_transcript_files *files)
{
	json_auto_t *metadata = NULL, *base = NULL;
	char created[JP_TIMESTAMP_TEXT_BYTES];
	size_t size;
	const char *title;
	int r = read_object(files->metadata_fd, METADATA_BYTES_MAX, &metadata);

	if (r == 0)
		r = read_object(files->base_config_fd, JP_EVENT_BYTES_MAX, &base);
	if (r < 0)
		return r;
	title = string_of(metadata, "title", &size);
	jp_markdown_put(&transcript->markdown, "# ");
	if (size > 0)
		jp_markdown_line(&transcript->markdown, title, size);
	else
		jp_markdown_format(&transcript->markdown, "%" PRIu64, files->id);
	jp_timestamp_format((int64_t)(files->id * DECISECOND_NS), created); /* as summary.c */
	jp_markdown_format(&transcript->markdown, "\n\nConversation %" PRIu64 ", begun %s\n\n",
			   files->id, created);
	if (metadata == NULL)
		jp_markdown_put(&transcript->markdown,
				"_(metadata.json is missing or cannot be read)_\n\n");
	if (files->base_config_fd >= 0 && base == NULL)
		jp_markdown_put(&transcript->markdown, "_(base_config.json cannot be read)_\n\n");
	return show_attachments(transcript, base);
}

int jp_transcript_render(const struct jp_transcript_files *files, jp_transcript_sink *sink,
			 void *context)
{
	cleanup_free struct transcript *transcript = calloc(1, sizeof(*transcript));
	int r;

	if (transcript == NULL)
		return -ENOMEM;
	transcript->markdown.sink = sink;
	transcript->markdown.context = context;
	transcript->has_base = files->base_config_fd >= 0;
	r = show_beginning(transcript, files);
	if (r == 0)
		r = transcript->markdown.failure;
	if (r == 0)
		r = show_events(transcript, files->events_fd);
	return r != 0 ? r : transcript->markdown.failure;
}
