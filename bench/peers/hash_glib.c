/* hash_glib.c - GLib's hash table behind a mutex, keys and values in its pointers. */
#include <glib.h>
#include <pthread.h>

#include "hash.h"

static GHashTable *table;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

bool hash_is_there(void)
{
    return true;
}

void hash_new(void)
{
    table = g_hash_table_new(g_direct_hash, g_direct_equal);
}

void hash_free(void)
{
    g_hash_table_destroy(table);
}

static long look_up(long key)
{
    gpointer value;
    bool found = g_hash_table_lookup_extended(table, GSIZE_TO_POINTER((gsize)key), NULL, &value);
    return found ? (long)GPOINTER_TO_SIZE(value) : -1;
}

void hash_set(long key, long value)
{
    pthread_mutex_lock(&mutex);
    g_hash_table_insert(table, GSIZE_TO_POINTER((gsize)key), GSIZE_TO_POINTER((gsize)value));
    pthread_mutex_unlock(&mutex);
}

long hash_get(long key)
{
    pthread_mutex_lock(&mutex);
    long value = look_up(key);
    pthread_mutex_unlock(&mutex);
    return value;
}

void hash_add(long key, long delta)
{
    pthread_mutex_lock(&mutex);
    gsize sum = (gsize)(look_up(key) + delta);
    g_hash_table_insert(table, GSIZE_TO_POINTER((gsize)key), GSIZE_TO_POINTER(sum));
    pthread_mutex_unlock(&mutex);
}
