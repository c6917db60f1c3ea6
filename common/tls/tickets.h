/* tickets.h: the keys that session tickets are sealed with (RFC 5077), and sealing.
 *
 * A ticket is: key name (8 bytes), nonce (12), ciphertext, tag (16); AES-256-GCM. The newest key seals; keys
 * are made daily and kept FC_TICKETS_KEY_DAYS, so a ticket opens for a week at least, also after a restart.
 * That is also how far back a stolen key file reaches. Any thread.
 */
#ifndef FC_TLS_TICKETS_H
#define FC_TLS_TICKETS_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FC_TICKETS_ROTATE_DAYS = 1,
    FC_TICKETS_KEY_DAYS = 8, /* one day of sealing, seven more of opening */
    FC_TICKETS_OVERHEAD = 8 + 12 + 16,
};

typedef struct fc_tickets fc_tickets;

/* path: read, or made with mode 0600; replaced at every rotation; NULL = in memory only. Copied. */
FC_MUST_USE fc_err
fc_tickets_new(const char *path, fc_tickets **ret_tickets, fc_fail *fail);
void
fc_tickets_free(fc_tickets *tickets);

/* What the tickets are worth to a client, for its lifetime hint. */
uint32_t
fc_tickets_lifetime_s(void);

/* Seals plain into out: size + FC_TICKETS_OVERHEAD bytes. context is authenticated, not carried: a ticket
 * opens only under the context it was sealed with. FC_ERR_LIMIT when capacity is too small. */
FC_MUST_USE fc_err
fc_tickets_seal(fc_tickets *tickets, const uint8_t context[32], const uint8_t *plain, size_t size,
                uint8_t *out, size_t capacity, size_t *ret_size);
/* Opens a ticket into out (at least size - FC_TICKETS_OVERHEAD bytes). FC_ERR_NOT_FOUND when its key is gone,
 * FC_ERR_CORRUPT when it was not sealed by us. */
FC_MUST_USE fc_err
fc_tickets_open(fc_tickets *tickets, const uint8_t context[32], const uint8_t *ticket, size_t size,
                uint8_t *out, size_t *ret_size);

#endif
