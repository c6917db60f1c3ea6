#include "common/pcapng/pcapng.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static void
count_packet(fc_pcapng_summary *summary, const fc_pcapng_packet *packet)
{
    summary->packets++;
    summary->captured_bytes += packet->captured_bytes;
    if (summary->first_packet.ns == 0 || packet->unix_ns < summary->first_packet.ns)
        summary->first_packet.ns = packet->unix_ns;
    if (packet->unix_ns > summary->last_packet.ns)
        summary->last_packet.ns = packet->unix_ns;
}

/* Reads blocks until the end or the first that is not whole. FC_ERR_CORRUPT only when there is no whole
 * section header with at least one interface description. */
static fc_err
survey(int fd, fc_pcapng_summary *summary, fc_fail *fail)
{
    fc_pcapng_reader *reader = NULL;
    fc_fail why = {0};
    fc_err err = fc_pcapng_reader_new(fd, &reader, &why);
    bool described = false;
    while (err == FC_OK) {
        bool is_packet;
        fc_pcapng_packet packet;
        err = fc_pcapng_reader_block(reader, &is_packet, &packet, &why);
        if (err == FC_OK && is_packet)
            count_packet(summary, &packet);
        described = described || fc_pcapng_reader_interface_count(reader) > 0;
    }
    if (reader != NULL)
        summary->good_bytes = fc_pcapng_reader_good_offset(reader);
    fc_pcapng_reader_free(reader);
    if (err != FC_ERR_NOT_FOUND && err != FC_ERR_CORRUPT)
        return fc_fail_copy(fail, &why);
    if (!described)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "no whole section header and interface description: %s",
                           why.text);
    return FC_OK;
}

fc_err
fc_pcapng_repair(int fd, fc_pcapng_summary *ret_summary, fc_fail *fail)
{
    struct stat status;
    fc_pcapng_summary summary = {0};
    if (fstat(fd, &status) != 0)
        return fc_fail_errno(fail, errno, "cannot examine the capture file");
    if (lseek(fd, 0, SEEK_SET) != 0)
        return fc_fail_errno(fail, errno, "cannot rewind the capture file");
    fc_err err = survey(fd, &summary, fail);
    if (err != FC_OK)
        return err;
    uint64_t size = (uint64_t)status.st_size;
    if (size > summary.good_bytes) {
        summary.cut_bytes = size - summary.good_bytes;
        if (ftruncate(fd, (off_t)summary.good_bytes) != 0)
            return fc_fail_errno(fail, errno, "cannot cut the capture file to %" PRIu64 " bytes",
                                 summary.good_bytes);
    }
    if (fsync(fd) != 0)
        return fc_fail_errno(fail, errno, "cannot make the repaired capture file durable");
    *ret_summary = summary;
    return FC_OK;
}
