#include "common/base/mem.h"
#include "common/pcapng/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18 };

struct fc_pcapng_reader {
    int fd;      /* borrowed */
    bool at_end; /* read(2) returned 0 */
    bool taken;  /* the caller has the block that the input begins with */
    uint32_t interface_count;
    uint64_t good;     /* offset past the last whole block */
    fc_buf input;      /* owned; starts with the block that is looked at */
    fc_blocks *blocks; /* owned */
    fc_block block;    /* the one that is looked at */
};

static fc_err
corrupt(const fc_pcapng_reader *reader, fc_fail *fail, const char *why)
{
    return fc_fail_set(fail, FC_ERR_CORRUPT, "block at byte %" PRIu64 ": %s", reader->good, why);
}

/* Makes `size` bytes of input present. FC_ERR_NOT_FOUND when the file ends before the first, FC_ERR_CORRUPT
 * when it ends in between. */
static fc_err
need(fc_pcapng_reader *reader, size_t size, fc_fail *fail)
{
    while (fc_buf_size(&reader->input) < size) {
        size_t missing = size - fc_buf_size(&reader->input);
        size_t room = missing > READ_SIZE ? missing : READ_SIZE;
        ssize_t got = reader->at_end ? 0 : read(reader->fd, fc_buf_reserve(&reader->input, room), room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fc_fail_errno(fail, errno, "cannot read the capture file");
        if (got == 0) {
            reader->at_end = true;
            if (fc_buf_size(&reader->input) == 0)
                return fc_fail_set(fail, FC_ERR_NOT_FOUND, "end of file");
            return corrupt(reader, fail, "the file ends within it");
        }
        fc_buf_commit(&reader->input, (size_t)got);
    }
    return FC_OK;
}

/* Looks at the next block, reading as much as it takes to see all of it. */
static fc_err
look(fc_pcapng_reader *reader, fc_fail *fail)
{
    fc_err err = need(reader, 1, fail);
    while (err == FC_OK) {
        fc_fail why = {0};
        fc_blocks_next(reader->blocks, fc_buf_bytes(&reader->input), fc_buf_size(&reader->input),
                       &reader->block, &why);
        if (reader->block.kind == FC_BLOCK_CORRUPT)
            return corrupt(reader, fail, why.text);
        if (reader->block.kind != FC_BLOCK_MORE)
            return FC_OK;
        err = need(reader, reader->block.size, fail);
    }
    return err;
}

fc_err
fc_pcapng_reader_block(fc_pcapng_reader *reader, bool *ret_is_packet, fc_pcapng_packet *ret_packet,
                       fc_fail *fail)
{
    const fc_block *block = &reader->block;
    if (reader->taken)
        fc_buf_consume(&reader->input, block->size);
    reader->taken = false;
    fc_err err = look(reader, fail);
    if (err != FC_OK)
        return err;
    reader->taken = true;
    reader->good += block->size;
    if (block->kind == FC_BLOCK_SECTION)
        reader->interface_count = 0;
    if (block->kind == FC_BLOCK_INTERFACE)
        reader->interface_count++;
    *ret_is_packet = block->kind == FC_BLOCK_FRAME;
    *ret_packet = (fc_pcapng_packet){0};
    if (*ret_is_packet)
        *ret_packet = (fc_pcapng_packet){
            .interface = block->frame.interface,
            .unix_ns = block->frame.unix_ns,
            .data = block->frame.data,
            .captured_bytes = block->frame.captured_bytes,
            .original_bytes = block->frame.original_bytes,
            .flags = block->frame.flags,
            .link_type = block->frame.link_type,
        };
    return FC_OK;
}

/* The first bytes must be a section header's; whether it is whole shows when it is read. */
static fc_err
check_beginning(fc_pcapng_reader *reader, fc_fail *fail)
{
    fc_fail why = {0};
    fc_err err = need(reader, 12, fail);
    if (err == FC_ERR_NOT_FOUND)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "the file is empty");
    if (err != FC_OK)
        return err;
    fc_blocks_next(reader->blocks, fc_buf_bytes(&reader->input), 12, &reader->block, &why);
    return reader->block.kind == FC_BLOCK_CORRUPT ? corrupt(reader, fail, why.text) : FC_OK;
}

fc_err
fc_pcapng_reader_new(int fd, fc_pcapng_reader **ret_reader, fc_fail *fail)
{
    fc_pcapng_reader *reader = FC_NEW(fc_pcapng_reader);
    reader->fd = fd;
    reader->blocks = fc_blocks_new();
    fc_err err = check_beginning(reader, fail);
    if (err != FC_OK) {
        fc_pcapng_reader_free(reader);
        return err;
    }
    *ret_reader = reader;
    return FC_OK;
}

void
fc_pcapng_reader_free(fc_pcapng_reader *reader)
{
    if (reader == NULL)
        return;
    fc_buf_fini(&reader->input);
    fc_blocks_free(reader->blocks);
    free(reader);
}

fc_err
fc_pcapng_reader_next(fc_pcapng_reader *reader, fc_pcapng_packet *ret_packet, fc_fail *fail)
{
    for (;;) {
        bool is_packet;
        fc_pcapng_packet packet;
        fc_err err = fc_pcapng_reader_block(reader, &is_packet, &packet, fail);
        if (err != FC_OK)
            return err;
        if (is_packet) {
            *ret_packet = packet;
            return FC_OK;
        }
    }
}

uint64_t
fc_pcapng_reader_good_offset(const fc_pcapng_reader *reader)
{
    return reader->good;
}

uint32_t
fc_pcapng_reader_interface_count(const fc_pcapng_reader *reader)
{
    return reader->interface_count;
}
