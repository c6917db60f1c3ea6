/* A worker's words, on any bytes: the parent takes what is right and is not harmed by the rest. The first
 * byte: a probe or a job. */
#include "cli/worker_wire.h"
#include "common/base/mem.h"
#include "common/profile/profile.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static cli_worker_file *
two_files(void)
{
    cli_worker_file *files = fc_alloc_array(2, sizeof *files);
    for (unsigned i = 0; i < 2; i++)
        files[i] = (cli_worker_file){.path = fc_strdup("dir/web.pcap"), .name = fc_strdup("web.pcap")};
    return files;
}

static void
listen_to(cli_wire_reader *reader, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        if (cli_wire_take(reader, data + at, length) != FC_OK) {
            if (reader->fail.text[0] == '\0')
                abort();
            break;
        }
    }
    fc_buf_fini(&reader->unread);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const bool probe = (data[0] & 1) != 0;
    const size_t piece = data[0] & 2 ? 7 : 4096;
    cli_worker_job job = {.files = two_files(), .file_count = 2};
    if (data[0] & 4) {
        job.conversations = json_array();
        job.dns = json_array();
    }
    cli_wire_reader reader = {.job = probe ? NULL : &job, .files = job.files, .file_count = 2};
    listen_to(&reader, data + 1, size - 1, piece);
    fc_profile *profile = NULL;
    fc_fail fail = {0};
    /* What was kept is a profile. */
    if (fc_buf_size(&job.profile) > 0 &&
        fc_profile_unpack(fc_buf_bytes(&job.profile), fc_buf_size(&job.profile), &profile, &fail) != FC_OK)
        abort();
    fc_profile_free(profile);
    cli_worker_job_fini(&job);
    return 0;
}
