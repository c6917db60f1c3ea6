#include "node/fake_storage.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kept {
    struct kept *next;
    char directory[ND_DIRECTORY_SIZE];
    char uid[FC_UID_LENGTH + 1];
    fc_buf spec; /* packed, as on a disk */
    fc_status status;
    fc_buf evidence[ND_EVIDENCE_FILES];
} kept;

typedef struct answer {
    struct answer *next;
    char uid[FC_UID_LENGTH + 1];
    nd_recovery recovery;
} answer;

typedef struct fake_storage {
    nd_storage storage; /* first */
    fc_loop *loop;      /* borrowed */
    kept *captures;     /* owned */
    answer *answers;    /* owned, to be told by the task */
    fc_task task;
    fc_wall lease_end;
    uint64_t free_bytes, purged;
    bool (*busy)(void *user, const char *uid);
    void *busy_user; /* borrowed */
} fake_storage;

static fake_storage *
self(nd_storage *storage)
{
    return FC_CONTAINER(storage, fake_storage, storage);
}

static kept *
find(const fake_storage *s, const char *directory)
{
    kept *at = s->captures;
    while (at != NULL && strcmp(at->directory, directory) != 0)
        at = at->next;
    return at;
}

static void
kept_free(kept *k)
{
    fc_buf_fini(&k->spec);
    fc_status_fini(&k->status);
    for (int kind = 0; kind < ND_EVIDENCE_FILES; kind++)
        fc_buf_fini(&k->evidence[kind]);
    free(k);
}

static fc_err
put_spec(nd_storage *storage, const char *directory, const nd_desired_capture *want, fc_fail *fail)
{
    (void)fail;
    fake_storage *s = self(storage);
    kept *k = find(s, directory);
    if (k == NULL) {
        k = FC_NEW(kept);
        (void)snprintf(k->directory, sizeof k->directory, "%s", directory);
        (void)snprintf(k->uid, sizeof k->uid, "%s", want->uid);
        k->next = s->captures;
        s->captures = k;
    }
    fc_buf_clear(&k->spec);
    nd_desired_capture_pack(want, &k->spec);
    return FC_OK;
}

static fc_err
save(nd_storage *storage, const char *directory, const fc_status *status, fc_fail *fail)
{
    kept *k = find(self(storage), directory);
    if (k == NULL)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s is not there", directory);
    fc_status_copy(&k->status, status);
    return FC_OK;
}

static fc_err
save_evidence(nd_storage *storage, const char *directory, nd_evidence_kind kind, const fc_buf *packed,
              fc_fail *fail)
{
    kept *k = find(self(storage), directory);
    if (k == NULL)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s is not there", directory);
    fc_buf_clear(&k->evidence[kind]);
    fc_buf_append(&k->evidence[kind], fc_buf_bytes(packed), fc_buf_size(packed));
    return FC_OK;
}

static fc_err
load_evidence(nd_storage *storage, const char *directory, nd_evidence_kind kind, fc_buf *ret_packed,
              fc_fail *fail)
{
    const kept *k = find(self(storage), directory);
    if (k == NULL || fc_buf_size(&k->evidence[kind]) == 0)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s/%s is not there", directory, nd_evidence_file(kind));
    fc_buf_append(ret_packed, fc_buf_bytes(&k->evidence[kind]), fc_buf_size(&k->evidence[kind]));
    return FC_OK;
}

static void
forget(nd_storage *storage, const char *directory, bool purge)
{
    fake_storage *s = self(storage);
    for (kept **at = &s->captures; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->directory, directory) != 0)
            continue;
        kept *gone = *at;
        *at = gone->next;
        kept_free(gone);
        s->purged += purge;
        return;
    }
}

static fc_err
scan(nd_storage *storage,
     void (*visit)(const char *directory, nd_desired_capture *want, fc_status *status, void *user),
     void *user, fc_fail *fail)
{
    for (kept *k = self(storage)->captures; k != NULL; k = k->next) {
        nd_desired_capture want = {0};
        fc_status status = {0};
        fc_err err = nd_desired_capture_unpack(fc_buf_bytes(&k->spec), fc_buf_size(&k->spec), &want, fail);
        if (err != FC_OK)
            return err;
        fc_status_copy(&status, &k->status);
        visit(k->directory, &want, &status, user);
        nd_desired_capture_fini(&want);
        fc_status_fini(&status);
    }
    return FC_OK;
}

static fc_err
open_directory(nd_storage *storage, const char *directory, int *ret_fd, fc_fail *fail)
{
    fake_storage *s = self(storage);
    const kept *k = find(s, directory);
    if (k == NULL)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s is not there", directory);
    if (s->busy != NULL && s->busy(s->busy_user, k->uid))
        return fc_fail_set(fail, FC_ERR_AGAIN, "an earlier capture helper still works in %s", directory);
    *ret_fd = -1;
    return FC_OK;
}

/* What was listed is what is there; what was open is sealed. */
static void
recover_from(const fc_status *known, nd_recovery *recovery)
{
    recovery->found = fc_alloc_array(known->segment_count, sizeof recovery->found[0]);
    for (size_t i = 0; i < known->segment_count; i++) {
        nd_found *found = &recovery->found[recovery->count];
        if (known->segments[i].removed)
            continue;
        found->segment = known->segments[i];
        found->segment.repaired = found->segment.repaired || !found->segment.sealed;
        found->segment.sealed = true;
        found->modified = found->segment.last_packet;
        recovery->count++;
    }
}

static fc_err
recover_now(nd_storage *storage, const char *directory, const fc_status *known, nd_recovery *ret_recovery,
            fc_fail *fail)
{
    int fd = -1;
    fc_err err = open_directory(storage, directory, &fd, fail);
    if (err == FC_OK)
        recover_from(known, ret_recovery);
    return err;
}

static void
tell(fc_task *task)
{
    fake_storage *s = FC_CONTAINER(task, fake_storage, task);
    while (s->answers != NULL) {
        answer *one = s->answers;
        s->answers = one->next;
        if (s->storage.events != NULL)
            s->storage.events->recovered(s->storage.user, one->uid, &one->recovery);
        nd_recovery_fini(&one->recovery);
        free(one);
    }
}

static void
recover_later(nd_storage *storage, const char *directory, const fc_status *known)
{
    fake_storage *s = self(storage);
    (void)directory;
    answer *one = FC_NEW(answer);
    (void)snprintf(one->uid, sizeof one->uid, "%s", known->capture_uid);
    recover_from(known, &one->recovery);
    one->next = s->answers;
    s->answers = one;
    fc_loop_post(s->loop, &s->task);
}

static void
hash(nd_storage *storage, const char *uid, const fc_segment *segment)
{
    (void)storage;
    (void)uid;
    (void)segment;
}

static fc_err
open_segment(nd_storage *storage, const char *path, int *ret_fd, fc_fail *fail)
{
    (void)storage;
    (void)ret_fd;
    return fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s is only played", path);
}

static uint64_t
free_bytes(nd_storage *storage)
{
    return self(storage)->free_bytes;
}

static void
lease_put(nd_storage *storage, fc_wall end)
{
    self(storage)->lease_end = end;
}

static fc_wall
lease_get(nd_storage *storage)
{
    return self(storage)->lease_end;
}

static const nd_storage_ops fake_ops = {
    .put_spec = put_spec,
    .save = save,
    .save_evidence = save_evidence,
    .load_evidence = load_evidence,
    .forget = forget,
    .scan = scan,
    .open_directory = open_directory,
    .recover_now = recover_now,
    .recover = recover_later,
    .hash = hash,
    .open_segment = open_segment,
    .free_bytes = free_bytes,
    .lease_put = lease_put,
    .lease_get = lease_get,
};

nd_storage *
nd_fake_storage_new(fc_loop *loop)
{
    fake_storage *s = FC_NEW(fake_storage);
    s->storage.ops = &fake_ops;
    s->loop = loop;
    s->task.run = tell;
    s->free_bytes = 1ull << 40;
    return &s->storage;
}

void
nd_fake_storage_free(nd_storage *storage)
{
    if (storage == NULL)
        return;
    fake_storage *s = self(storage);
    fc_loop_withdraw(s->loop, &s->task);
    s->storage.events = NULL;
    tell(&s->task);
    for (kept *k = s->captures, *next; k != NULL; k = next) {
        next = k->next;
        kept_free(k);
    }
    free(s);
}

void
nd_fake_storage_set_busy(nd_storage *storage, bool (*busy)(void *user, const char *uid), void *user)
{
    self(storage)->busy = busy;
    self(storage)->busy_user = user;
}

void
nd_fake_storage_set_free_bytes(nd_storage *storage, uint64_t bytes)
{
    self(storage)->free_bytes = bytes;
}

size_t
nd_fake_storage_count(const nd_storage *storage)
{
    size_t count = 0;
    for (const kept *k = FC_CONTAINER(storage, const fake_storage, storage)->captures; k != NULL; k = k->next)
        count++;
    return count;
}

uint64_t
nd_fake_storage_purged(const nd_storage *storage)
{
    return FC_CONTAINER(storage, const fake_storage, storage)->purged;
}
