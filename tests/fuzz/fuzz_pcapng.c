/* The pcapng reader and repair, on any bytes: what repair leaves must be read without a complaint. */
#include "common/pcapng/pcapng.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    fc_pcapng_summary before, after;
    fc_fail fail = {0};
    if (fc_pcapng_repair(fd, &before, &fail) == FC_OK) {
        if (before.good_bytes > size || before.good_bytes + before.cut_bytes != size)
            abort();
        if (fc_pcapng_repair(fd, &after, &fail) != FC_OK || after.cut_bytes != 0 ||
            after.packets != before.packets)
            abort();
        uint64_t sum = 0;
        fc_pcapng_reader *reader = NULL;
        fc_pcapng_packet packet;
        if (lseek(fd, 0, SEEK_SET) != 0 || fc_pcapng_reader_new(fd, &reader, &fail) != FC_OK)
            abort();
        while (fc_pcapng_reader_next(reader, &packet, &fail) == FC_OK)
            for (uint32_t i = 0; i < packet.captured_bytes; i++)
                sum += packet.data[i];
        if (sum > 255 * size)
            abort();
        fc_pcapng_reader_free(reader);
    } else if (fail.text[0] == '\0') {
        abort();
    }
    close(fd);
    return 0;
}
