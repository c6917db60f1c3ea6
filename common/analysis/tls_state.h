/* tls_state.h: the inside of a fc_tls_reader, shared by tls.c (records) and tls_handshake.c (what they mean).
 */
#ifndef FC_ANALYSIS_TLS_STATE_H
#define FC_ANALYSIS_TLS_STATE_H

#include "common/analysis/tls.h"
#include "common/analysis/tls_hello.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_TLS_RECORD_HEADER = 5,
    FC_TLS_MESSAGE_HEADER = 4,
    /* RFC 8446 section 5.1. */
    FC_TLS_CHANGE_CIPHER_SPEC = 20,
    FC_TLS_ALERT = 21,
    FC_TLS_HANDSHAKE = 22,
    FC_TLS_APPLICATION_DATA = 23,
    FC_TLS_HEARTBEAT = 24,
};

typedef struct fc_tls_side {
    /* The record */
    uint8_t header[FC_TLS_RECORD_HEADER], header_size;
    uint8_t type;
    uint16_t left;       /* bytes of it that are still to come */
    bool stopped;        /* what came is no TLS: nothing more is read */
    bool lost;           /* record borders are not known until a push begins with what looks like one */
    bool has_gaps;       /* something of this side was not seen, */
    bool missed_records; /* records among it, it may be */
    bool changed_cipher; /* its ChangeCipherSpec was seen */
    /* The handshake message */
    uint8_t message_header[FC_TLS_MESSAGE_HEADER], message_header_size;
    uint8_t message_type;
    bool message_lost; /* message borders are not known until the next record */
    uint32_t message_left;
    /* The alert */
    uint8_t alert_level;
    bool has_alert_level;
    fc_tls_hello hello;
} fc_tls_side;

struct fc_tls_reader {
    fc_tls_summary summary;
    fc_tls_side sides[2]; /* by fc_tls_role */
    bool server_hello;    /* a real one, no retry */
    bool server_flight;   /* TLS 1.2: more than the abbreviated handshake has */
    bool closing;         /* the handshake was complete when the connection was closed */
    bool alert_pushed;    /* in the bytes that were pushed last */
    /* TLS 1.3, by the lengths of records */
    bool early_data, early_data_ended;
    bool client_certificate; /* the client sent more than its Finished */
    bool client_finished;
    int64_t waiting_data_ns; /* the client's first data, while the server has not accepted its certificate; 0
                                = none */
};

/* Where the bytes in hand were seen. */
typedef struct fc_tls_sighting {
    fc_tls_role from;
    int64_t unix_ns;
    uint64_t frame;
} fc_tls_sighting;

/* A record begins; length: of its content. */
void
fc_tls_record_seen(fc_tls_reader *tls, const fc_tls_sighting *at, uint8_t type, uint16_t length);
/* Content of a plaintext handshake or alert record. */
void
fc_tls_handshake_push(fc_tls_reader *tls, const fc_tls_sighting *at, const uint8_t *data, size_t size);
void
fc_tls_alert_push(fc_tls_reader *tls, const fc_tls_sighting *at, const uint8_t *data, size_t size);
/* Content is missing within the record, or more than it. */
void
fc_tls_handshake_gap(fc_tls_reader *tls, fc_tls_role from, size_t missing_bytes);
/* True when the content of this record is not for reading. */
bool
fc_tls_is_encrypted(const fc_tls_reader *tls, fc_tls_role from, uint8_t type, uint16_t length);
/* True when a side that ends the connection now does not break off a handshake, or when too little was seen
 * to say that it does. */
bool
fc_tls_is_complete(const fc_tls_reader *tls, fc_tls_role by);

#endif
