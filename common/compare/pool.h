/* pool.h: texts, each kept once: equal texts have equal pointers. A fleet's contexts are mostly the same. */
#ifndef FC_COMPARE_POOL_H
#define FC_COMPARE_POOL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fc_pool fc_pool;
fc_pool *
fc_pool_new(void);
void
fc_pool_free(fc_pool *pool);
/* Borrowed from the pool; NULL stays NULL. */
const char *
fc_pool_text(fc_pool *pool, const char *text);
/* Of a text that a pool gave: could there be an IP address in it? Looked at once, when it came. */
bool
fc_pool_may_have_address(const char *pooled);

#endif
