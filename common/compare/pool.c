#include "common/compare/pool.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

typedef struct pool_entry {
    UT_hash_handle hh;
    char text[];
} pool_entry;

struct fc_pool {
    pool_entry *entries; /* owned */
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

const char *
fc_pool_text(fc_pool *pool, const char *text)
{
    pool_entry *entry;
    if (text == NULL)
        return NULL;
    size_t length = strlen(text);
    HASH_FIND(hh, pool->entries, text, length, entry);
    if (entry == NULL) {
        entry = fc_alloc(sizeof *entry + length + 1);
        memcpy(entry->text, text, length + 1);
        HASH_ADD_KEYPTR(hh, pool->entries, entry->text, length, entry);
    }
    return entry->text;
}
