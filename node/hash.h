/* hash.h: SHA-256 of a sealed segment. Outside the capture path: about 250 MB/s a core (Mbed TLS 2.28). */
#ifndef ND_HASH_H
#define ND_HASH_H

#include "common/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Reads fd from its beginning to its end. Any thread. FC_ERR_CANCELLED when *giving_up became true. */
FC_MUST_USE fc_err
nd_hash_file(int fd, const atomic_bool *giving_up, uint8_t ret_sha256[32], uint64_t *ret_size, fc_fail *fail);

#endif
