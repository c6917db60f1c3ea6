/* profile.h: the small, bounded summary of an instance capture's traffic.
 *
 * Written by common/analysis from packets, read by common/compare; between them it travels packed
 * (Fcpb__Profile), in at most FC_PROFILE_PACKED_MAX bytes. The vocabulary is in names.h. No packet payload is
 * in it but names: queried names, server names, alerts.
 */
#ifndef FC_PROFILE_PROFILE_H
#define FC_PROFILE_PROFILE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/text.h"
#include "common/profile/address.h"
#include "common/profile/names.h"
#include "common/profile/series.h"
#include "common/profile/sketch.h"
#include "common/profile/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_PROFILE_VERSION = 1,
    FC_PROFILE_PACKED_MAX = 60 << 10, /* fits one frame of the wire */
    FC_PROFILE_FILES_MAX = 64,        /* the first ones; exemplars of later files point nowhere */
    FC_PROFILE_FILE_NAME_MAX = 255,
    FC_PROFILE_FILTER_MAX = 4095,
    FC_PROFILE_ADDRESSES_MAX = 32,
    FC_PROFILE_INTERFACES_MAX = 16,
    FC_EXEMPLARS_MAX = 24, /* per trouble */
    FC_EXEMPLAR_DETAIL_MAX = 95,
    FC_COMMUNITY_ID_SIZE = 31, /* "1:" and 28 characters of base64, and the NUL */
    FC_TROUBLE_DETAILS_MAX = 12,
};
#define FC_EXEMPLAR_NO_FILE UINT32_MAX
/* Beside the segments: the last profile of a fleetcap-capture whose node was gone. */
#define FC_PROFILE_LAST_FILE "profile-last.pb"

typedef struct fc_profile_subject {
    char capture_uid[FC_UID_LENGTH + 1];
    char capture_name[FC_NAME_MAX + 1];
    char instance_id[FC_NAME_MAX + 1];
    char instance_name[FC_NAME_MAX + 1]; /* never empty after analysis: a bare file's name stands in */
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char interfaces[FC_PROFILE_INTERFACES_MAX][16];
    size_t interface_count;
    char **files; /* owned, each owned; base names */
    size_t file_count;
    char *filter; /* owned; NULL = none known */
    uint32_t snaplen_bytes;
    fc_address local_addresses[FC_PROFILE_ADDRESSES_MAX];
    size_t local_address_count;
    int64_t start_ns, end_ns; /* of the window; 0 = not known */
    int64_t first_packet_ns, last_packet_ns;
} fc_profile_subject;

/* One conversation (or question) that shows a trouble. */
typedef struct fc_exemplar {
    int64_t at_ns;
    uint32_t file;  /* index into subject.files; FC_EXEMPLAR_NO_FILE */
    uint64_t frame; /* from 1; 0 = none */
    uint8_t protocol;
    fc_address local, remote; /* family 0 = not known */
    uint16_t local_port, remote_port;
    char community_id[FC_COMMUNITY_ID_SIZE]; /* Community ID v1, seed 0; "" = none */
    char detail[FC_EXEMPLAR_DETAIL_MAX + 1];
    uint64_t value;
} fc_exemplar;

typedef struct fc_trouble {
    uint64_t count;
    int64_t first_ns, last_ns;
    fc_table details;       /* FC_TROUBLE_DETAILS_MAX */
    fc_table peers;         /* "tcp 10.0.0.5:443", FC_TROUBLE_DETAILS_MAX */
    fc_exemplar *exemplars; /* owned; the first FC_EXEMPLARS_MAX, in order of time */
    size_t exemplar_count;
} fc_trouble;

/* About 1 MiB; always on the heap. */
typedef struct fc_profile {
    fc_profile_subject subject;
    uint64_t counters[FC_COUNTER_COUNT];
    fc_sketch sketches[FC_SKETCH_COUNT];
    fc_series series;
    fc_table tables[FC_TABLE_COUNT];
    fc_trouble troubles[FC_TROUBLE_COUNT];
} fc_profile;

fc_profile *
fc_profile_new(void);
void
fc_profile_free(fc_profile *profile);
/* Deep copy over *to. */
void
fc_profile_copy(fc_profile *to, const fc_profile *from);
/* Back to what fc_profile_new gives. */
void
fc_profile_clear(fc_profile *profile);
/* Index of a file's name in subject.files, added when new; FC_EXEMPLAR_NO_FILE when there is no room. */
uint32_t
fc_profile_file(fc_profile *profile, const char *name);
void
fc_profile_add_local_address(fc_profile *profile, const fc_address *address);

/* Counts one trouble, with its peer ("tcp 10.0.0.5:443", made from the exemplar's remote end) and detail
 * (exemplar->detail), and keeps the exemplar if it is among the first by time. exemplar: copied. */
void
fc_profile_trouble(fc_profile *profile, fc_trouble_id id, const fc_exemplar *exemplar);

/* Adds another profile of the same instance (its next files). */
void
fc_profile_merge(fc_profile *profile, const fc_profile *more);
/* Appends the packed message. Entries and exemplars give way, and are counted in PROFILE_TRIMMED, until it
 * fits. Does not change *profile otherwise than by sorting its tables. */
void
fc_profile_pack(fc_profile *profile, fc_buf *out);
/* Trusts nothing: sizes, ids, counts, texts. *ret_profile is new, owned by the caller. FC_ERR_CORRUPT. */
FC_MUST_USE fc_err
fc_profile_unpack(const uint8_t *data, size_t size, fc_profile **ret_profile, fc_fail *fail);
json_t *
fc_profile_to_json(const fc_profile *profile); /* new reference; docs/profile.md */

/* "10.0.0.5:443", "[2001:db8::1]:443", with protocol "tcp 10.0.0.5:443". Returns text. */
#define FC_ENDPOINT_TEXT 64
const char *
fc_endpoint_text(uint8_t protocol, const fc_address *address, uint16_t port, char text[FC_ENDPOINT_TEXT]);
/* A Wireshark display filter that shows the exemplar's conversation: "ip.addr == 10.0.0.5 && tcp.port == 443
 * && …". */
void
fc_exemplar_display_filter(const fc_exemplar *exemplar, fc_buf *out);

#endif
