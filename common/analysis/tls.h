/* tls.h: reads the plaintext part of a TLS connection: how far the handshake came, what was chosen, who ended
 * it and how.
 *
 * RFC 8446, RFC 5246. An incremental parser over each side's bytes in order; bounded memory of its own, no
 * allocation. What follows the change to encryption is recognised by its record headers only: in TLS 1.3 the
 * client's Finished, an alert and what comes after the handshake are told by the lengths of their records
 * (docs/analysis.md).
 */
#ifndef FC_ANALYSIS_TLS_H
#define FC_ANALYSIS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far the handshake came; the highest that was seen. */
typedef enum fc_tls_stage {
    FC_TLS_NONE, /* no TLS */
    FC_TLS_CLIENT_HELLO,
    FC_TLS_SERVER_HELLO,
    FC_TLS_CERTIFICATE, /* the server's */
    FC_TLS_CERTIFICATE_REQUEST,
    FC_TLS_SERVER_DONE,
    FC_TLS_CLIENT_CERTIFICATE,
    FC_TLS_CLIENT_FINISHED, /* its ChangeCipherSpec and what followed it */
    FC_TLS_SERVER_FINISHED,
    FC_TLS_DATA, /* application data after both (TLS 1.3: beyond what a handshake takes) */
} fc_tls_stage;

typedef enum fc_tls_end {
    FC_TLS_END_NONE, /* still going on, or properly over */
    FC_TLS_END_ALERT,
    FC_TLS_END_RST,
    FC_TLS_END_FIN,
    FC_TLS_END_SILENCE,
} fc_tls_end;

/* Which end of the TLS connection. */
typedef enum fc_tls_role { FC_TLS_ROLE_CLIENT, FC_TLS_ROLE_SERVER } fc_tls_role;

enum { FC_TLS_NAME_MAX = 95, FC_TLS_ALPN_MAX = 15 };

typedef struct fc_tls_summary {
    fc_tls_stage stage;
    uint16_t client_version; /* the highest the client offered: 0x0304 = TLS 1.3 */
    uint16_t version;        /* chosen; 0 = not known */
    uint16_t suite;          /* chosen; 0 = not known */
    char server_name[FC_TLS_NAME_MAX + 1];
    char alpn[FC_TLS_ALPN_MAX + 1]; /* chosen where it is readable (TLS 1.2), else the client's first offer */
    bool resumed;
    bool certificate_requested; /* seen (TLS 1.2), or answered with a certificate (TLS 1.3) */
    bool hello_retry;
    bool encrypted_alert; /* the alert is an encrypted one: its level and description are not known, 0 */
    fc_tls_end end;
    bool over; /* closed without breaking off a handshake, as far as was seen; with or without application
                  data */
    uint8_t end_role; /* fc_tls_role of who ended it */
    bool has_alert;   /* the one that ended it, or else the last warning */
    uint8_t alert_role, alert_level, alert_description;
    uint64_t alert_frame;
    int64_t hello_ns; /* ClientHello; 0 = not seen */
    int64_t data_ns;  /* first application data after the handshake; 0 = not seen */
} fc_tls_summary;

const char *
fc_tls_alert_name(uint8_t description, char text[32]); /* "unknown_ca"; "alert 200"; RFC 8446 section 6 */
const char *
fc_tls_version_name(uint16_t version, char text[16]); /* "TLS 1.3"; "0x7f12" */
const char *
fc_tls_suite_name(uint16_t suite, char text[48]); /* IANA's name for the common ones; "0x1234" */
const char *
fc_tls_stage_name(fc_tls_stage stage); /* "clientHello" */
const char *
fc_tls_end_name(fc_tls_end end); /* "alert" */

typedef struct fc_tls_reader fc_tls_reader;
/* True when bytes that begin a connection look like a ClientHello record; at least 3 are needed. */
bool
fc_tls_looks_like(const uint8_t *data, size_t size);
size_t
fc_tls_size(void); /* of one fc_tls_reader, for pools */
/* A fc_tls_reader is a plain value without pointers: copying its bytes copies the parser. */
void
fc_tls_init(fc_tls_reader *tls);
/* The next bytes of one side, in order. True when an alert was in them. */
bool
fc_tls_push(fc_tls_reader *tls, fc_tls_role from, int64_t unix_ns, uint64_t frame, const uint8_t *data,
            size_t size);
/* Bytes of that side are missing (lost to the capture, or cut by the snap length): the parser finds its way
 * again at record borders if the number of missing bytes is known, else it stops reading that side. */
void
fc_tls_gap(fc_tls_reader *tls, fc_tls_role from, size_t missing_bytes);
/* The transport's end: RST, FIN or SILENCE. Counts only while the handshake is not complete; bytes from
 * before a FIN may still come (sent again, or out of order), and what they say counts more. */
void
fc_tls_ended(fc_tls_reader *tls, fc_tls_end how, fc_tls_role by);
/* True when nothing more will be learned: the bytes need not be kept in order any longer. */
bool
fc_tls_is_done(const fc_tls_reader *tls);
void
fc_tls_get(const fc_tls_reader *tls, fc_tls_summary *ret_summary);

#endif
