/* The table of nodeids of one connection. See node.h. */
#include "fs/node.h"

#include <search.h>

struct node {
	uint64_t nodeid; /* immutable */
	uint64_t nlookup;
	struct jpfs_object *object; /* a reference */
};

static int compare_nodes(const void *first, const void *second)
{
	uint64_t a = ((const struct node *)first)->nodeid;
	uint64_t b = ((const struct node *)second)->nodeid;

	return a < b ? -1 : a > b;
}

void jpfs_nodes_init(struct jpfs_nodes *nodes, struct jpfs_view *view)
{
	pthread_mutex_init(&nodes->lock, NULL);
	nodes->tree = NULL;
	nodes->view = view;
}

static void free_node(void *item)
{
	struct node *node = item;

	jpfs_object_unref(node->object);
	free(node);
}

void jpfs_nodes_release(struct jpfs_nodes *nodes)
{
	tdestroy(nodes->tree, free_node);
	nodes->tree = NULL;
	pthread_mutex_destroy(&nodes->lock);
}

struct jpfs_object *jpfs_node_get(struct jpfs_nodes *nodes, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	const struct node key = {.nodeid = nodeid};
	void *found;

	if (nodeid == JPFS_ROOT_SERIAL)
		return jpfs_object_ref(&nodes->view->root);
	held = jp_lock(&nodes->lock);
	found = tfind(&key, &nodes->tree, compare_nodes);
	return found != NULL ? jpfs_object_ref((*(struct node **)found)->object) : NULL;
}

bool jpfs_nodes_has(struct jpfs_nodes *nodes, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&nodes->lock);
	const struct node key = {.nodeid = nodeid};

	return tfind(&key, &nodes->tree, compare_nodes) != NULL;
}

int jpfs_node_remember(struct jpfs_nodes *nodes, struct jpfs_object *object)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&nodes->lock);
	const struct node key = {.nodeid = object->serial};
	struct node *node;
	void *found = tfind(&key, &nodes->tree, compare_nodes);

	if (found != NULL) {
		(*(struct node **)found)->nlookup++;
		return 0;
	}
	node = malloc(sizeof(*node));
	if (node == NULL)
		return -ENOMEM;
	*node = (struct node){.nodeid = object->serial, .nlookup = 1, .object = object};
	if (tsearch(node, &nodes->tree, compare_nodes) == NULL) {
		free(node);
		return -ENOMEM;
	}
	jpfs_object_ref(object);
	return 0;
}

void jpfs_node_forget(struct jpfs_nodes *nodes, uint64_t nodeid, uint64_t nlookup)
{
	const struct node key = {.nodeid = nodeid};
	struct node *gone = NULL;
	void *found;

	pthread_mutex_lock(&nodes->lock);
	found = tfind(&key, &nodes->tree, compare_nodes);
	if (found != NULL) {
		struct node *node = *(struct node **)found;

		node->nlookup -= nlookup < node->nlookup ? nlookup : node->nlookup;
		if (node->nlookup == 0) {
			(void)tdelete(node, &nodes->tree, compare_nodes);
			gone = node;
		}
	}
	pthread_mutex_unlock(&nodes->lock);
	/* Outside the lock: it may be the last reference, and letting go closes and unlinks. */
	if (gone != NULL)
		free_node(gone);
}
