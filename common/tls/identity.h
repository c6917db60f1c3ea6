/* identity.h: from an X.509 certificate to a principal, and whether it may be at the other end.
 *
 * The certificate's signature has been checked by Mbed TLS or will be; everything here is about what it says.
 */
#ifndef FC_TLS_IDENTITY_H
#define FC_TLS_IDENTITY_H

#include "common/base/principal.h"
#include "common/tls/compat.h"
#include "common/tls/tls.h"

/* Reads fleet, role and name from the one spiffe URI among the subject's alternative names, the serial number
 * and the end of validity; of a node also scale set and region, from the subject's OU and L.
 * FC_ERR_UNAUTHENTICATED when there is no such URI or more than one, or it is not of our form, and when there
 * is more than one OU or L, or it is not a name. */
FC_MUST_USE fc_err
fc_identity_read(const mbedtls_x509_crt *crt, fc_principal *ret_principal, fc_fail *fail);

/* A leaf that `mode` may present: role, extended key usage (exactly one of clientAuth and serverAuth), no CA.
 */
FC_MUST_USE fc_err
fc_identity_check(const mbedtls_x509_crt *crt, fc_tls_mode mode, fc_principal *ret_principal, fc_fail *fail);

/* The serial number as principals carry it. FC_ERR_LIMIT when longer than RFC 5280, 4.1.2.2 allows (20
 * octets). */
FC_MUST_USE fc_err
fc_identity_serial(const uint8_t *bytes, size_t size, char ret_serial[FC_SERIAL_TEXT_SIZE]);

fc_wall
fc_identity_time(const mbedtls_x509_time *time);

#endif
