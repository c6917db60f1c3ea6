#include "node/journal.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/hash.h"
#include "node/recover.h"
#include "node/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fleetcap/v1/types.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char SPEC[] = "spec.pb", JOURNAL[] = "journal", LEASE[] = ".lease";

typedef struct journal {
    nd_storage storage; /* first */
    int root_fd;        /* owned: captures_dir */
    nd_worker *worker;  /* owned */
} journal;

static journal *
self(nd_storage *storage)
{
    return FC_CONTAINER(storage, journal, storage);
}

void
nd_storage_directory(const char *name, const char *uid, fc_wall created,
                     char ret_directory[ND_DIRECTORY_SIZE])
{
    time_t seconds = (time_t)(created.ns / FC_NS_PER_S);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(ret_directory, ND_DIRECTORY_SIZE, "%04d/%02d/%02d/%s-%.8s", (tm.tm_year + 1900) % 10000,
                   (tm.tm_mon + 1) % 100, tm.tm_mday % 100, name, uid);
}

void
nd_storage_prefix(const char *instance, fc_wall created, char ret_prefix[ND_PREFIX_SIZE])
{
    time_t seconds = (time_t)(created.ns / FC_NS_PER_S);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(ret_prefix, ND_PREFIX_SIZE, "%s_%02d_%02d_%02d", instance, tm.tm_hour % 100,
                   tm.tm_min % 100, tm.tm_sec % 100);
}

/* ---- spec and journal ---- */

/* A new directory is durable only when its parents are. */
static void
sync_parents(int root_fd, const char *directory)
{
    char path[ND_DIRECTORY_SIZE];
    (void)snprintf(path, sizeof path, "%s", directory);
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        int fd = -1;
        if (fc_file_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, 0, &fd) == FC_OK) {
            (void)fsync(fd);
            close(fd);
        }
    }
    (void)fsync(root_fd);
}

static fc_err
put_spec(nd_storage *storage, const char *directory, const nd_desired_capture *want, fc_fail *fail)
{
    journal *j = self(storage);
    int dir_fd = -1;
    fc_err err = fc_file_open_beneath(j->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &dir_fd);
    if (err == FC_ERR_NOT_FOUND) {
        err = fc_file_make_dirs(j->root_fd, directory, &dir_fd);
        if (err == FC_OK)
            sync_parents(j->root_fd, directory);
    }
    if (err != FC_OK)
        return fc_fail_set(fail, err, "cannot make the directory %s: %s", directory, fc_err_text(err));
    fc_buf bytes = {0};
    nd_desired_capture_pack(want, &bytes);
    err = fc_file_write_atomic(dir_fd, SPEC, fc_buf_bytes(&bytes), fc_buf_size(&bytes), 0640, fail);
    fc_buf_fini(&bytes);
    close(dir_fd);
    return err;
}

static fc_err
save(nd_storage *storage, const char *directory, const fc_status *status, fc_fail *fail)
{
    int dir_fd = -1;
    fc_err err = fc_file_open_beneath(self(storage)->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &dir_fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s cannot be opened: %s", directory, fc_err_text(err));
    Fcpb__InstanceCapture *message = fc_status_to_pb(status);
    fc_buf bytes = {0};
    size_t size = fcpb__instance_capture__get_packed_size(message);
    fc_buf_commit(&bytes, fcpb__instance_capture__pack(message, fc_buf_reserve(&bytes, size)));
    fcpb__instance_capture__free_unpacked(message, NULL);
    err = fc_file_write_atomic(dir_fd, JOURNAL, fc_buf_bytes(&bytes), fc_buf_size(&bytes), 0640, fail);
    fc_buf_fini(&bytes);
    close(dir_fd);
    return err;
}

static fc_err
save_evidence(nd_storage *storage, const char *directory, nd_evidence_kind kind, const fc_buf *packed,
              fc_fail *fail)
{
    int dir_fd = -1;
    fc_err err = fc_file_open_beneath(self(storage)->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &dir_fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s cannot be opened: %s", directory, fc_err_text(err));
    if (fc_buf_size(packed) == 0)
        (void)unlinkat(dir_fd, nd_evidence_file(kind), 0);
    else
        err = fc_file_write_atomic(dir_fd, nd_evidence_file(kind), fc_buf_bytes(packed), fc_buf_size(packed),
                                   0640, fail);
    close(dir_fd);
    return err;
}

static fc_err
load_evidence(nd_storage *storage, const char *directory, nd_evidence_kind kind, fc_buf *ret_packed,
              fc_fail *fail)
{
    int dir_fd = -1;
    fc_err err = fc_file_open_beneath(self(storage)->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &dir_fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s cannot be opened: %s", directory, fc_err_text(err));
    err = fc_file_read(dir_fd, nd_evidence_file(kind), ND_EVIDENCE_BYTES_MAX, ret_packed, fail);
    close(dir_fd);
    return err;
}

static void
delete_files(int dir_fd)
{
    int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd >= 0 ? fdopendir(list_fd) : NULL;
    if (list == NULL) {
        if (list_fd >= 0)
            close(list_fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dir_fd, entry->d_name, 0);
    closedir(list);
}

static void
forget(nd_storage *storage, const char *directory, bool purge)
{
    journal *j = self(storage);
    int dir_fd = -1;
    if (fc_file_open_beneath(j->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &dir_fd) != FC_OK)
        return;
    (void)unlinkat(dir_fd, SPEC, 0);
    (void)unlinkat(dir_fd, JOURNAL, 0);
    for (int kind = 0; kind < ND_EVIDENCE_FILES; kind++)
        (void)unlinkat(dir_fd, nd_evidence_file((nd_evidence_kind)kind), 0);
    if (purge)
        delete_files(dir_fd);
    (void)fsync(dir_fd);
    close(dir_fd);
    /* Empty ones go: the capture's, then the day's, the month's and the year's. */
    char path[ND_DIRECTORY_SIZE];
    (void)snprintf(path, sizeof path, "%s", directory);
    while (unlinkat(j->root_fd, path, AT_REMOVEDIR) == 0 && strrchr(path, '/') != NULL)
        *strrchr(path, '/') = '\0';
}

/* ---- scan ---- */

typedef struct scan {
    journal *j;
    void (*visit)(const char *directory, nd_desired_capture *want, fc_status *status, void *user);
    void *user;
    size_t seen;
} scan;

static void
load_journal(int dir_fd, const char *directory, fc_status *ret_status)
{
    fc_buf bytes = {0};
    fc_fail fail = {0};
    fc_err err = fc_file_read(dir_fd, JOURNAL, ND_JOURNAL_BYTES_MAX, &bytes, &fail);
    if (err == FC_OK) {
        Fcpb__InstanceCapture *message =
            fcpb__instance_capture__unpack(NULL, fc_buf_size(&bytes), fc_buf_bytes(&bytes));
        err = message != NULL ? fc_status_from_pb(message, ret_status, &fail)
                              : fc_fail_set(&fail, FC_ERR_CORRUPT, "not an InstanceCapture");
        if (message != NULL)
            fcpb__instance_capture__free_unpacked(message, NULL);
    }
    if (err != FC_OK && err != FC_ERR_NOT_FOUND)
        fc_log(FC_LOG_WARNING, "%s/journal cannot be used: %s", directory, fail.text);
    fc_buf_fini(&bytes);
}

static void
scan_capture(scan *s, int dir_fd, const char *directory)
{
    fc_buf bytes = {0};
    fc_fail fail = {0};
    nd_desired_capture want = {0};
    fc_err err = fc_file_read(dir_fd, SPEC, ND_SPEC_BYTES_MAX, &bytes, &fail);
    if (err == FC_OK) {
        char expected[ND_DIRECTORY_SIZE];
        err = nd_desired_capture_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &want, &fail);
        if (err == FC_OK) {
            nd_storage_directory(want.name, want.uid, want.created, expected);
            if (strcmp(expected, directory) != 0)
                err = fc_fail_set(&fail, FC_ERR_CORRUPT, "spec.pb belongs to %s", expected);
        }
        if (err == FC_OK) {
            fc_status status = {0};
            load_journal(dir_fd, directory, &status);
            s->visit(directory, &want, &status, s->user);
            fc_status_fini(&status);
        }
        nd_desired_capture_fini(&want);
    }
    if (err != FC_OK && err != FC_ERR_NOT_FOUND) /* without spec.pb: forgotten, files kept */
        fc_log(FC_LOG_WARNING, "%s cannot be restored: %s", directory, fail.text);
    fc_buf_fini(&bytes);
}

static bool
digits(const char *text, size_t count)
{
    return strlen(text) == count && strspn(text, "0123456789") == count;
}

/* depth 0 is captures_dir, 1 to 3 are year, month and day, 4 is a capture. */
static void
scan_level(scan *s, int dir_fd, const char *path, int depth)
{
    static const size_t widths[] = {4, 2, 2};
    if (depth == 4) {
        scan_capture(s, dir_fd, path);
        return;
    }
    int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd >= 0 ? fdopendir(list_fd) : NULL;
    if (list == NULL) {
        if (list_fd >= 0)
            close(list_fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL && s->seen < ND_SCAN_MAX;) {
        char below[ND_DIRECTORY_SIZE];
        int fd = -1;
        if (depth < 3 ? !digits(entry->d_name, widths[depth]) : entry->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof below, "%s%s%s", path, *path != '\0' ? "/" : "", entry->d_name) >=
                (int)sizeof below ||
            fc_file_open_beneath(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY, 0, &fd) != FC_OK)
            continue;
        s->seen++;
        scan_level(s, fd, below, depth + 1);
        close(fd);
    }
    closedir(list);
}

static fc_err
scan_all(nd_storage *storage,
         void (*visit)(const char *directory, nd_desired_capture *want, fc_status *status, void *user),
         void *user, fc_fail *fail)
{
    scan s = {.j = self(storage), .visit = visit, .user = user};
    scan_level(&s, s.j->root_fd, "", 0);
    if (s.seen >= ND_SCAN_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "more than %d directories below the captures directory",
                           ND_SCAN_MAX);
    return FC_OK;
}

/* ---- files ---- */

static fc_err
open_directory(nd_storage *storage, const char *directory, int *ret_fd, fc_fail *fail)
{
    int fd = -1;
    fc_err err = fc_file_open_beneath(self(storage)->root_fd, directory, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s cannot be opened: %s", directory, fc_err_text(err));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK
                  ? fc_fail_set(fail, FC_ERR_AGAIN, "an earlier capture helper still works in %s", directory)
                  : fc_fail_errno(fail, errno, "cannot lock %s", directory);
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return FC_OK;
}

static fc_err
recover_now(nd_storage *storage, const char *directory, const fc_status *known, nd_recovery *ret_recovery,
            fc_fail *fail)
{
    int fd = -1;
    fc_err err = open_directory(storage, directory, &fd, fail);
    if (err != FC_OK)
        return err;
    nd_recover_directory(fd, directory, known, ret_recovery);
    close(fd);
    return FC_OK;
}

typedef struct recover_job {
    nd_job job; /* first */
    journal *j;
    char directory[ND_DIRECTORY_SIZE];
    fc_status known; /* owned copy */
    nd_recovery recovery;
} recover_job;

static void
recover_work(nd_job *job, const atomic_bool *giving_up)
{
    recover_job *r = FC_CONTAINER(job, recover_job, job);
    (void)giving_up;
    fc_err err = recover_now(&r->j->storage, r->directory, &r->known, &r->recovery, &r->recovery.fail);
    /* The helper is gone: the lock goes with its last descriptor, which may take the kernel a moment. */
    for (int tries = 0; err == FC_ERR_AGAIN && tries < 50; tries++) {
        (void)usleep(20000);
        err = recover_now(&r->j->storage, r->directory, &r->known, &r->recovery, &r->recovery.fail);
    }
}

static void
recover_done(nd_job *job)
{
    recover_job *r = FC_CONTAINER(job, recover_job, job);
    if (r->j->storage.events != NULL)
        r->j->storage.events->recovered(r->j->storage.user, r->known.capture_uid, &r->recovery);
}

static void
recover_drop(nd_job *job)
{
    recover_job *r = FC_CONTAINER(job, recover_job, job);
    fc_status_fini(&r->known);
    nd_recovery_fini(&r->recovery);
    free(r);
}

static void
recover_later(nd_storage *storage, const char *directory, const fc_status *known)
{
    recover_job *r = FC_NEW(recover_job);
    r->job = (nd_job){.work = recover_work, .done = recover_done, .drop = recover_drop};
    r->j = self(storage);
    (void)snprintf(r->directory, sizeof r->directory, "%s", directory);
    fc_status_copy(&r->known, known);
    nd_worker_submit(r->j->worker, &r->job);
}

typedef struct hash_job {
    nd_job job; /* first */
    journal *j;
    char uid[FC_UID_LENGTH + 1];
    char path[sizeof((fc_segment *)NULL)->path];
    uint32_t sequence;
    uint64_t size_bytes;
    uint8_t sha256[32];
    fc_fail fail;
} hash_job;

static void
hash_work(nd_job *job, const atomic_bool *giving_up)
{
    hash_job *h = FC_CONTAINER(job, hash_job, job);
    int fd = -1;
    fc_err err = fc_file_open_beneath(h->j->root_fd, h->path, O_RDONLY, 0, &fd);
    if (err != FC_OK) {
        fc_fail_set(&h->fail, err, "%s cannot be opened: %s", h->path, fc_err_text(err));
        return;
    }
    if (nd_hash_file(fd, giving_up, h->sha256, &h->size_bytes, &h->fail) != FC_OK && h->fail.err == FC_OK)
        fc_fail_set(&h->fail, FC_ERR_INTERNAL, "%s was not hashed", h->path);
    close(fd);
}

static void
hash_done(nd_job *job)
{
    hash_job *h = FC_CONTAINER(job, hash_job, job);
    if (h->j->storage.events != NULL)
        h->j->storage.events->hashed(h->j->storage.user, h->uid, h->sequence, h->size_bytes, h->sha256,
                                     &h->fail);
}

static void
hash_drop(nd_job *job)
{
    free(FC_CONTAINER(job, hash_job, job));
}

static void
hash_later(nd_storage *storage, const char *uid, const fc_segment *segment)
{
    hash_job *h = FC_NEW(hash_job);
    h->job = (nd_job){.work = hash_work, .done = hash_done, .drop = hash_drop};
    h->j = self(storage);
    (void)snprintf(h->uid, sizeof h->uid, "%s", uid);
    memcpy(h->path, segment->path, sizeof h->path);
    h->sequence = segment->sequence;
    nd_worker_submit(h->j->worker, &h->job);
}

static fc_err
open_segment(nd_storage *storage, const char *path, int *ret_fd, fc_fail *fail)
{
    fc_err err = fc_file_open_beneath(self(storage)->root_fd, path, O_RDONLY | O_NOCTTY, 0, ret_fd);
    return err == FC_OK ? FC_OK : fc_fail_set(fail, err, "%s cannot be opened: %s", path, fc_err_text(err));
}

static uint64_t
free_bytes(nd_storage *storage)
{
    uint64_t bytes = 0;
    if (fc_file_free_bytes(self(storage)->root_fd, &bytes) != FC_OK)
        return 0;
    return bytes;
}

/* ---- lease ---- */

static void
lease_put(nd_storage *storage, fc_wall end)
{
    int fd = -1;
    if (fc_file_open_beneath(self(storage)->root_fd, LEASE, O_WRONLY | O_CREAT, 0640, &fd) != FC_OK)
        return;
    struct timespec at = {.tv_sec = end.ns / FC_NS_PER_S, .tv_nsec = end.ns % FC_NS_PER_S};
    struct timespec times[2] = {at, at};
    (void)futimens(fd, times);
    close(fd);
}

static fc_wall
lease_get(nd_storage *storage)
{
    struct stat st;
    if (fstatat(self(storage)->root_fd, LEASE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return (fc_wall){0};
    return (fc_wall){st.st_mtim.tv_sec * FC_NS_PER_S + st.st_mtim.tv_nsec};
}

/* ---- life ---- */

static const nd_storage_ops journal_ops = {
    .put_spec = put_spec,
    .save = save,
    .save_evidence = save_evidence,
    .load_evidence = load_evidence,
    .forget = forget,
    .scan = scan_all,
    .open_directory = open_directory,
    .recover_now = recover_now,
    .recover = recover_later,
    .hash = hash_later,
    .open_segment = open_segment,
    .free_bytes = free_bytes,
    .lease_put = lease_put,
    .lease_get = lease_get,
};

fc_err
nd_journal_open(fc_loop *loop, const char *captures_dir, nd_storage **ret_storage, fc_fail *fail)
{
    if (mkdir(captures_dir, 0750) != 0 && errno != EEXIST)
        return fc_fail_errno(fail, errno, "cannot make %s", captures_dir);
    int root_fd = open(captures_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return fc_fail_errno(fail, errno, "cannot open %s", captures_dir);
    if (faccessat(root_fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        fc_err err = fc_fail_errno(fail, errno, "cannot write to %s", captures_dir);
        close(root_fd);
        return err;
    }
    journal *j = FC_NEW(journal);
    j->storage.ops = &journal_ops;
    j->root_fd = root_fd;
    fc_err err = nd_worker_new(loop, &j->worker, fail);
    if (err != FC_OK) {
        close(root_fd);
        free(j);
        return err;
    }
    *ret_storage = &j->storage;
    return FC_OK;
}

void
nd_journal_close(nd_storage *storage)
{
    if (storage == NULL)
        return;
    journal *j = self(storage);
    nd_worker_free(j->worker);
    close(j->root_fd);
    free(j);
}
