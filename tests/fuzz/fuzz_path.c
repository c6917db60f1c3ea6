/* Two captures of any bytes, side by side: the result must hold together, and be the same as JSON.
 *
 * The first two bytes say where the second capture begins; the third, the options. */
#include "common/path/path.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEAD = 3, PACKETS_MAX = 2000 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_end(fc_path *path, fc_path_end end, const uint8_t *data, size_t size)
{
    fc_fail fail = {0};
    fc_input *input = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    if (fc_input_open(fd, "fuzz", &input, &fail) == FC_OK &&
        fc_path_input(path, end, input, "fuzz", &fail) != FC_OK && fail.text[0] == '\0')
        abort();
    fc_input_free(input);
}

static void
check_flow(const fc_path_flow *flow)
{
    uint64_t reasons = 0;
    for (size_t i = 0; i < FC_PATH_REASON_COUNT; i++)
        reasons += flow->reasons[i];
    if (flow->sent != flow->arrived + flow->lost + flow->not_provable + flow->not_examined ||
        reasons != flow->not_provable || flow->lost_first_count > FC_PATH_EXAMPLES_MAX ||
        flow->lost_first_count > flow->lost || flow->lost_bytes > flow->sent_bytes)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    size_t border = HEAD + ((size_t)data[0] << 8 | data[1]) % (size - HEAD + 1);
    const fc_path_options options = {.packets_max = PACKETS_MAX, .lossless = (data[2] & 1) != 0};
    fc_path *path = fc_path_new(&options);
    read_end(path, FC_PATH_A, data + HEAD, border - HEAD);
    if ((data[2] & 2) != 0) /* the same at both ends */
        read_end(path, FC_PATH_B, data + HEAD, border - HEAD);
    else
        read_end(path, FC_PATH_B, data + border, size - border);
    fc_path_result *result = fc_path_judge(path);
    for (size_t i = 0; i < result->count; i++)
        for (int way = 0; way < 2; way++)
            check_flow(&result->conversations[i].flows[way]);
    check_flow(&result->totals[0]);
    check_flow(&result->totals[1]);
    json_t *tree = fc_path_result_to_json(result);
    if (!json_is_string(json_object_get(tree, "verdict")))
        abort();
    json_decref(tree);
    fc_path_result_free(result);
    fc_path_free(path);
    return 0;
}
