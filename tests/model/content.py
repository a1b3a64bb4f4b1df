"""
What is in a conversation: making versions of its files, and comparing them as the contract does.

Comparing is written a second time here, from semantics.md section 2 and not from core/stream.c: that
is what makes it a check. It works on JSON values; the program may know less (what it misses costs a
kept copy) but never more.
"""

import functools
import json

METADATA = "metadata.json"
BASE = "base_config.json"
EVENTS = "events.json"
MANAGED = (METADATA, BASE, EVENTS)


def dump(value):
    """As jp writes it."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


@functools.lru_cache(maxsize=4096)
def parse(data):
    """The value, or None for what is no JSON."""
    try:
        return json.loads(data.decode())
    except (ValueError, UnicodeDecodeError):
        return None


@functools.lru_cache(maxsize=4096)
def is_valid(name, data):
    """Whether jp's check at its start would accept it."""
    value = parse(data)
    if value is None:
        return False
    if name != EVENTS:
        return True
    return isinstance(value, list) and all(
        isinstance(event, dict) and "timestamp" in event and "type" in event for event in value)


def events_of(data):
    """The events that count: the packed base configuration apart, and their own metadata."""
    events = parse(data)
    if events and events[0]["type"] == "config_delta":
        events = events[1:]
    return [{key: value for key, value in event.items() if key != "metadata"} for event in events]


@functools.lru_cache(maxsize=65536)
def contains(name, old, new):
    """Whether nothing of `old` is lost when only `new` is there."""
    if old == new:
        return True
    if not is_valid(name, old) or not is_valid(name, new):
        return False
    if name == EVENTS:
        if None not in (packed_base(old), packed_base(new)) and packed_base(old) != packed_base(new):
            return False
        before, after = events_of(old), events_of(new)
        if before and before[-1]["type"] == "turn_start":
            before.pop()
        return after[:len(before)] == before
    if parse(old) == parse(new):
        return True
    return name == METADATA and activation(old) < activation(new)


def is_earlier(name, old, new):
    if not contains(name, old, new):
        return False
    if name != EVENTS:
        return not contains(name, new, old)
    before, after = events_of(old), events_of(new)
    if before and before[-1]["type"] == "turn_start" and after[:len(before)] != before:
        before.pop()  # in its place another one is no more than it was
        return [event["type"] for event in after[len(before):]] not in ([], ["turn_start"])
    return len(after) > len(before)


def packed_base(data):
    events = parse(data)
    return events[0] if events and events[0]["type"] == "config_delta" else None


def activation(data):
    value = parse(data)
    return value.get("last_activated_at", "") if isinstance(value, dict) else ""


# ---- making versions ----

class Writer:
    """Makes contents that are all different, and timestamps that grow."""

    def __init__(self):
        self.count = 0

    def stamp(self):
        self.count += 1
        return "2026-03-05 %02d:%02d:%02d.%d" % (
            10 + self.count // 3600, self.count // 60 % 60, self.count % 60, self.count)

    def turn(self, random):
        stamp = self.stamp()
        events = [
            {"timestamp": stamp, "type": "turn_start"},
            {"timestamp": stamp, "type": "chat_request", "content": "question %d?" % self.count},
        ]
        if random.random() < 0.3:
            events.append({"timestamp": stamp, "type": "tool_call_request", "id": "t%d" % self.count,
                           "name": "grep", "arguments": {"pattern": "eA=="}, "metadata": {"r": "eA=="}})
        if random.random() < 0.9:
            events.append({"timestamp": stamp, "type": "chat_response",
                           "message": "an answer, é \"%d\"\n" % self.count * random.choice((1, 1, 40))})
        return events

    def conversation(self, random, title, with_base):
        """The files of a new one."""
        base = {"assistant": {"name": "jp", "system_prompt": "p" * random.choice((10, 3000))}}
        events = [] if with_base else [{"type": "config_delta", "timestamp": self.stamp(), "delta": base}]
        for _ in range(random.randint(1, 3)):
            events += self.turn(random)
        files = {METADATA: self.metadata(title), EVENTS: dump(events)}
        if with_base:
            files[BASE] = dump(base)
        return files

    def metadata(self, title):
        return dump({"title": title, "last_activated_at": self.stamp()})

    def longer(self, random, data):
        """One more turn."""
        return dump((parse(data) or []) + self.turn(random))

    def shorter(self, random, data):
        """Without the last events; never without all of them."""
        events = parse(data) or []
        return dump(events[:random.randint(min(1, len(events)), len(events))]) if events else dump([])

    def edited(self, data):
        """Another word in the middle."""
        events = json.loads(data.decode())
        stamp = self.stamp()
        for event in events[len(events) // 2:] + events[:len(events) // 2]:
            if "content" in event or "message" in event:
                event["content" if "content" in event else "message"] = "edited at %s" % stamp
                break
        else:
            events.append({"timestamp": stamp, "type": "chat_request", "content": "edited"})
        return dump(events)

    def retitled(self, data, title, is_activated):
        value = dict(parse(data) or {})
        value["title"] = title
        if is_activated or "last_activated_at" not in value:
            value["last_activated_at"] = self.stamp()
        return dump(value)

    def broken(self, random, data):
        """What a half-made edit or a merge leaves."""
        self.count += 1
        how = random.randrange(3)
        if how == 0:
            return data[:len(data) // 2] + b"\n<<<<<<< %d\n" % self.count
        if how == 1:
            return b""
        return data.rstrip()[:-1] + b",\n  {\"type\": \"half %d\n" % self.count


def slug(title):
    return title.lower().replace(" ", "-")
