#include "node/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct account {
    bool change; /* to another user than now */
    uid_t uid;
    gid_t gid;
} account;

static fc_err
find_account(const char *user, account *ret_account, fc_fail *fail)
{
    *ret_account = (account){.change = false, .uid = geteuid(), .gid = getegid()};
    if (user == NULL)
        return FC_OK;
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL)
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "user", "there is no user %s here", user);
    *ret_account =
        (account){.change = entry->pw_uid != geteuid(), .uid = entry->pw_uid, .gid = entry->pw_gid};
    return FC_OK;
}

/* The capabilities put together with capng_update become ours, and `who` with them. */
static fc_err
become(const account *who, bool may_set_bounds, fc_fail *fail)
{
    int rc = 0;
    if (who->change)
        rc = capng_change_id((int)who->uid, (int)who->gid,
                             CAPNG_DROP_SUPP_GRP | (may_set_bounds ? CAPNG_CLEAR_BOUNDING : CAPNG_NO_FLAG));
    else
        rc = capng_apply(may_set_bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
    if (rc != 0)
        return fc_fail_set(fail, FC_ERR_DENIED, "cannot drop privileges to uid %d (libcap-ng says %d)",
                           (int)who->uid, rc);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fc_fail_errno(fail, errno, "cannot forbid new privileges");
    return FC_OK;
}

static fc_err
start(bool *ret_raw, bool *ret_may_set_bounds, fc_fail *fail)
{
    if (capng_get_caps_process() != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot read this process's capabilities");
    *ret_raw = capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW) == 1;
    *ret_may_set_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
    capng_clear(CAPNG_SELECT_BOTH);
    return FC_OK;
}

fc_err
nd_privileges_drop(const char *user, const char *captures_dir, fc_fail *fail)
{
    account who;
    bool raw, may_set_bounds;
    fc_err err = find_account(user, &who, fail);
    if (err != FC_OK)
        return err;
    if (mkdir(captures_dir, 0750) == 0 && who.change && chown(captures_dir, who.uid, who.gid) != 0)
        return fc_fail_errno(fail, errno, "cannot give %s to %s", captures_dir, user);
    err = start(&raw, &may_set_bounds, fail);
    if (err == FC_OK)
        err = become(&who, may_set_bounds, fail);
    if (err == FC_OK)
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return err;
}

fc_err
nd_privileges_keep_raw(const char *user, fc_fail *fail)
{
    account who;
    bool raw, may_set_bounds;
    fc_err err = find_account(user, &who, fail);
    if (err == FC_OK)
        err = start(&raw, &may_set_bounds, fail);
    if (err != FC_OK)
        return err;
    if (raw)
        (void)capng_update(CAPNG_ADD,
                           CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET,
                           CAP_NET_RAW);
    err = become(&who, may_set_bounds, fail);
    if (err == FC_OK && raw && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0)
        err = fc_fail_errno(fail, errno, "cannot pass CAP_NET_RAW on to capture helpers");
    return err;
}

fc_err
nd_privileges_become_owner(int dir_fd, fc_fail *fail)
{
    bool raw, may_set_bounds;
    struct stat st;
    if (geteuid() != 0)
        return FC_OK;
    if (fstat(dir_fd, &st) != 0)
        return fc_fail_errno(fail, errno, "cannot look at the directory");
    account who = {.change = st.st_uid != 0, .uid = st.st_uid, .gid = st.st_gid};
    if (!who.change)
        return FC_OK;
    fc_err err = start(&raw, &may_set_bounds, fail);
    return err == FC_OK ? become(&who, may_set_bounds, fail) : err;
}
