/* tls_hello.h: ClientHello and ServerHello, byte by byte, without keeping them.
 *
 * RFC 8446 section 4.1, RFC 5246 section 7.4.1, RFC 6066 section 3 (SNI), RFC 7301 (ALPN). A hello may be
 * larger than a packet (key shares of post-quantum cryptography), and its interesting extensions may come
 * last: so nothing is buffered.
 */
#ifndef FC_ANALYSIS_TLS_HELLO_H
#define FC_ANALYSIS_TLS_HELLO_H

#include "common/analysis/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in a hello, or in one of its extensions, the next byte is. */
typedef struct fc_tls_hello {
    uint8_t step;  /* hello_step, of tls_hello.c */
    uint8_t inner; /* inner_step, inside an extension */
    bool from_server;
    bool random_differs; /* from the special one of a HelloRetryRequest */
    bool random_read;
    bool is_retry; /* a HelloRetryRequest: a ServerHello with the special random */
    bool has_alpn, has_psk;
    uint8_t name_size;
    uint16_t left; /* bytes of this step that are still to come */
    uint16_t extensions_left;
    uint16_t extension_type;
    uint16_t inner_left;
    uint16_t number;
    uint16_t legacy_version; /* of the hello itself */
    uint16_t version;        /* from supported_versions, else 0 */
    uint16_t suite;          /* of a ServerHello */
} fc_tls_hello;

void
fc_tls_hello_init(fc_tls_hello *hello, bool from_server);
/* The next bytes of the message's body. SNI and ALPN go straight into *summary. */
void
fc_tls_hello_push(fc_tls_hello *hello, const uint8_t *data, size_t size, fc_tls_summary *summary);
/* The highest version that is named. */
uint16_t
fc_tls_hello_version(const fc_tls_hello *hello);
/* RFC 8701: values that clients offer only to keep servers tolerant. */
bool
fc_tls_is_grease(uint16_t value);

#endif
