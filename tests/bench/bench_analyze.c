/* bench_analyze.c: captures to measure `fleetcap analyze` with, and the library's own time on them.
 *
 *     bench-analyze make one|many|tcp PACKETS FILE
 *     bench-analyze read FILE [ROUNDS]
 *
 * one: UDP datagrams of 128 bytes, one conversation. many: the same in 20,000 conversations, in random order.
 * tcp: connections of a few requests and answers each, 200 at a time, with a retransmission now and then, and
 * a DNS question before each. read: nanoseconds a packet, for the blocks alone and with the analyzer; the
 * file is in memory.
 */
#include "common/analysis/analyzer.h"
#include "common/base/mem.h"
#include "common/pcapng/blocks.h"
#include "common/pcapng/pcapng.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ETHER = 14, IP = 20, TCP = 20, UDP = 8, BUFFER = 1 << 20, CONNECTIONS = 200, MANY = 20000 };
#define START_NS 1764000000000000000LL

static struct maker {
    int fd;
    uint8_t buffer[BUFFER];
    size_t used;
    int64_t now_ns;
    uint64_t written, wanted;
    uint64_t random; /* xorshift64*, Vigna 2016 */
} maker = {.random = 20261121, .now_ns = START_NS};

static uint64_t
random_number(void)
{
    maker.random ^= maker.random >> 12;
    maker.random ^= maker.random << 25;
    maker.random ^= maker.random >> 27;
    return maker.random * 2685821657736338717u;
}

static void
flush(void)
{
    if (write(maker.fd, maker.buffer, maker.used) != (ssize_t)maker.used) {
        perror("write");
        exit(1);
    }
    maker.used = 0;
}

static void
put(const uint8_t *frame, uint32_t size, bool out)
{
    if (maker.written == maker.wanted)
        return;
    if (maker.used + fc_pcapng_packet_size(size) > BUFFER)
        flush();
    maker.used += fc_pcapng_put_packet(maker.buffer + maker.used, 0, maker.now_ns, frame, size, size,
                                       out ? FC_DIRECTION_OUTBOUND : FC_DIRECTION_INBOUND);
    maker.written++;
    maker.now_ns += 3000;
}

static void
put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void
put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, value >> 16);
    put_u16(at + 2, value & 0xffff);
}

/* Ethernet and IPv4 between 10.0.0.1 and a peer. */
static void
put_headers(uint8_t *frame, uint8_t protocol, uint32_t payload, uint32_t peer, bool out)
{
    static const uint8_t link[ETHER] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
    memcpy(frame, link, ETHER);
    uint8_t *ip = frame + ETHER;
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put_u16(ip + 2, IP + payload);
    ip[8] = 64;
    ip[9] = protocol;
    put_u32(ip + 12, out ? 0x0a000001 : peer);
    put_u32(ip + 16, out ? peer : 0x0a000001);
}

static void
udp(uint32_t peer, uint16_t from, uint16_t to, bool out, const void *payload, uint32_t size)
{
    uint8_t frame[1600] = {0};
    put_headers(frame, 17, UDP + size, peer, out);
    put_u16(frame + ETHER + IP, from);
    put_u16(frame + ETHER + IP + 2, to);
    put_u16(frame + ETHER + IP + 4, UDP + size);
    if (payload != NULL)
        memcpy(frame + ETHER + IP + UDP, payload, size);
    put(frame, ETHER + IP + UDP + size, out);
}

static void
one(bool out)
{
    udp(0x0a000002, out ? 4000 : 5000, out ? 5000 : 4000, out, NULL, 128 - ETHER - IP - UDP);
}

typedef struct connection {
    uint32_t peer, sequence[2]; /* of peer, of us */
    uint16_t port;
    unsigned step, steps;
} connection;

static void
tcp(connection *c, bool out, uint8_t flags, uint32_t size, bool again)
{
    uint8_t frame[1600] = {0};
    put_headers(frame, 6, TCP + size, c->peer, out);
    uint8_t *at = frame + ETHER + IP;
    put_u16(at, out ? c->port : 443);
    put_u16(at + 2, out ? 443 : c->port);
    put_u32(at + 4, again ? c->sequence[out] - size : c->sequence[out]);
    put_u32(at + 8, (flags & 0x10) != 0 ? c->sequence[!out] : 0);
    at[12] = TCP / 4 << 4;
    at[13] = flags;
    put_u16(at + 14, 64000);
    put(frame, ETHER + IP + TCP + size, out);
    if (!again)
        c->sequence[out] += size + ((flags & 3) != 0);
}

static void
dns_pair(connection *c)
{
    uint8_t message[40] = {0, 0,   1,   0,   0,   1,   0,   0,   0, 0,   0,   0,   4, 'h', 'o', 's', 't',
                           7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'n', 'e', 't', 0, 0,   1,   0,   1};
    put_u16(message, c->port);
    message[16] = (uint8_t)('a' + c->port % 26);
    udp(0x0a000035, c->port, 53, true, message, 34);
    message[2] = 0x81;
    udp(0x0a000035, 53, c->port, false, message, 34);
}

/* One step of a connection's life: DNS, handshake, requests of 200 bytes with answers of 3 x 1,000, FINs. */
static void
step(connection *c)
{
    if (c->step == 0) {
        *c = (connection){.peer = 0x0a000100 + (uint32_t)(random_number() % 200),
                          .port = (uint16_t)(32768 + random_number() % 28000),
                          .sequence = {(uint32_t)random_number(), (uint32_t)random_number()},
                          .steps = 4 + (unsigned)(random_number() % 20)};
        dns_pair(c);
        tcp(c, true, 0x02, 0, false);
        tcp(c, false, 0x12, 0, false);
        tcp(c, true, 0x10, 0, false);
    } else if (c->step < c->steps) {
        tcp(c, true, 0x18, 200, false);
        tcp(c, false, 0x10, 1000, false);
        tcp(c, false, 0x10, 1000, false);
        tcp(c, false, 0x18, 1000, false);
        if (random_number() % 100 == 0)
            tcp(c, false, 0x18, 1000, true);
        tcp(c, true, 0x10, 0, false);
    } else {
        tcp(c, true, 0x11, 0, false);
        tcp(c, false, 0x11, 0, false);
        tcp(c, true, 0x10, 0, false);
        c->step = 0;
        return;
    }
    c->step++;
}

static int
make(const char *kind, const char *packets, const char *path)
{
    maker.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    maker.wanted = strtoull(packets, NULL, 10);
    if (maker.fd < 0) {
        perror(path);
        return 1;
    }
    fc_buf head = {0};
    fc_pcapng_put_section(&head, &(fc_pcapng_section){.application = "bench-analyze"});
    fc_pcapng_put_interface(&head, &(fc_pcapng_interface){.name = "eth0", .link_type = 1});
    memcpy(maker.buffer, fc_buf_bytes(&head), fc_buf_size(&head));
    maker.used = fc_buf_size(&head);
    fc_buf_fini(&head);
    static connection connections[CONNECTIONS];
    while (maker.written < maker.wanted) {
        uint64_t which = random_number();
        if (strcmp(kind, "one") == 0)
            one((which & 1) != 0);
        else if (strcmp(kind, "many") == 0)
            udp(0x0b000000 + (uint32_t)(which % MANY), 4000, 5000, true, NULL, 128 - ETHER - IP - UDP);
        else
            step(&connections[which % CONNECTIONS]);
    }
    flush();
    return close(maker.fd);
}

/* Of this process on a processor: other programs do not count. */
static double
seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Reads the file a mebibyte at a time and walks its blocks; the analyzer may be NULL. Returns the packets. */
static uint64_t
walk(int fd, fc_analyzer *analyzer)
{
    static uint8_t buffer[BUFFER];
    fc_blocks *blocks = fc_blocks_new();
    fc_block block = {0};
    uint64_t packets = 0;
    size_t used = 0;
    (void)lseek(fd, 0, SEEK_SET);
    for (ssize_t got; (got = read(fd, buffer + used, sizeof buffer - used)) > 0;) {
        size_t size = used + (size_t)got, at = 0;
        for (;; at += block.size) {
            fc_blocks_next(blocks, buffer + at, size - at, &block, NULL);
            if (block.kind == FC_BLOCK_MORE || block.kind == FC_BLOCK_CORRUPT)
                break;
            packets += block.kind == FC_BLOCK_FRAME;
            if (analyzer != NULL)
                fc_analyzer_block(analyzer, &block);
        }
        used = size - at;
        memmove(buffer, buffer + at, used);
    }
    fc_blocks_free(blocks);
    return packets;
}

static int
read_file(const char *path, int rounds)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    fc_profile *profile = fc_profile_new();
    for (int i = 0; i < rounds; i++) {
        double start = seconds();
        uint64_t packets = walk(fd, NULL);
        double bare = seconds() - start;
        fc_analyzer *analyzer = fc_analyzer_new(NULL);
        start = seconds();
        (void)walk(fd, analyzer);
        double all = seconds() - start;
        start = seconds();
        fc_analyzer_profile(analyzer, profile);
        double snapshot = seconds() - start;
        double n = (double)packets;
        printf(
            "%" PRIu64 " packets: reading blocks %.1f ns, analyzer %.1f ns more, snapshot %.2f ms; %" PRIu64
            " conversations, %" PRIu64 " evicted\n",
            packets, bare / n * 1e9, (all - bare) / n * 1e9, snapshot * 1e3,
            profile->counters[FC_COUNTER_CONVERSATIONS], profile->counters[FC_COUNTER_CONVERSATIONS_EVICTED]);
        fc_analyzer_free(analyzer);
    }
    fc_profile_free(profile);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("at most %ld KiB in memory\n", usage.ru_maxrss);
    return close(fd);
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3], argv[4]);
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "read") == 0)
        return read_file(argv[2], argc == 4 ? atoi(argv[3]) : 3);
    (void)fprintf(stderr, "usage: %s make one|many|tcp PACKETS FILE | read FILE [ROUNDS]\n", argv[0]);
    return 2;
}
