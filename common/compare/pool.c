#include "common/compare/pool.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

typedef struct pool_entry {
    UT_hash_handle hh;
    struct pool_entry *follower; /* what was asked for after it the last time: contexts come in the same order
                                    again and again */
    bool may_have_address;
    char text[];
} pool_entry;

struct fc_pool {
    pool_entry *entries; /* owned */
    pool_entry *last;    /* of the entries; NULL = none asked for yet */
};

fc_pool *
fc_pool_new(void)
{
    return FC_NEW(fc_pool);
}

void
fc_pool_free(fc_pool *pool)
{
    pool_entry *entry, *next;
    if (pool == NULL)
        return;
    HASH_ITER (hh, pool->entries, entry, next) {
        HASH_DEL(pool->entries, entry);
        free(entry);
    }
    free(pool);
}

/* A dot between digits, or two colons. */
static bool
looks_like_address(const char *text)
{
    size_t colons = 0;
    for (const char *at = text; *at != '\0'; at++) {
        colons += *at == ':';
        if (*at == '.' && at > text && isdigit((unsigned char)at[-1]) && isdigit((unsigned char)at[1]))
            return true;
    }
    return colons >= 2;
}

bool
fc_pool_may_have_address(const char *pooled)
{
    return ((const pool_entry *)(const void *)(pooled - offsetof(pool_entry, text)))->may_have_address;
}

const char *
fc_pool_text(fc_pool *pool, const char *text)
{
    pool_entry *entry;
    if (text == NULL)
        return NULL;
    if (pool->last != NULL && pool->last->follower != NULL && strcmp(pool->last->follower->text, text) == 0) {
        pool->last = pool->last->follower;
        return pool->last->text;
    }
    size_t length = strlen(text);
    HASH_FIND(hh, pool->entries, text, length, entry);
    if (entry == NULL) {
        entry = fc_alloc(sizeof *entry + length + 1);
        memcpy(entry->text, text, length + 1);
        entry->may_have_address = looks_like_address(entry->text);
        HASH_ADD_KEYPTR(hh, pool->entries, entry->text, length, entry);
    }
    if (pool->last != NULL)
        pool->last->follower = entry;
    pool->last = entry;
    return entry->text;
}
