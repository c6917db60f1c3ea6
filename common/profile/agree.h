/* agree.h: "1 of 1 DNS question was answered", "3 of 20 DNS questions were answered".
 *
 * Sentences of the vocabulary and of the rules are written in the plural, as they mostly are; here they are
 * made to agree with a number of one. Pure.
 */
#ifndef FC_PROFILE_AGREE_H
#define FC_PROFILE_AGREE_H

#include "common/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* What is still to be put into the singular; {0} = nothing. */
typedef struct fc_agree {
    bool noun, verb;
} fc_agree;

/* For what follows "COUNT of OF". With the same number twice: what follows that number. */
fc_agree
fc_agree_with(uint64_t count, uint64_t of);
/* Appends a piece of text; the first noun that is counted, and the first verb after it, agree. */
void
fc_agree_put(fc_agree *agree, fc_buf *out, const char *text, size_t size);
/* Appends "1 packet was dropped", "3 packets were dropped": a number and the words that follow it. */
void
fc_agree_count(fc_buf *out, uint64_t count, const char *words);

#endif
