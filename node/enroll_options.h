/* enroll_options.h: what `fleetcap-node enroll` is told: options, and the token from wherever it is. */
#ifndef ND_ENROLL_OPTIONS_H
#define ND_ENROLL_OPTIONS_H

#include "common/base/err.h"
#include "common/model/definition.h"
#include "common/tls/token.h"
#include "node/metadata.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct nd_enroll_options {
    const char *config; /* borrowed from argv, as all texts here */
    bool config_given;
    const char *coordinator, *id, *name, *zone, *state_dir; /* NULL = not given */
    char *token;                                            /* wiped when it has been read */
    const char *token_file;                                 /* "-" = standard input */
    fc_labels labels;                                       /* owned */
    nd_metadata_source metadata;
    uint64_t wait_ms;
    bool force;
} nd_enroll_options;

/* FC_EXIT_OK: go on. Anything else, or *ret_done: exit with it. The caller finishes *ret in every case. */
fc_exit
nd_enroll_options_read(int argc, char **argv, nd_enroll_options *ret, bool *ret_done);
/* The token: of --token, --token-file or the environment's FLEETCAP_TOKEN, whose copies are wiped. */
FC_MUST_USE fc_err
nd_enroll_options_token(nd_enroll_options *options, fc_token *ret_token, fc_fail *fail);
void
nd_enroll_options_fini(nd_enroll_options *options);

#endif
