#include "common/tls/engine.h"

#include "common/tls/connection.h"

/* Set around nng_tls_config_alloc, which calls config_init on the same thread. */
static _Thread_local fc_tls *being_configured;

static int
config_init(nng_tls_engine_config *config, nng_tls_mode mode)
{
    (void)mode;
    config->tls = being_configured;
    if (config->tls != NULL)
        fc_state_hold(config->tls);
    return 0;
}

static void
config_fini(nng_tls_engine_config *config)
{
    fc_state_drop(config->tls);
}

/* NNG's dialers name the host of their URL. Ours comes from fc_tls_files. */
static int
config_server(nng_tls_engine_config *config, const char *name)
{
    (void)config;
    (void)name;
    return 0;
}

/* What is asked of whom is for fc_tls_files to say, not for NNG's options. */
static int
config_auth(nng_tls_engine_config *config, nng_tls_auth_mode mode)
{
    (void)config;
    return mode == NNG_TLS_AUTH_MODE_REQUIRED ? 0 : NNG_ENOTSUP;
}

static int
config_ca_chain(nng_tls_engine_config *config, const char *certificates, const char *crl)
{
    (void)config;
    (void)certificates;
    (void)crl;
    return NNG_ENOTSUP;
}

static int
config_own_cert(nng_tls_engine_config *config, const char *certificate, const char *key, const char *password)
{
    (void)config;
    (void)certificate;
    (void)key;
    (void)password;
    return NNG_ENOTSUP;
}

static int
config_version(nng_tls_engine_config *config, nng_tls_version min, nng_tls_version max)
{
    (void)config;
    return min <= NNG_TLS_1_2 && NNG_TLS_1_2 <= max ? 0 : NNG_ENOTSUP;
}

#if FC_NNG_ENGINE_V2
static int
config_psk(nng_tls_engine_config *config, const char *identity, const uint8_t *key, size_t size)
{
    (void)config;
    (void)identity;
    (void)key;
    (void)size;
    return NNG_ENOTSUP;
}
#endif

static nng_tls_engine_config_ops config_ops = {
    .size = sizeof(struct nng_tls_engine_config),
    .init = config_init,
    .fini = config_fini,
    .server = config_server,
    .auth = config_auth,
    .ca_chain = config_ca_chain,
    .own_cert = config_own_cert,
    .version = config_version,
#if FC_NNG_ENGINE_V2
    .psk = config_psk,
#endif
};

static const nng_tls_engine engine = {
    .version = NNG_TLS_ENGINE_VERSION,
    .config_ops = &config_ops,
    .conn_ops = &fc_connection_ops,
    .name = "fleetcap",
    .description = "fleetcap on Mbed TLS",
    .fips_mode = false,
};

fc_err
fc_engine_config(fc_tls *tls, fc_tls_mode mode, struct nng_tls_config **ret_config, fc_fail *fail)
{
    /* Asking for the name initialises NNG, which installs its own engine; ours has to come after. Each time,
     * because nng_fini undoes it. */
    (void)nng_tls_engine_name();
    int status = nng_tls_engine_register(&engine);
    if (status == 0) {
        being_configured = tls;
        status = nng_tls_config_alloc(ret_config,
                                      mode == FC_TLS_SERVER ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT);
        being_configured = NULL;
    }
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "NNG takes no TLS engine: %s", nng_strerror(status));
    return FC_OK;
}
