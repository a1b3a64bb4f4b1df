/*
 * The table of nodeids of one connection. See node.h.
 *
 * There may be some hundred thousand, so they lie in one array: a nodeid begins at the place that
 * its number is spread to and goes on to the next free one, and where one goes, those that were pushed
 * behind it move up. The array is never more than three quarters full.
 */
#include "fs/node.h"

struct jpfs_node {
	struct jpfs_object *object; /* a reference; its serial is the nodeid. NULL: a free place */
	uint64_t nlookup;
};

#define ROOM_MIN 64

void jpfs_nodes_init(struct jpfs_nodes *nodes, struct jpfs_view *view)
{
	*nodes = (struct jpfs_nodes){.view = view};
	pthread_mutex_init(&nodes->lock, NULL);
}

void jpfs_nodes_release(struct jpfs_nodes *nodes)
{
	for (size_t i = 0; i < nodes->room; i++)
		jpfs_object_unref(nodes->places[i].object);
	free(nodes->places);
	nodes->places = NULL;
	nodes->room = nodes->count = 0;
	pthread_mutex_destroy(&nodes->lock);
}

/* Numbers that follow each other are spread by the golden ratio. */
static size_t first_place(uint64_t nodeid, size_t room)
{
	return (size_t)(nodeid * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (room - 1);
}

/* Where a nodeid is, or would go; the table is not empty. */
static struct jpfs_node *place_locked(const struct jpfs_nodes *nodes, uint64_t nodeid)
{
	size_t at = first_place(nodeid, nodes->room);

	while (nodes->places[at].object != NULL && nodes->places[at].object->serial != nodeid)
		at = (at + 1) & (nodes->room - 1);
	return &nodes->places[at];
}

/* NULL: the kernel has it not. */
static struct jpfs_node *find_locked(const struct jpfs_nodes *nodes, uint64_t nodeid)
{
	struct jpfs_node *node = nodes->room > 0 ? place_locked(nodes, nodeid) : NULL;

	return node != NULL && node->object != NULL ? node : NULL;
}

static int resize_locked(struct jpfs_nodes *nodes, size_t room)
{
	struct jpfs_nodes larger = {.places = calloc(room, sizeof(*larger.places)), .room = room};

	if (larger.places == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < nodes->room; i++) {
		if (nodes->places[i].object != NULL)
			*place_locked(&larger, nodes->places[i].object->serial) = nodes->places[i];
	}
	free(nodes->places);
	nodes->places = larger.places;
	nodes->room = room;
	return 0;
}

/* Take one out, and let those behind it move up to where they would go now. */
static void remove_locked(struct jpfs_nodes *nodes, struct jpfs_node *node)
{
	size_t hole = (size_t)(node - nodes->places), mask = nodes->room - 1;

	for (size_t at = (hole + 1) & mask; nodes->places[at].object != NULL;
	     at = (at + 1) & mask) {
		size_t first = first_place(nodes->places[at].object->serial, nodes->room);

		/* It may move unless its first place lies behind the hole. */
		if (((at - first) & mask) >= ((at - hole) & mask)) {
			nodes->places[hole] = nodes->places[at];
			hole = at;
		}
	}
	nodes->places[hole] = (struct jpfs_node){0};
	nodes->count--;
	if (nodes->room > ROOM_MIN && nodes->count < nodes->room / 8)
		(void)resize_locked(nodes, nodes->room / 4); /* else it stays as large as it is */
}

struct jpfs_object *jpfs_node_get(struct jpfs_nodes *nodes, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_node *node;

	if (nodeid == JPFS_ROOT_SERIAL)
		return jpfs_object_ref(&nodes->view->root);
	held = jp_lock(&nodes->lock);
	node = find_locked(nodes, nodeid);
	return node != NULL ? jpfs_object_ref(node->object) : NULL;
}

bool jpfs_nodes_has(struct jpfs_nodes *nodes, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&nodes->lock);

	return find_locked(nodes, nodeid) != NULL;
}

int jpfs_node_remember(struct jpfs_nodes *nodes, struct jpfs_object *object)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&nodes->lock);
	struct jpfs_node *node = find_locked(nodes, object->serial);

	if (node != NULL) {
		node->nlookup++;
		return 0;
	}
	if (nodes->count >= nodes->room / 4 * 3 &&
	    resize_locked(nodes, nodes->room == 0 ? ROOM_MIN : nodes->room * 2) < 0)
		return -ENOMEM;
	*place_locked(nodes, object->serial) =
		(struct jpfs_node){.object = jpfs_object_ref(object), .nlookup = 1};
	nodes->count++;
	return 0;
}

void jpfs_node_forget(struct jpfs_nodes *nodes, uint64_t nodeid, uint64_t nlookup)
{
	struct jpfs_object *gone = NULL;
	struct jpfs_node *node;

	pthread_mutex_lock(&nodes->lock);
	node = find_locked(nodes, nodeid);
	if (node != NULL) {
		node->nlookup -= nlookup < node->nlookup ? nlookup : node->nlookup;
		if (node->nlookup == 0) {
			gone = node->object;
			remove_locked(nodes, node);
		}
	}
	pthread_mutex_unlock(&nodes->lock);
	/* Outside the lock: it may be the last reference, and letting go closes and unlinks. */
	jpfs_object_unref(gone);
}
