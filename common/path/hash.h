/* hash.h: a hash of bytes at positions: the hash of two pieces that follow each other is the sum of theirs.
 *
 * H = sum of byte[i] * R^(position + i), modulo 2^64: a polynomial hash (Karp, Rabin 1987) over the place in
 * the sequence space, so that a super-segment compares with the segments that it was cut into, and a datagram
 * with its fragments. One changed byte always changes it. It finds accidents of the network, not forgeries.
 */
#ifndef FC_PATH_HASH_H
#define FC_PATH_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t
fc_path_hash(uint32_t position, const uint8_t *data, size_t size);
/* The hash as if every byte were `by` further on (negative: before), modulo 2^64. */
uint64_t
fc_path_hash_shift(uint64_t hash, int64_t by);
/* 64 bits of words mixed well (the finalizer of splitmix64, Steele and others 2014). */
uint64_t
fc_path_mix(uint64_t state, uint64_t word);

#endif
