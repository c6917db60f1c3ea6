#include "node/enroll.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/tls/key.h"
#include "common/tls/token.h"
#include "node/config.h"
#include "node/endpoint.h"
#include "node/enroll_options.h"
#include "node/enrolment.h"
#include "node/identity.h"
#include "node/privileges.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct command {
    nd_enroll_options options;
    nd_config config; /* what the file says, as far as it has to */
    nd_metadata metadata;
    const char *state_dir;   /* borrowed from options or config */
    int dir_fd;              /* of state_dir; -1 = not open yet */
    json_t *before;          /* owned: identity.yaml of an earlier enrolment; NULL = none */
    const char *coordinator; /* borrowed */
    char id[FC_NAME_MAX + 1], name[FC_NAME_MAX + 1];
    fc_key *key; /* owned */
    bool begun;  /* it is of an earlier run that did not come to its end */
    nd_enrolled enrolled;
} command;

static void
note(const char *sentence)
{
    (void)fprintf(stderr, "fleetcap-node: %s\n", sentence);
}

/* ---- where ---- */

static fc_err
open_state(command *c, fc_fail *fail)
{
    const nd_enroll_options *options = &c->options;
    c->state_dir = options->state_dir != NULL    ? options->state_dir
                   : c->config.state_dir != NULL ? c->config.state_dir
                                                 : ND_IDENTITY_DIR;
    fc_err err = nd_identity_make(c->state_dir, c->config.user, &c->dir_fd, fail);
    if (err == FC_OK)
        err = nd_privileges_become_owner(c->dir_fd, fail);
    if (err == FC_OK)
        err = nd_identity_lock(c->dir_fd, fail);
    if (err == FC_OK && nd_identity_read(c->dir_fd, &c->before, NULL) != FC_OK)
        c->before = NULL;
    return err;
}

static fc_err
find_coordinator(command *c, fc_fail *fail)
{
    char *host = NULL;
    uint16_t port = 0;
    c->coordinator = c->options.coordinator != NULL ? c->options.coordinator
                     : c->config.coordinator != NULL
                         ? c->config.coordinator
                         : json_string_value(json_object_get(c->before, "coordinator"));
    if (c->coordinator == NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, "coordinator",
                             "no coordinator: give --coordinator HOST:PORT, or `coordinator` in %.100s",
                             c->options.config);
    fc_err err = nd_endpoint_split(c->coordinator, &host, &port, fail);
    free(host);
    return err;
}

/* ---- already enrolled? ---- */

static void
say(const char *how, const fc_principal *who, const char *name)
{
    char until[FC_TIME_TEXT_SIZE];
    (void)printf("%s as %s%s%s%s of scale set %s in %s, fleet %s; the certificate is good until %s\n", how,
                 who->name, name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "",
                 who->scale_set, who->region, who->fleet, fc_wall_text(who->not_after, until));
}

/* A certificate and key that belong together, of a CA of ca.crt, within their dates. */
static bool
have_good(const command *c, fc_key_certificate *ret_certificate)
{
    char *path = nd_identity_path(c->state_dir, ND_IDENTITY_NODE);
    fc_key *key = NULL;
    fc_buf node = {0}, ca = {0};
    fc_key_certificate found;
    bool good = fc_key_file_read(path, &found, NULL) == FC_OK && fc_key_load(path, &key, NULL) == FC_OK &&
                nd_identity_get(c->dir_fd, ND_IDENTITY_NODE, &node, NULL) == FC_OK &&
                nd_identity_get(c->dir_fd, ND_IDENTITY_CA, &ca, NULL) == FC_OK &&
                fc_key_check(key, found.principal.name, fc_buf_text(&node), fc_buf_size(&node),
                             fc_buf_text(&ca), fc_buf_size(&ca), ret_certificate, NULL) == FC_OK;
    fc_key_wipe(&node);
    fc_buf_fini(&ca);
    fc_key_free(key);
    free(path);
    return good;
}

static fc_err
see_whether_done(command *c, bool *ret_done, fc_fail *fail)
{
    fc_key_certificate own;
    if (c->options.force || !have_good(c, &own))
        return FC_OK;
    if (c->options.id != NULL && strcmp(c->options.id, own.principal.name) != 0)
        return fc_fail_set(fail, FC_ERR_EXISTS,
                           "this machine is enrolled as %s already; to enrol it as %s: --force",
                           own.principal.name, c->options.id);
    nd_identity_drop_key(c->dir_fd);
    say("enrolled already", &own.principal, json_string_value(json_object_get(c->before, "name")));
    *ret_done = true;
    return FC_OK;
}

/* ---- who ---- */

static fc_err
find_who(command *c, fc_fail *fail)
{
    char host[HOST_NAME_MAX + 1] = "", host_name[FC_NAME_MAX + 1] = "";
    const nd_metadata *metadata = &c->metadata;
    if (gethostname(host, sizeof host - 1) == 0)
        (void)nd_metadata_name(host, host_name);
    const char *id = c->options.id != NULL ? c->options.id : *metadata->id != '\0' ? metadata->id : host_name;
    const char *name = c->options.name != NULL   ? c->options.name
                       : c->config.name != NULL  ? c->config.name
                       : *metadata->name != '\0' ? metadata->name
                       : *host_name != '\0'      ? host_name
                                                 : id;
    if (*id == '\0')
        return fc_fail_field(fail, FC_ERR_INVALID, "id", "this machine has no name of its own: give --id ID");
    (void)snprintf(c->id, sizeof c->id, "%s", id);
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    if (metadata->labels_left > 0)
        (void)fprintf(stderr, "fleetcap-node: %u tags of the instance metadata are no labels, and left out\n",
                      metadata->labels_left);
    return FC_OK;
}

/* The key of an enrolment that was begun, else a new one, on the disk before it is used. */
static fc_err
find_key(command *c, fc_fail *fail)
{
    char *path = nd_identity_path(c->state_dir, ND_IDENTITY_KEY);
    fc_buf pem = {0};
    c->begun = access(path, F_OK) == 0 && fc_key_load(path, &c->key, NULL) == FC_OK;
    fc_err err = c->begun ? FC_OK : fc_key_new(&c->key, fail);
    if (err == FC_OK && !c->begun)
        err = fc_key_pem(c->key, &pem, fail);
    if (err == FC_OK && !c->begun)
        err = nd_identity_put_key(c->dir_fd, &pem, fail);
    fc_key_wipe(&pem);
    free(path);
    return err;
}

/* --force wants another key than the one in use; that of an enrolment that was begun is another already. */
static void
drop_key_in_use(const command *c)
{
    const char *const files[2] = {ND_IDENTITY_KEY, ND_IDENTITY_NODE};
    char digests[2][65] = {"", ""};
    for (size_t i = 0; i < FC_COUNT(files); i++) {
        char *path = nd_identity_path(c->state_dir, files[i]);
        fc_key *key = NULL;
        if (fc_key_load(path, &key, NULL) == FC_OK && fc_key_digest_text(key, digests[i], NULL) != FC_OK)
            digests[i][0] = '\0';
        fc_key_free(key);
        free(path);
    }
    if (strcmp(digests[0], digests[1]) == 0)
        nd_identity_drop_key(c->dir_fd);
}

/* ---- the enrolment ---- */

static fc_err
ask(command *c, const fc_token *token, fc_fail *fail)
{
    nd_enrolment enrolment = {.coordinator = c->coordinator,
                              .token = token,
                              .key = c->key,
                              .id = c->id,
                              .name = c->name,
                              .scale_set = c->config.scale_set != NULL ? c->config.scale_set : "",
                              .region = c->config.region != NULL ? c->config.region : "",
                              .wait_ms = c->options.wait_ms,
                              .tell = note};
    return nd_enrolment_run(&enrolment, &c->enrolled, fail);
}

/* Run again with --force, while an operator has not decided or because the answer was lost, it is the same
 * enrolment, which uses the token once. Only when that one is refused does --force begin anew. */
static fc_err
ask_by_force(command *c, const fc_token *token, fc_fail *fail)
{
    fc_err err = ask(c, token, fail);
    if (err != FC_ERR_DENIED || !c->begun)
        return err;
    nd_identity_drop_key(c->dir_fd);
    fc_key_free(c->key);
    c->key = NULL;
    err = find_key(c, fail);
    return err == FC_OK ? ask(c, token, fail) : err;
}

static void
put_text(json_t *tree, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        (void)json_object_set_new(tree, key, json_string(text));
}

/* Tags, as far as an instance can have labels beside those of the file and the flags: with more, the daemon
 * would not start. */
static void
put_tags(json_t *labels, const command *c)
{
    const fc_labels *tags = &c->metadata.labels, *file = &c->config.labels, *flags = &c->options.labels;
    size_t taken = file->count + flags->count;
    unsigned left = 0;
    for (size_t i = 0; i < tags->count; i++) {
        const char *key = tags->items[i].key;
        bool replaced = fc_labels_find(file, key) != NULL || fc_labels_find(flags, key) != NULL;
        if (!replaced && taken >= ND_METADATA_LABELS_MAX) {
            left++;
            continue;
        }
        taken += !replaced;
        (void)json_object_set_new(labels, key, json_string(tags->items[i].value));
    }
    if (left > 0)
        (void)fprintf(stderr,
                      "fleetcap-node: %u tags of the instance metadata are left out: at most %d labels\n",
                      left, ND_METADATA_LABELS_MAX);
}

/* What the configuration file says is not repeated: it goes before this anyhow, and may change. */
static json_t *
identity_tree(const command *c)
{
    json_t *tree = json_object(), *labels = json_object();
    const nd_metadata *metadata = &c->metadata;
    put_text(tree, "coordinator", c->coordinator);
    put_text(tree, "name", c->name);
    put_text(tree, "scale_set", c->enrolled.scale_set);
    put_text(tree, "region", c->enrolled.region);
    put_text(tree, "zone", c->options.zone != NULL ? c->options.zone : metadata->zone);
    put_tags(labels, c);
    for (size_t i = 0; i < c->options.labels.count; i++)
        (void)json_object_set_new(labels, c->options.labels.items[i].key,
                                  json_string(c->options.labels.items[i].value));
    (void)json_object_set_new(tree, "labels", labels);
    return tree;
}

static fc_err
keep(const command *c, fc_fail *fail)
{
    const nd_enrolled *enrolled = &c->enrolled;
    json_t *tree = identity_tree(c);
    fc_buf key_pem = {0};
    fc_err err = fc_key_pem(c->key, &key_pem, fail);
    if (err == FC_OK)
        err = nd_identity_put_ca(c->dir_fd, fc_buf_bytes(&enrolled->ca_pem), fc_buf_size(&enrolled->ca_pem),
                                 fail);
    if (err == FC_OK)
        err = nd_identity_write(c->dir_fd, tree, fail);
    if (err == FC_OK)
        err = nd_identity_put_node(c->dir_fd, fc_buf_bytes(&enrolled->certificate_pem),
                                   fc_buf_size(&enrolled->certificate_pem), &key_pem, fail);
    if (err == FC_OK)
        nd_identity_drop_key(c->dir_fd);
    fc_key_wipe(&key_pem);
    json_decref(tree);
    return err;
}

/* What the daemon will do otherwise than this command. */
static void
warn(const command *c)
{
    const nd_config *config = &c->config;
    if (config->state_dir == NULL || strcmp(config->state_dir, c->state_dir) != 0)
        (void)fprintf(stderr, "fleetcap-node: the daemon reads this with \"state_dir: %s\" in %s\n",
                      c->state_dir, c->options.config);
    if (config->coordinator != NULL && strcmp(config->coordinator, c->coordinator) != 0)
        (void)fprintf(stderr, "fleetcap-node: the daemon will use coordinator %s, as %s says\n",
                      config->coordinator, c->options.config);
}

static fc_err
run(command *c, const fc_token *token, fc_err token_err, fc_fail *fail)
{
    bool done = false;
    fc_fail token_fail = *fail; /* why there is no token: said only if one is needed */
    fc_err err = nd_config_load_before(c->options.config, !c->options.config_given, &c->config, fail);
    if (err == FC_OK)
        err = open_state(c, fail);
    if (err == FC_OK)
        err = see_whether_done(c, &done, fail);
    if (err != FC_OK || done)
        return err;
    if (token_err != FC_OK)
        return fc_fail_copy(fail, &token_fail);
    err = find_coordinator(c, fail);
    if (err == FC_OK)
        err = nd_metadata_read(c->options.metadata, &nd_metadata_places_usual, &c->metadata, fail);
    if (err == FC_OK)
        err = find_who(c, fail);
    if (err == FC_OK && c->options.force)
        drop_key_in_use(c);
    if (err == FC_OK)
        err = find_key(c, fail);
    if (err == FC_OK)
        err = c->options.force ? ask_by_force(c, token, fail) : ask(c, token, fail);
    if (err == FC_OK)
        err = keep(c, fail);
    if (err != FC_OK)
        return err;
    say("enrolled", &c->enrolled.certificate.principal, c->name);
    warn(c);
    return FC_OK;
}

static void
fini(command *c)
{
    nd_enrolled_fini(&c->enrolled);
    fc_key_free(c->key);
    json_decref(c->before);
    nd_metadata_fini(&c->metadata);
    nd_config_fini(&c->config);
    nd_enroll_options_fini(&c->options);
    if (c->dir_fd >= 0)
        close(c->dir_fd);
}

fc_exit
nd_enroll_main(int argc, char **argv)
{
    command c = {.dir_fd = -1};
    fc_token token = {0};
    fc_fail fail = {0};
    bool done = false;
    fc_exit status = nd_enroll_options_read(argc, argv, &c.options, &done);
    if (!done && status == FC_EXIT_OK) {
        fc_err token_err = nd_enroll_options_token(&c.options, &token, &fail);
        fc_err err = run(&c, &token, token_err, &fail);
        fc_token_wipe(&token);
        if (err != FC_OK)
            note(fail.text);
        status = fc_err_exit(err);
    }
    fini(&c);
    return status;
}
