/* The whole way from bytes to a packed profile: pcapng blocks, or raw frames of any link type.
 *
 * An input that does not begin with a section header is raw frames: a byte that chooses the link type, then
 * for each frame a byte of flags and time, two bytes of length, and its bytes.
 */
#include "common/analysis/analyzer.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONVERSATIONS = 16 }; /* few, so that they have to give way */

static void
check_json(json_t *json)
{
    if (json == NULL)
        abort();
    json_decref(json);
}

static void
conversation(void *user, const fc_conversation_summary *summary)
{
    (void)user;
    check_json(fc_conversation_summary_to_json(summary));
}

static void
dns(void *user, const fc_dns_transaction *transaction)
{
    (void)user;
    check_json(fc_dns_transaction_to_json(transaction));
}

static void
feed_blocks(fc_analyzer *analyzer, const uint8_t *data, size_t size)
{
    fc_blocks *blocks = fc_blocks_new();
    fc_block block = {0};
    for (size_t at = 0; at < size; at += block.size) {
        fc_blocks_next(blocks, data + at, size - at, &block, NULL);
        if (block.kind == FC_BLOCK_MORE || block.kind == FC_BLOCK_CORRUPT)
            break;
        fc_analyzer_block(analyzer, &block);
    }
    fc_blocks_free(blocks);
}

static void
feed_frames(fc_analyzer *analyzer, const uint8_t *data, size_t size)
{
    static const uint16_t link_types[] = {1, 113, 276, 101, 12, 14, 228, 229, 0, 108, 105};
    if (size == 0)
        return;
    uint16_t link_type = link_types[data[0] % (sizeof link_types / sizeof link_types[0])];
    int64_t now_ns = 1764000000000000000;
    for (size_t at = 1; at + 3 <= size;) {
        uint32_t length = (uint32_t)data[at + 1] << 8 | data[at + 2], flags = data[at];
        at += 3;
        if (length > size - at)
            length = (uint32_t)(size - at);
        uint8_t *exact = malloc(length > 0 ? length : 1); /* so that a read past the end is seen */
        if (exact == NULL)
            abort();
        memcpy(exact, data + at, length);
        now_ns += (int64_t)(1u << (flags >> 2 & 31)) * 10;
        const fc_block block = {
            .kind = FC_BLOCK_FRAME,
            .frame = {.unix_ns = now_ns,
                      .data = exact,
                      .captured_bytes = length,
                      .original_bytes = length + ((flags & 0x80) != 0 ? 100 : 0),
                      .link_type = link_type,
                      .flags = (uint16_t)(flags & 3),
                      .direction = (fc_direction)(flags & 3)},
        };
        fc_analyzer_block(analyzer, &block);
        free(exact);
        at += length;
    }
}

/* The profile fits, is understood, and a snapshot changes nothing. */
static void
check_profile(fc_analyzer *analyzer)
{
    static fc_profile *profile; /* for all inputs: it is large */
    fc_profile *again = NULL;
    if (profile == NULL)
        profile = fc_profile_new();
    fc_buf packed[2] = {{0}, {0}};
    for (unsigned i = 0; i < 2; i++) {
        fc_analyzer_profile(analyzer, profile);
        fc_profile_pack(profile, &packed[i]);
    }
    size_t size = fc_buf_size(&packed[0]);
    if (size > FC_PROFILE_PACKED_MAX || size != fc_buf_size(&packed[1]) ||
        memcmp(fc_buf_bytes(&packed[0]), fc_buf_bytes(&packed[1]), size) != 0 ||
        fc_profile_unpack(fc_buf_bytes(&packed[0]), size, &again, NULL) != FC_OK ||
        profile->subject.instance_name[0] == '\0')
        abort();
    fc_profile_free(again);
    fc_buf_fini(&packed[0]);
    fc_buf_fini(&packed[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t section[] = {0x0a, 0x0d, 0x0d, 0x0a};
    static const fc_analysis_observer observer = {conversation, dns};
    const fc_analyzer_options options = {.conversations_max = CONVERSATIONS, .observer = &observer};
    fc_analyzer *analyzer = fc_analyzer_new(&options);
    fc_analyzer_file(analyzer, "fuzz.pcapng");
    if (size >= sizeof section && memcmp(data, section, sizeof section) == 0)
        feed_blocks(analyzer, data, size);
    else
        feed_frames(analyzer, data, size);
    if (size % 2 == 0) /* this is most of the time that an input takes */
        check_profile(analyzer);
    fc_analyzer_finish(analyzer);
    fc_analyzer_free(analyzer);
    return 0;
}
