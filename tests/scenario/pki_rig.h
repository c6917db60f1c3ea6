/* pki_rig.h: a fleet's CA in a directory of its own, and the credentials of its members, for tests over TLS.
 */
#ifndef FC_TESTS_PKI_RIG_H
#define FC_TESTS_PKI_RIG_H

#include "common/base/principal.h"
#include "common/tls/tls.h"
#include "tests/temp_dir.h"

/* Makes a directory, for temp_dir_remove, with the CA of fleet "test". */
void
pki_make(char ret_directory[TEMP_DIR_BYTES]);
/* A certificate that is good for localhost too: <role>-<name>.crt and .key. */
void
pki_issue(const char *directory, fc_role role, const char *name);
/* The TLS of <role>-<name>, which is `leaf`, with the CA's revocation list; expects a server on localhost. */
fc_tls *
pki_credentials(const char *directory, fc_tls_mode mode, const char *leaf);
/* The same of a server that machines without a certificate may enrol at. */
fc_tls *
pki_credentials_enrolling(const char *directory, const char *leaf);

#endif
