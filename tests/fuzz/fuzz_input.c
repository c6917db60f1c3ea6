/* Captures of any kind, on any bytes: read to the end in bounded steps, from a file and from a pipe, after a
 * look at its beginning, alike. */
#include "common/pcapng/input.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    fc_err err;
    uint64_t events, frames, sum;
    bool was_cut;
} outcome;

/* Enough for what a small compressed file expands to. */
enum { EVENTS_MAX = 100000 };

static void
look_at(const fc_block *block, fc_input_event event, outcome *told)
{
    if (event == FC_INPUT_FRAME) {
        if (block->frame.original_bytes < block->frame.captured_bytes || block->interface == NULL)
            abort();
        for (uint32_t i = 0; i < block->frame.captured_bytes; i += 64)
            told->sum += block->frame.data[i];
        if (block->frame.captured_bytes > 0)
            told->sum += block->frame.data[block->frame.captured_bytes - 1];
    }
    if (event == FC_INPUT_INTERFACE)
        told->sum += block->interface->ticks_per_second + (uint8_t)block->interface->name[0];
    if (event == FC_INPUT_SECTION && block->comment != NULL)
        told->sum += (uint8_t)block->comment[0];
}

static outcome
read_all(int fd, bool look)
{
    outcome told = {0};
    fc_input *input = NULL;
    fc_fail fail = {0};
    told.err = fc_input_open(fd, "fuzz", &input, &fail);
    fc_input_event event = FC_INPUT_SECTION;
    const fc_block *block = NULL;
    if (input != NULL && look) {
        fc_fail ignored = {0};
        fc_input_look(input);
        for (unsigned i = 0; i < 1000 && event != FC_INPUT_END; i++)
            if (fc_input_next(input, &event, &block, &ignored) != FC_OK)
                break;
        fc_input_rewind(input);
        event = FC_INPUT_SECTION;
    }
    while (told.err == FC_OK && event != FC_INPUT_END && told.events < EVENTS_MAX) {
        told.err = fc_input_next(input, &event, &block, &fail);
        told.events++;
        if (told.err == FC_OK)
            look_at(block, event, &told);
    }
    if (told.err != FC_OK && fail.text[0] == '\0')
        abort();
    if (input != NULL) {
        told.frames = fc_input_frames(input);
        told.was_cut = fc_input_was_cut(input);
    }
    fc_input_free(input);
    return told;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2], fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    outcome from_file = read_all(fd, false);
    if (size > 32768 || pipe(ends) != 0)
        return 0;
    if (write(ends[1], data, size) != (ssize_t)size)
        abort();
    close(ends[1]);
    outcome from_pipe = read_all(ends[0], true);
    if (from_file.err != from_pipe.err || from_file.events != from_pipe.events ||
        from_file.frames != from_pipe.frames || from_file.sum != from_pipe.sum ||
        from_file.was_cut != from_pipe.was_cut)
        abort();
    return 0;
}
