#include "node/identity.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "common/tls/key.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const nd_identity_keys[] = {"coordinator", "name", "scale_set", "region", "zone", "labels", NULL};

char *
nd_identity_path(const char *state_dir, const char *file)
{
    return fc_sprintf("%s/%s", state_dir, file);
}

/* ---- the directory ---- */

static fc_err
cannot(const char *what, const char *state_dir, fc_fail *fail)
{
    if (errno == EACCES)
        return fc_fail_field(fail, FC_ERR_DENIED, "state_dir",
                             "this user may not %s state_dir %.120s: run this as root or as its owner", what,
                             state_dir);
    return fc_fail_errno(fail, errno, "cannot %s state_dir %.120s", what, state_dir);
}

fc_err
nd_identity_open(const char *state_dir, int *ret_dir_fd, fc_fail *fail)
{
    struct stat st;
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cannot("open", state_dir, fail);
    if (fstat(fd, &st) != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        close(fd);
        return fc_fail_field(fail, FC_ERR_DENIED, "state_dir",
                             "state_dir: %.120s can be written by others (chmod 700)", state_dir);
    }
    *ret_dir_fd = fd;
    return FC_OK;
}

static fc_err
give(int dir_fd, const char *state_dir, const char *user, fc_fail *fail)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL)
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "user", "there is no user %.60s here", user);
    if (fchown(dir_fd, entry->pw_uid, entry->pw_gid) != 0)
        return fc_fail_errno(fail, errno, "cannot give %.100s to %.60s", state_dir, user);
    return FC_OK;
}

fc_err
nd_identity_make(const char *state_dir, const char *user, int *ret_dir_fd, fc_fail *fail)
{
    int fd = -1;
    bool made = mkdir(state_dir, 0700) == 0;
    if (!made && errno != EEXIST)
        return cannot("make", state_dir, fail);
    fc_err err = nd_identity_open(state_dir, &fd, fail);
    if (err == FC_OK && made && user != NULL && geteuid() == 0)
        err = give(fd, state_dir, user, fail);
    if (err == FC_OK)
        *ret_dir_fd = fd;
    else if (fd >= 0)
        close(fd);
    return err;
}

fc_err
nd_identity_lock(int dir_fd, fc_fail *fail)
{
    if (flock(dir_fd, LOCK_EX | LOCK_NB) == 0)
        return FC_OK;
    if (errno == EWOULDBLOCK)
        return fc_fail_set(fail, FC_ERR_AGAIN, "another enrolment or renewal is writing in state_dir");
    return fc_fail_errno(fail, errno, "cannot lock state_dir");
}

/* ---- files ---- */

fc_err
nd_identity_get(int dir_fd, const char *file, fc_buf *ret_bytes, fc_fail *fail)
{
    return fc_file_read(dir_fd, file, ND_IDENTITY_BYTES_MAX, ret_bytes, fail);
}

fc_err
nd_identity_put_ca(int dir_fd, const void *pem, size_t size, fc_fail *fail)
{
    fc_buf now = {0};
    fc_err err = FC_OK;
    bool same = nd_identity_get(dir_fd, ND_IDENTITY_CA, &now, NULL) == FC_OK && fc_buf_size(&now) == size &&
                memcmp(fc_buf_bytes(&now), pem, size) == 0;
    if (!same)
        err = fc_file_write_atomic(dir_fd, ND_IDENTITY_CA, pem, size, 0644, fail);
    fc_buf_fini(&now);
    return err;
}

fc_err
nd_identity_put_node(int dir_fd, const void *certificate_pem, size_t size, const fc_buf *key_pem,
                     fc_fail *fail)
{
    fc_buf both = {0};
    (void)fc_buf_reserve(
        &both, size + 1 + fc_buf_size(key_pem)); /* grown, it would leave a copy of the key behind */
    fc_buf_append(&both, certificate_pem, size);
    if (size > 0 && ((const char *)certificate_pem)[size - 1] != '\n')
        fc_buf_append(&both, "\n", 1);
    fc_buf_append(&both, fc_buf_bytes(key_pem), fc_buf_size(key_pem));
    fc_err err =
        fc_file_write_atomic(dir_fd, ND_IDENTITY_NODE, fc_buf_bytes(&both), fc_buf_size(&both), 0600, fail);
    fc_key_wipe(&both);
    return err;
}

fc_err
nd_identity_put_key(int dir_fd, const fc_buf *key_pem, fc_fail *fail)
{
    return fc_file_write_atomic(dir_fd, ND_IDENTITY_KEY, fc_buf_bytes(key_pem), fc_buf_size(key_pem), 0600,
                                fail);
}

void
nd_identity_drop_key(int dir_fd)
{
    (void)unlinkat(dir_fd, ND_IDENTITY_KEY, 0);
}

/* ---- identity.yaml ---- */

static bool
known(const char *key)
{
    for (size_t i = 0; nd_identity_keys[i] != NULL; i++)
        if (strcmp(nd_identity_keys[i], key) == 0)
            return true;
    return false;
}

fc_err
nd_identity_read(int dir_fd, json_t **ret_tree, fc_fail *fail)
{
    fc_buf text = {0};
    json_t *tree = NULL, *value;
    const char *key;
    fc_fail why = {0};
    fc_err err = nd_identity_get(dir_fd, ND_IDENTITY_FILE, &text, fail);
    if (err != FC_OK)
        goto out;
    err = fc_yaml_parse(fc_buf_text(&text), fc_buf_size(&text), &tree, &why);
    if (err == FC_OK && !json_is_object(tree))
        err = fc_fail_set(&why, FC_ERR_INVALID, "not a map of keys and values");
    json_object_foreach (tree, key, value)
        if (err == FC_OK && !known(key))
            err = fc_fail_set(&why, FC_ERR_INVALID, "unknown key '%.60s'", key);
    if (err != FC_OK) {
        (void)fc_fail_set(fail, err, ND_IDENTITY_FILE ": %.200s", why.text);
        json_decref(tree);
        goto out;
    }
    *ret_tree = tree;
out:
    fc_buf_fini(&text);
    return err;
}

/* A JSON string is a double-quoted scalar of YAML too (YAML 1.2, 7.3.1). */
static void
put_text(fc_buf *text, const char *before, const char *key, const char *after, const json_t *value)
{
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    fc_buf_printf(text, "%s%s%s: %s\n", before, key, after, quoted != NULL ? quoted : "\"\"");
    free(quoted);
}

fc_err
nd_identity_write(int dir_fd, const json_t *tree, fc_fail *fail)
{
    fc_buf text = {0};
    const char *label;
    json_t *value;
    fc_buf_printf(&text, "# Written by `fleetcap-node enroll`. The configuration file goes before it.\n");
    for (size_t i = 0; nd_identity_keys[i] != NULL; i++) {
        json_t *one = json_object_get(tree, nd_identity_keys[i]);
        if (json_is_string(one))
            put_text(&text, "", nd_identity_keys[i], "", one);
        else if (json_object_size(one) > 0) {
            fc_buf_printf(&text, "%s:\n", nd_identity_keys[i]);
            json_object_foreach (one, label, value)
                put_text(&text, "  \"", label, "\"", value);
        }
    }
    fc_err err =
        fc_file_write_atomic(dir_fd, ND_IDENTITY_FILE, fc_buf_bytes(&text), fc_buf_size(&text), 0644, fail);
    fc_buf_fini(&text);
    return err;
}
