/* text.h: the small grammars that people type: names, sizes, durations, numbers.
 *
 * A name (of a capture, an instance, a scale set, a region) becomes a file name and part of a certificate, so
 * there is one grammar for all: 1 to 63 of A-Z a-z 0-9 . _ -, the first one a letter or digit.
 */
#ifndef FC_BASE_TEXT_H
#define FC_BASE_TEXT_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { FC_NAME_MAX = 63, FC_UID_LENGTH = 32 };

bool
fc_name_check(const char *text);
/* 32 lower-case hexadecimal digits: 128 random bits. */
bool
fc_uid_check(const char *text);
void
fc_uid_make(char ret_uid[FC_UID_LENGTH + 1]);

/* Decimal digits only, whole string, at most max. */
FC_MUST_USE fc_err
fc_u64_parse(const char *text, uint64_t max, uint64_t *ret_value);
/* "100", "100B", "100kB/MB/GB/TB" (powers of 1000), "100KiB/MiB/GiB/TiB" (of 1024); case does not matter.
 * FC_ERR_INVALID for anything else, FC_ERR_RANGE past 2^64-1. */
FC_MUST_USE fc_err
fc_size_parse(const char *text, uint64_t *ret_bytes);
/* "90", "90s", "15m", "5h", "2d", "200ms" -> milliseconds; a bare number is seconds. */
FC_MUST_USE fc_err
fc_duration_parse(const char *text, uint64_t *ret_ms);

#define FC_SIZE_TEXT 32
/* "1.0 GiB", "512 B". Returns text. */
const char *
fc_size_text(uint64_t bytes, char text[FC_SIZE_TEXT]);
#define FC_DURATION_TEXT 32
/* Exactly, as fc_duration_parse takes it, in the largest unit that divides it: "3d", "90s", "200ms". Returns
 * text. */
const char *
fc_duration_text(uint64_t ms, char text[FC_DURATION_TEXT]);

#define FC_HEX_SIZE(bytes) (2 * (bytes) + 1)
void
fc_hex_text(const uint8_t *bytes, size_t size, char *ret_text);
FC_MUST_USE fc_err
fc_hex_parse(const char *text, uint8_t *ret_bytes, size_t size);

#endif
