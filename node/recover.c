#include "node/recover.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNFLUSHED_MAX = 4096 }; /* a longer .part without a header is no helper that died early: it stays */

static const char SEALED[] = ".pcapng", PART[] = ".part";

void
nd_recovery_fini(nd_recovery *recovery)
{
    free(recovery->found);
    memset(recovery, 0, sizeof *recovery);
}

bool
nd_segment_name_parse(const char *name, nd_segment_name *ret_name)
{
    size_t length = strlen(name);
    bool part = length > sizeof PART - 1 && strcmp(name + length - (sizeof PART - 1), PART) == 0;
    if (part)
        length -= sizeof PART - 1;
    if (length <= sizeof SEALED - 1 ||
        strncmp(name + length - (sizeof SEALED - 1), SEALED, sizeof SEALED - 1) != 0)
        return false;
    length -= sizeof SEALED - 1;
    size_t digits = 0;
    while (digits < length && name[length - 1 - digits] >= '0' && name[length - 1 - digits] <= '9')
        digits++;
    char text[11];
    uint64_t sequence;
    if (digits < 4 || digits >= sizeof text || digits == length || name[length - 1 - digits] != '_')
        return false;
    memcpy(text, name + length - digits, digits);
    text[digits] = '\0';
    if (fc_u64_parse(text, UINT32_MAX, &sequence) != FC_OK || sequence == 0)
        return false;
    *ret_name = (nd_segment_name){(uint32_t)sequence, part};
    return true;
}

static const fc_segment *
known_sealed(const fc_status *known, uint32_t sequence)
{
    for (size_t i = 0; i < known->segment_count; i++)
        if (known->segments[i].sequence == sequence && known->segments[i].sealed &&
            !known->segments[i].removed)
            return &known->segments[i];
    return NULL;
}

/* A sealed file that is no capture file at all is nobody's to cut: it stays as it is. */
static bool
is_pcapng(int fd)
{
    uint32_t type = 0;
    return pread(fd, &type, sizeof type, 0) == (ssize_t)sizeof type && type == FC_PCAPNG_SHB;
}

/* Cuts the file and describes it; an open one gets its final name, or goes when it holds no whole block. */
static fc_err
repair(int dir_fd, const char *name, const nd_segment_name *parsed, nd_found *found, uint64_t *cut_bytes,
       fc_fail *fail)
{
    int fd = -1;
    fc_pcapng_summary summary = {0};
    struct stat before;
    fc_err err = fc_file_open_beneath(dir_fd, name, O_RDWR, 0, &fd);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "%s cannot be opened: %s", name, fc_err_text(err));
    if (fstat(fd, &before) != 0)
        err = fc_fail_errno(fail, errno, "%s", name);
    if (err == FC_OK && !parsed->part && !is_pcapng(fd))
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s is no capture file", name);
    if (err == FC_OK)
        err = fc_pcapng_repair(fd, &summary, fail);
    close(fd);
    if (parsed->part && before.st_size <= UNFLUSHED_MAX && summary.good_bytes == 0 &&
        (err == FC_OK || err == FC_ERR_CORRUPT)) {
        /* No whole section header: the helper died before its first flush. */
        (void)unlinkat(dir_fd, name, 0);
        return FC_ERR_NOT_FOUND;
    }
    if (err != FC_OK)
        return err;
    *cut_bytes += summary.cut_bytes;
    found->segment.sequence = parsed->sequence;
    found->segment.size_bytes = summary.good_bytes;
    found->segment.packets = summary.packets;
    found->segment.first_packet = summary.first_packet;
    found->segment.last_packet = summary.last_packet;
    found->segment.sealed = true;
    found->segment.repaired = parsed->part || summary.cut_bytes > 0;
    found->captured_bytes = summary.captured_bytes;
    found->modified.ns = before.st_mtim.tv_sec * FC_NS_PER_S + before.st_mtim.tv_nsec;
    return FC_OK;
}

static fc_err
recover_one(int dir_fd, const char *directory, const char *name, const nd_segment_name *parsed,
            const fc_status *known, nd_recovery *recovery)
{
    nd_found found = {0};
    char sealed[NAME_MAX + 1];
    size_t length = strlen(name) - (parsed->part ? sizeof PART - 1 : 0);
    memcpy(sealed, name, length);
    sealed[length] = '\0';
    const fc_segment *is_known = parsed->part ? NULL : known_sealed(known, parsed->sequence);
    if (is_known != NULL) {
        found.segment = *is_known;
    } else {
        fc_err err = repair(dir_fd, name, parsed, &found, &recovery->cut_bytes, &recovery->fail);
        if (err != FC_OK)
            return err == FC_ERR_NOT_FOUND ? FC_OK : err;
        if (snprintf(found.segment.path, sizeof found.segment.path, "%s/%s", directory, sealed) >=
            (int)sizeof found.segment.path)
            return fc_fail_set(&recovery->fail, FC_ERR_RANGE, "the name %.80s is too long", sealed);
        if (parsed->part && renameat(dir_fd, name, dir_fd, sealed) != 0)
            return fc_fail_errno(&recovery->fail, errno, "cannot rename %s", name);
    }
    recovery->found = fc_grow_array(recovery->found, recovery->count + 1, sizeof recovery->found[0]);
    recovery->found[recovery->count++] = found;
    return FC_OK;
}

static int
by_sequence(const void *left, const void *right)
{
    const nd_found *a = left, *b = right;
    return (a->segment.sequence > b->segment.sequence) - (a->segment.sequence < b->segment.sequence);
}

void
nd_recover_directory(int dir_fd, const char *directory, const fc_status *known, nd_recovery *ret_recovery)
{
    memset(ret_recovery, 0, sizeof *ret_recovery);
    int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd >= 0 ? fdopendir(list_fd) : NULL;
    if (list == NULL) {
        fc_fail_errno(&ret_recovery->fail, errno, "cannot list %s", directory);
        if (list_fd >= 0)
            close(list_fd);
        return;
    }
    fc_fail first = {0};
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        nd_segment_name parsed;
        if (!nd_segment_name_parse(entry->d_name, &parsed))
            continue;
        fc_err err = recover_one(dir_fd, directory, entry->d_name, &parsed, known, ret_recovery);
        if (err != FC_OK && first.err == FC_OK) {
            first = ret_recovery->fail;
            first.err = err;
        }
    }
    closedir(list);
    (void)fsync(dir_fd);
    ret_recovery->fail = first;
    if (ret_recovery->count > 1)
        qsort(ret_recovery->found, ret_recovery->count, sizeof ret_recovery->found[0], by_sequence);
}
