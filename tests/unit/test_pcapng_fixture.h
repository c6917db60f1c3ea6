/* test_pcapng_fixture.h: writes captures block by block, in either byte order, and reads them back, for the
 * tests of the input. */
#ifndef FC_TEST_PCAPNG_FIXTURE_H
#define FC_TEST_PCAPNG_FIXTURE_H

#include "common/pcapng/input.h"

enum { FIRST_S = 1764000000, PACKET_BYTES = 5 };
extern const uint8_t packet_bytes[PACKET_BYTES];
extern const int64_t first_ns;

typedef struct ink {
    fc_buf out;
    bool big;
} ink;

int
file_of(const void *bytes, size_t size);
int
pipe_of(const void *bytes, size_t size);
void
put16(ink *to, uint16_t value);
void
put32(ink *to, uint32_t value);
void
put64(ink *to, uint64_t value);
void
put_bytes(ink *to, const void *bytes, size_t size);
void
put_option(ink *to, uint16_t code, const void *value, size_t size);
size_t
block_begin(ink *to, uint32_t type);
void
block_end(ink *to, size_t at);
void
put_section(ink *to, const char *comment);
/* resolution < 0: left out. */
void
put_interface(ink *to, uint16_t link_type, int resolution, int64_t offset_s);
void
put_packet(ink *to, uint32_t interface, uint64_t ticks);
void
put_pcap_header(ink *to, uint32_t magic, uint32_t link);
void
put_pcap_packet(ink *to, uint32_t s, uint32_t part);
fc_input *
opened(int fd);
fc_input *
opened_ink(ink *from);
const fc_block *
expect(fc_input *input, fc_input_event wanted);
void
expect_packet(fc_input *input, int64_t unix_ns);
/* Everything until the end or a fault. */
fc_err
drain(fc_input *input, fc_fail *fail);
void
expect_refused(int fd, const char *words);
/* More packets than a buffer holds, at every alignment of a read. */
void
put_many(ink *to, unsigned count);
void
expect_many(fc_input *input, unsigned count);

#endif
