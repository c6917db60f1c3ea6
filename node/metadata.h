/* metadata.h: what a machine's cloud says about it: instance id, name, zone, tags.
 *
 * Two sources: Azure's instance metadata service (a link-local HTTP server) and the file that cloud-init
 * leaves. What they say is somebody else's text: sizes are bounded, everything is made into names or left
 * out, and nothing here decides what the instance may do: scale set and region are the token's.
 */
#ifndef ND_METADATA_H
#define ND_METADATA_H

#include "common/base/err.h"
#include "common/base/text.h"
#include "common/model/definition.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ND_METADATA_AZURE_BYTES_MAX = 64 * 1024,
    ND_METADATA_FILE_BYTES_MAX =
        1024 * 1024, /* instance-data.json repeats all that the cloud gave cloud-init */
    ND_METADATA_LABELS_MAX = 64,
    ND_METADATA_LABEL_VALUE_MAX = 255,
    ND_METADATA_WAIT_MS = 1000,
};

typedef enum nd_metadata_source {
    ND_METADATA_AUTO, /* whichever there is */
    ND_METADATA_AZURE,
    ND_METADATA_CLOUD_INIT,
    ND_METADATA_NONE,
} nd_metadata_source;

typedef struct nd_metadata {
    nd_metadata_source source; /* that it came from; NONE = nothing was found */
    char id[FC_NAME_MAX + 1];  /* "" = not told, as the next two */
    char name[FC_NAME_MAX + 1];
    char zone[FC_NAME_MAX + 1];
    fc_labels labels;     /* owned */
    unsigned labels_left; /* tags that are no label: too many, too long, a second one of that name, not plain
                             text */
} nd_metadata;

typedef struct nd_metadata_places {
    const char *azure_base;      /* "http://169.254.169.254" */
    const char *cloud_init_file; /* "/run/cloud-init/instance-data.json" */
} nd_metadata_places;
extern const nd_metadata_places nd_metadata_places_usual;

/* "auto", "azure", "cloud-init", "none"; false for anything else. */
bool
nd_metadata_source_parse(const char *text, nd_metadata_source *ret_source);
const char *
nd_metadata_source_text(nd_metadata_source source);

/* Makes a name of any text: what no name has becomes '-', what is too long is cut. False when nothing is
 * left. */
bool
nd_metadata_name(const char *text, char ret_name[FC_NAME_MAX + 1]);

/* The answer of GET /metadata/instance?api-version=2021-02-01. Pure. The caller finishes *ret in every case.
 */
FC_MUST_USE fc_err
nd_metadata_parse_azure(const char *text, size_t size, nd_metadata *ret, fc_fail *fail);
/* instance-data.json: the standardised keys of "v1". Pure, likewise. */
FC_MUST_USE fc_err
nd_metadata_parse_cloud_init(const char *text, size_t size, nd_metadata *ret, fc_fail *fail);

/* Asks. AUTO finds what there is and never fails; a named source has to answer. Takes at most a second or so.
 */
FC_MUST_USE fc_err
nd_metadata_read(nd_metadata_source source, const nd_metadata_places *places, nd_metadata *ret,
                 fc_fail *fail);
void
nd_metadata_fini(nd_metadata *metadata);

#endif
