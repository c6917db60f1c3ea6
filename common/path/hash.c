#include "common/path/hash.h"

/* Odd and 5 modulo 8: its powers repeat only after 2^62 (Knuth, TAOCP vol. 2, 3.2.1.2). */
#define R UINT64_C(0x9e3779b97f4a7c15)

static uint64_t
power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if ((exponent & 1) != 0)
            result *= base;
    return result;
}

/* The inverse of R modulo 2^64, by Newton's method: each step doubles the right bits. */
static uint64_t
inverse(void)
{
    uint64_t x = R;
    for (int i = 0; i < 6; i++)
        x *= 2 - R * x;
    return x;
}

/* Bytes from the first position on, which is 0. Eight at a time: only one multiplication in eight waits for
 * the one before. */
static uint64_t
hash_from_zero(const uint8_t *data, size_t size)
{
    const uint64_t r1 = R, r2 = r1 * R, r3 = r2 * R, r4 = r3 * R, r5 = r4 * R, r6 = r5 * R, r7 = r6 * R,
                   r8 = r7 * R;
    uint64_t hash = 0;
    size_t at = size;
    while (at % 8 != 0)
        hash = hash * R + data[--at];
    while (at > 0) {
        const uint8_t *b = data + (at -= 8);
        uint64_t low = b[0] + b[1] * r1 + b[2] * r2 + b[3] * r3;
        uint64_t high = b[4] * r4 + b[5] * r5 + b[6] * r6 + b[7] * r7;
        hash = hash * r8 + low + high;
    }
    return hash;
}

uint64_t
fc_path_hash(uint32_t position, const uint8_t *data, size_t size)
{
    size_t before_wrap = (size_t)(UINT64_C(0x100000000) - position);
    if (size > before_wrap) /* of the sequence space: positions begin again */
        return fc_path_hash(position, data, before_wrap) +
               hash_from_zero(data + before_wrap, size - before_wrap);
    return hash_from_zero(data, size) * power(R, position);
}

uint64_t
fc_path_hash_shift(uint64_t hash, int64_t by)
{
    return hash * (by >= 0 ? power(R, (uint64_t)by) : power(inverse(), (uint64_t)-by));
}

uint64_t
fc_path_mix(uint64_t state, uint64_t word)
{
    uint64_t x = state ^ (word + UINT64_C(0x9e3779b97f4a7c15) + (state << 6) + (state >> 2));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
