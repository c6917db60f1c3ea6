/* The short way for familiar datagrams gives, field for field, the profile of the long one. */
#include "analysis_rig.h"
#include "common/base/buf.h"
#include "common/profile/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { PACKETS = 20000, CONVERSATIONS = 64, ETHERNET = 14 };

static uint64_t state_of_random;

static uint32_t
random_below(uint32_t limit)
{
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (uint32_t)(state_of_random >> 33) % limit;
}

/* A datagram between one of few hosts and another, most of them plain; some with what must not be taken for
 * plain. */
static uint32_t
make_frame(uint8_t frame[128])
{
    memset(frame, 0, 128);
    uint32_t payload = random_below(60), oddity = random_below(40);
    uint8_t *ip = frame + ETHERNET, *udp = ip + 20;
    uint32_t udp_bytes = 8 + payload, total = 20 + udp_bytes;
    frame[0] = oddity == 1;
    rig_put_be16(frame + 12, oddity == 2 ? 0x86dd : 0x0800);
    ip[0] = oddity == 3 ? 0x46 : oddity == 4 ? 0x55 : 0x45;
    ip[1] = (uint8_t)random_below(256);
    rig_put_be16(ip + 2, oddity == 5 ? 0 : oddity == 6 ? total + 40 : oddity == 7 ? total - 4 : total);
    rig_put_be16(ip + 6, oddity == 8 ? 0x2000 : oddity == 9 ? 3 : oddity < 20 ? 0x4000 : 0);
    ip[8] = 64;
    ip[9] = oddity == 10 ? FC_IP_TCP : oddity == 11 ? 132 : FC_IP_UDP;
    memcpy(ip + 12, (uint8_t[]){10, 0, 0, (uint8_t)(1 + random_below(6))}, 4);
    memcpy(ip + 16, (uint8_t[]){10, 0, 0, (uint8_t)(1 + random_below(6))}, 4);
    rig_put_be16(udp, 4000 + random_below(6));
    rig_put_be16(udp + 2, oddity == 12 ? 53 : 4000 + random_below(6));
    rig_put_be16(udp + 4, oddity == 13   ? 0
                          : oddity == 14 ? 7
                          : oddity == 15 ? udp_bytes + 1
                          : oddity == 16 ? udp_bytes - random_below(payload + 1)
                                         : udp_bytes);
    return ETHERNET + total;
}

static void
pack_of(bool long_way, uint64_t seed, fc_buf *ret_packed)
{
    static const fc_analyzer_options both[2] = {{.conversations_max = CONVERSATIONS},
                                                {.conversations_max = CONVERSATIONS, .long_way = true}};
    fc_analyzer *analyzer = fc_analyzer_new(&both[long_way]);
    fc_profile *profile = fc_profile_new();
    int64_t now_ns = RIG_START_NS;
    state_of_random = seed;
    fc_analyzer_file(analyzer, "random");
    for (int i = 0; i < PACKETS; i++) {
        uint8_t bytes[128];
        uint32_t size = make_frame(bytes), captured = random_below(8) == 0 ? random_below(size + 1) : size;
        fc_block block = {.kind = FC_BLOCK_FRAME};
        now_ns += (int64_t)random_below(random_below(500) == 0 ? 2000000000u : 1000000u);
        block.frame = (fc_frame){.unix_ns = now_ns - (int64_t)random_below(1000),
                                 .data = bytes,
                                 .captured_bytes = captured,
                                 .original_bytes = size,
                                 .interface = random_below(2),
                                 .link_type = random_below(50) == 0 ? 101 : 1,
                                 .direction = (fc_direction)random_below(3)};
        fc_analyzer_block(analyzer, &block);
    }
    fc_analyzer_profile(analyzer, profile);
    fc_profile_pack(profile, ret_packed);
    fc_profile_free(profile);
    fc_analyzer_free(analyzer);
}

static void
the_short_way_leads_to_the_same_profile(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    for (uint64_t seed = first; seed < first + 10; seed++) {
        fc_buf shorter = {0}, longer = {0};
        pack_of(false, seed, &shorter);
        pack_of(true, seed, &longer);
        if (fc_buf_size(&shorter) != fc_buf_size(&longer) ||
            memcmp(fc_buf_bytes(&shorter), fc_buf_bytes(&longer), fc_buf_size(&shorter)) != 0)
            fail_msg("SEED=%llu: the profiles differ", (unsigned long long)seed);
        fc_buf_fini(&shorter);
        fc_buf_fini(&longer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_leads_to_the_same_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
