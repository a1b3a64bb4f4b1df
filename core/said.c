/* Texts of events. See said.h. */
#include "core/said.h"

#include "core/base/base64.h"

#include <stdbool.h>
#include <string.h>

struct saying {
	jp_said_sink *sink;
	void *context;
	enum jp_said_by by;
	bool is_encoded; /* strings may be in base64 */
};

static bool is_string(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

enum jp_said_kind jp_said_kind(const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));

	if (type == NULL)
		return JP_SAID_NOTHING;
	if (strcmp(type, "chat_request") == 0)
		return is_string(event, "content") ? JP_SAID_REQUEST : JP_SAID_NOTHING;
	if (strcmp(type, "chat_response") == 0)
		return is_string(event, "message") || is_string(event, "reasoning") ||
				       json_object_get(event, "data") != NULL
			       ? JP_SAID_RESPONSE
			       : JP_SAID_NOTHING;
	if (strcmp(type, "tool_call_request") == 0)
		return is_string(event, "name") ? JP_SAID_CALL : JP_SAID_NOTHING;
	if (strcmp(type, "tool_call_response") == 0)
		return is_string(event, "content") ? JP_SAID_RESULT : JP_SAID_NOTHING;
	if (strcmp(type, "inquiry_request") == 0)
		return JP_SAID_INQUIRY;
	if (strcmp(type, "inquiry_response") == 0 && json_object_get(event, "answer") != NULL)
		return JP_SAID_ANSWER;
	return JP_SAID_NOTHING;
}

const char *jp_said_by_name(enum jp_said_by by)
{
	static const char *const names[JP_SAID_BY_COUNT] = {
		[JP_SAID_BY_USER] = "user",           [JP_SAID_BY_ASSISTANT] = "assistant",
		[JP_SAID_BY_REASONING] = "reasoning", [JP_SAID_BY_TOOL] = "tool",
		[JP_SAID_BY_UNKNOWN] = "unknown",
	};

	return names[by];
}

static int say(const struct saying *saying, const json_t *value)
{
	const char *text = json_string_value(value);
	cleanup_free char *decoded = NULL;
	size_t size = json_string_length(value);
	int r;

	if (text == NULL)
		return 0;
	if (!saying->is_encoded)
		return saying->sink(saying->context, saying->by, text, size);
	r = jp_base64_to_text(text, size, &decoded, &size);
	return r < 0 ? r : saying->sink(saying->context, saying->by, decoded, size);
}

/* Every value at any depth; jansson reads no more than 2048 levels. */
static int say_all(const struct saying *saying, json_t *value)
{
	cleanup_free char *text = NULL;
	size_t index;
	const char *key;
	json_t *below;
	int r = 0;

	if (json_is_string(value))
		return say(saying, value);
	json_array_foreach(value, index, below)
	{
		r = say_all(saying, below);
		if (r != 0)
			return r;
	}
	json_object_foreach(value, key, below)
	{
		r = say_all(saying, below);
		if (r != 0)
			return r;
	}
	/* A number with a fraction is not written back as it stood there. */
	if (value == NULL || json_is_array(value) || json_is_object(value) || json_is_real(value))
		return 0;
	text = json_dumps(value, JSON_ENCODE_ANY);
	return text == NULL ? -ENOMEM
			    : saying->sink(saying->context, saying->by, text, strlen(text));
}

static int say_response(struct saying *saying, const json_t *event)
{
	saying->by = JP_SAID_BY_ASSISTANT;
	if (is_string(event, "message"))
		return say(saying, json_object_get(event, "message"));
	if (!is_string(event, "reasoning"))
		return say_all(saying, json_object_get(event, "data"));
	saying->by = JP_SAID_BY_REASONING;
	return say(saying, json_object_get(event, "reasoning"));
}

static int say_call(struct saying *saying, const json_t *event)
{
	int r = say(saying, json_object_get(event, "name"));

	saying->is_encoded = true;
	return r != 0 ? r : say_all(saying, json_object_get(event, "arguments"));
}

int jp_said_in(const json_t *event, jp_said_sink *sink, void *context)
{
	struct saying saying = {.sink = sink, .context = context, .by = JP_SAID_BY_TOOL};

	switch (jp_said_kind(event)) {
	case JP_SAID_NOTHING:
		break;
	case JP_SAID_REQUEST:
		saying.by = JP_SAID_BY_USER;
		return say(&saying, json_object_get(event, "content"));
	case JP_SAID_RESPONSE:
		return say_response(&saying, event);
	case JP_SAID_CALL:
		return say_call(&saying, event);
	case JP_SAID_RESULT:
		saying.is_encoded = true;
		return say(&saying, json_object_get(event, "content"));
	case JP_SAID_INQUIRY:
		return say(&saying, json_object_get(json_object_get(event, "question"), "text"));
	case JP_SAID_ANSWER:
		return say_all(&saying, json_object_get(event, "answer"));
	}
	return 0;
}
