/* identity.h: who this instance is, on the disk: what an enrolment leaves in state_dir.
 *
 *     ca.crt         every CA that the fleet trusts
 *     identity.yaml  coordinator, name, scale_set, region, zone, labels as found at enrolment
 *     node.pem       certificate and key in one file (0600): one rename replaces both
 *     enrolling.key  the key of an enrolment that is not over (0600): asking again is the same enrolment
 *
 * Each is written beside, synchronised and renamed, in the order ca.crt, identity.yaml, node.pem: whatever
 * ends us between two of them, node.pem is a key and its certificate, and who has a node.pem has the rest.
 */
#ifndef ND_IDENTITY_H
#define ND_IDENTITY_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <jansson.h>
#include <stddef.h>

#define ND_IDENTITY_DIR  "/var/lib/fleetcap-node" /* when nobody says otherwise */
#define ND_IDENTITY_CA   "ca.crt"
#define ND_IDENTITY_FILE "identity.yaml"
#define ND_IDENTITY_NODE "node.pem"
#define ND_IDENTITY_KEY  "enrolling.key"

enum { ND_IDENTITY_BYTES_MAX = 256 * 1024 }; /* of one file */

/* "<state_dir>/<file>", owned by the caller. */
char *
nd_identity_path(const char *state_dir, const char *file);
/* The keys that identity.yaml may have, which a configuration file may have too; ends with NULL. */
extern const char *const nd_identity_keys[];

/* Opens the directory. FC_ERR_DENIED when others may write in it. */
FC_MUST_USE fc_err
nd_identity_open(const char *state_dir, int *ret_dir_fd, fc_fail *fail);
/* The same, made (0700, for `user` when not NULL and we are root) when it is missing. */
FC_MUST_USE fc_err
nd_identity_make(const char *state_dir, const char *user, int *ret_dir_fd, fc_fail *fail);
/* Held until the descriptor is closed: one writer at a time. FC_ERR_AGAIN when somebody else has it. */
FC_MUST_USE fc_err
nd_identity_lock(int dir_fd, fc_fail *fail);

/* identity.yaml as a map (new reference). FC_ERR_NOT_FOUND when there is none. */
FC_MUST_USE fc_err
nd_identity_read(int dir_fd, json_t **ret_tree, fc_fail *fail);
FC_MUST_USE fc_err
nd_identity_write(int dir_fd, const json_t *tree, fc_fail *fail);
/* Reads one of the files, appended. */
FC_MUST_USE fc_err
nd_identity_get(int dir_fd, const char *file, fc_buf *ret_bytes, fc_fail *fail);
/* ca.crt, unless it is the same already. */
FC_MUST_USE fc_err
nd_identity_put_ca(int dir_fd, const void *pem, size_t size, fc_fail *fail);
/* node.pem. */
FC_MUST_USE fc_err
nd_identity_put_node(int dir_fd, const void *certificate_pem, size_t size, const fc_buf *key_pem,
                     fc_fail *fail);
/* enrolling.key */
FC_MUST_USE fc_err
nd_identity_put_key(int dir_fd, const fc_buf *key_pem, fc_fail *fail);
void
nd_identity_drop_key(int dir_fd);

#endif
