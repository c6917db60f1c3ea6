/* engine.h: makes Mbed TLS, with the credentials of an fc_tls, NNG's TLS engine. */
#ifndef FC_TLS_ENGINE_H
#define FC_TLS_ENGINE_H

#include "common/base/err.h"
#include "common/tls/tls.h"

struct nng_tls_config;

/* Registers the engine and allocates a configuration that holds `tls`. */
FC_MUST_USE fc_err
fc_engine_config(fc_tls *tls, fc_tls_mode mode, struct nng_tls_config **ret_config, fc_fail *fail);

#endif
