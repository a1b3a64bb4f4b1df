/* Printing what was found. See grep_output.h. */
#include "fs/cli/grep_output.h"

#include "core/timestamp.h"
#include "fs/cli/json.h"
#include "fs/cli/table.h"

#include <inttypes.h>
#include <string.h>

static const char bold[] = "\033[1m", red[] = "\033[1;31m", green[] = "\033[32m",
		  cyan[] = "\033[36m", plain[] = "\033[0m";

static void put_coloured(const struct jpfs_grep_output *output, const char *colour,
			 const char *text, FILE *to)
{
	(void)fprintf(to, "%s%s%s", output->has_colour ? colour : "", text,
		      output->has_colour ? plain : "");
}

static int put_clean(const char *text, size_t size, FILE *to)
{
	cleanup_free char *copy = malloc(size + 1);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, size);
	jpfs_print_clean(copy, size, to);
	return 0;
}

/* On one line, as it stands beside the ID. */
static void put_title(const struct jpfs_grep_place *place, FILE *to)
{
	cleanup_free char *title = strdup(place->title != NULL ? place->title : "");

	if (title == NULL || title[0] == '\0')
		return;
	for (char *at = title; *at != '\0'; at++)
		*at = *at == '\n' || *at == '\t' ? ' ' : *at;
	(void)fputs("  ", to);
	jpfs_print_clean(title, strlen(title), to);
}

void jpfs_grep_print_heading(const struct jpfs_grep_output *output,
			     const struct jpfs_grep_place *place, FILE *to)
{
	if (output->form != JPFS_GREP_LINES || output->as_json || output->without_heading)
		return;
	(void)fprintf(to, "%s%" PRIu64, output->has_colour ? bold : "", place->row->id);
	put_title(place, to);
	(void)fprintf(to, "%s\n", output->has_colour ? plain : "");
}

/* ---- JSON ---- */

/* Text of any bytes: what is no UTF-8 cannot be said in JSON. */
static json_t *json_bytes(const char *text, size_t size)
{
	json_t *string = json_stringn(text, size);
	cleanup_free char *copy = NULL;

	if (string != NULL)
		return string;
	copy = malloc(size + 1);
	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < size; i++)
		copy[i] = text[i];
	for (size_t i = 0; i < size; i++)
		copy[i] = (unsigned char)copy[i] < 0x80 ? copy[i] : '?';
	return json_stringn(copy, size);
}

static json_t *json_text(const char *text)
{
	return text != NULL ? json_bytes(text, strlen(text)) : json_null();
}

static json_t *json_place(const struct jpfs_grep_output *output,
			  const struct jpfs_grep_place *place)
{
	cleanup_free char *path = jpfs_sources_path(output->sources, place->row);
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	char id[24];

	if (path == NULL)
		return NULL;
	(void)snprintf(id, sizeof(id), "%" PRIu64, place->row->id);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:b}", "id", id, "title",
			 json_text(place->title), "directory", slash != NULL ? slash + 1 : "",
			 "path", path, "presence", jpfs_presence_name(place->row->presence),
			 "archived", place->row->is_archived);
}

static int print_object(const json_t *object, FILE *to)
{
	cleanup_free char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	if (text == NULL)
		return -ENOMEM;
	jpfs_print_json_text(text, to);
	(void)fputc('\n', to);
	return 0;
}

static json_t *json_matches(const struct jp_found *found, struct jp_pattern *pattern)
{
	json_t *list = json_array();
	struct jp_match match;
	size_t from = 0;

	while (!found->is_context && from <= found->size &&
	       jp_pattern_find(pattern, found->line, found->size, from, &match)) {
		if (match.end > match.begin)
			(void)json_array_append_new(list, json_bytes(found->line + match.begin,
								     match.end - match.begin));
		from = match.end > match.begin ? match.end : match.end + 1;
	}
	return list;
}

static json_t *json_time(const char *text)
{
	char time[JP_TIMESTAMP_TEXT_BYTES];
	int64_t ns;

	if (jp_timestamp_parse(text, strlen(text), &ns) < 0)
		return json_null();
	jp_timestamp_format(ns, time);
	return json_string(time);
}

static int print_json_line(const struct jpfs_grep_output *output,
			   const struct jpfs_grep_place *place, const struct jp_found *found,
			   struct jp_pattern *pattern, FILE *to)
{
	json_auto_t *object = json_place(output, place);

	if (object == NULL ||
	    json_object_set_new(object, "turn", json_integer((json_int_t)found->turn)) < 0 ||
	    json_object_set_new(object, "role", json_string(jp_said_by_name(found->by))) < 0 ||
	    json_object_set_new(object, "time", json_time(found->time)) < 0 ||
	    json_object_set_new(object, "line", json_bytes(found->line, found->size)) < 0 ||
	    json_object_set_new(object, "context", json_boolean(found->is_context)) < 0 ||
	    json_object_set_new(object, "matches", json_matches(found, pattern)) < 0)
		return -ENOMEM;
	return print_object(object, to);
}

/* ---- lines ---- */

static int put_matches(const struct jp_found *found, struct jp_pattern *pattern, FILE *to)
{
	size_t done = 0, from = 0;
	struct jp_match match;
	int r = 0;

	while (r == 0 && from <= found->size &&
	       jp_pattern_find(pattern, found->line, found->size, from, &match)) {
		if (match.end > match.begin) {
			r = put_clean(found->line + done, match.begin - done, to);
			(void)fputs(red, to);
			if (r == 0)
				r = put_clean(found->line + match.begin, match.end - match.begin,
					      to);
			(void)fputs(plain, to);
			done = match.end;
		}
		from = match.end > match.begin ? match.end : match.end + 1;
	}
	return r < 0 ? r : put_clean(found->line + done, found->size - done, to);
}

int jpfs_grep_print_line(const struct jpfs_grep_output *output, const struct jpfs_grep_place *place,
			 const struct jp_found *found, struct jp_pattern *pattern, FILE *to)
{
	char number[24], mark = found->is_context ? '-' : ':';
	int r;

	if (output->as_json)
		return print_json_line(output, place, found, pattern, to);
	if (found->is_apart)
		(void)fputs("--\n", to);
	if (output->without_heading) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, place->row->id);
		put_coloured(output, bold, number, to);
		(void)fputc(mark, to);
	}
	(void)snprintf(number, sizeof(number), "%" PRIu64, found->turn);
	put_coloured(output, green, number, to);
	(void)fputc(mark, to);
	put_coloured(output, cyan, jp_said_by_name(found->by), to);
	(void)fputc(mark, to);
	r = output->has_colour && !found->is_context ? put_matches(found, pattern, to)
						     : put_clean(found->line, found->size, to);
	(void)fputc('\n', to);
	return r;
}

int jpfs_grep_print_conversation(const struct jpfs_grep_output *output,
				 const struct jpfs_grep_place *place, uint64_t lines, FILE *to)
{
	json_auto_t *object = NULL;
	char id[24];

	if (output->as_json) {
		object = json_place(output, place);
		if (object == NULL ||
		    (output->form == JPFS_GREP_COUNTS &&
		     json_object_set_new(object, "count", json_integer((json_int_t)lines)) < 0))
			return -ENOMEM;
		return print_object(object, to);
	}
	(void)snprintf(id, sizeof(id), "%" PRIu64, place->row->id);
	put_coloured(output, bold, id, to);
	if (output->form == JPFS_GREP_COUNTS)
		(void)fprintf(to, "  %" PRIu64, lines);
	put_title(place, to);
	(void)fputc('\n', to);
	return 0;
}
