#include "common/rpc/frame.h"

void
fc_rpc_decoder_fini(fc_rpc_decoder *decoder)
{
    fc_buf_fini(&decoder->in);
}

/* The length in the header, when all of the header is there. */
static bool
peek_length(const fc_rpc_decoder *decoder, uint32_t *ret_length)
{
    if (fc_buf_size(&decoder->in) < FC_RPC_FRAME_HEADER)
        return false;
    const uint8_t *at = fc_buf_bytes(&decoder->in);
    *ret_length = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return true;
}

uint8_t *
fc_rpc_decoder_space(fc_rpc_decoder *decoder, uint32_t limit_bytes, size_t *ret_size)
{
    fc_buf *in = &decoder->in;
    size_t wanted = FC_RPC_DECODER_IDLE;
    size_t held = fc_buf_size(in);
    uint32_t length;
    if (decoder->filled && in->capacity >= FC_RPC_DECODER_IDLE)
        wanted = in->capacity * 2 > FC_RPC_DECODER_BUSY ? FC_RPC_DECODER_BUSY : in->capacity * 2;
    if (peek_length(decoder, &length) && length <= limit_bytes && length + FC_RPC_FRAME_HEADER > wanted)
        wanted = length + FC_RPC_FRAME_HEADER;
    if (held == 0 && in->capacity > wanted)
        fc_buf_fini(in); /* a quiet connection gives back what a long frame needed */
    size_t room = wanted > held ? wanted - held : 1;
    uint8_t *space = fc_buf_reserve(in, room);
    *ret_size = in->capacity - in->end;
    return space;
}

void
fc_rpc_decoder_commit(fc_rpc_decoder *decoder, size_t size)
{
    fc_buf_commit(&decoder->in, size);
    decoder->filled = decoder->in.end == decoder->in.capacity;
}

static bool
frame_check(const Fcpb__Frame *frame)
{
    if (frame->body_case == FCPB__FRAME__BODY__NOT_SET)
        return false;
    return frame->body_case != FCPB__FRAME__BODY_REQUEST || frame->request->n_metadata <= FC_RPC_METADATA_MAX;
}

fc_rpc_decode
fc_rpc_decoder_next(fc_rpc_decoder *decoder, uint32_t limit_bytes, fc_rpc_arena *arena,
                    Fcpb__Frame **ret_frame)
{
    uint32_t length;
    if (!peek_length(decoder, &length))
        return FC_RPC_DECODE_MORE;
    if (length > limit_bytes)
        return FC_RPC_DECODE_OVERSIZED;
    if (fc_buf_size(&decoder->in) - FC_RPC_FRAME_HEADER < length)
        return FC_RPC_DECODE_MORE;
    fc_rpc_arena_init(arena, length);
    const uint8_t *body = fc_buf_bytes(&decoder->in) + FC_RPC_FRAME_HEADER;
    Fcpb__Frame *frame = fcpb__frame__unpack(&arena->allocator, length, body);
    fc_buf_consume(&decoder->in, FC_RPC_FRAME_HEADER + (size_t)length);
    if (frame == NULL || !frame_check(frame)) {
        fc_rpc_arena_fini(arena);
        return FC_RPC_DECODE_MALFORMED;
    }
    *ret_frame = frame;
    return FC_RPC_DECODE_FRAME;
}

void
fc_rpc_frame_put(fc_buf *out, const Fcpb__Frame *frame)
{
    size_t size = fcpb__frame__get_packed_size(frame);
    uint8_t *at = fc_buf_reserve(out, FC_RPC_FRAME_HEADER + size);
    at[0] = (uint8_t)(size >> 24);
    at[1] = (uint8_t)(size >> 16);
    at[2] = (uint8_t)(size >> 8);
    at[3] = (uint8_t)size;
    (void)fcpb__frame__pack(frame, at + FC_RPC_FRAME_HEADER);
    fc_buf_commit(out, FC_RPC_FRAME_HEADER + size);
}

void
fc_rpc_frame_text(char *ret_text, size_t size, const char *from)
{
    size_t length = 0;
    for (; length + 1 < size && from[length] != '\0'; length++) {
        unsigned char c = (unsigned char)from[length];
        ret_text[length] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    ret_text[length] = '\0';
}
