/* bench_compare.c: how long it takes to compare a fleet, from packed profiles and contexts to JSON and the
 * report page.
 *
 *     bench-compare [INSTANCES [SCALE]]
 *
 * SCALE 3 (the default) gives profiles of some 25 KiB packed. One instance has a fault. Prints times, sizes,
 * the resident memory at its highest and the verdict.
 */
#include "cli/report/report.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/compare_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct packed_instance {
    char name[32];
    fc_buf profile, start, stop; /* owned */
} packed_instance;

static double
now_s(void)
{
    return (double)fc_clock_mono(&fc_clock_system).ns / 1e9;
}

static double
cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void
put_context(fc_buf *out, size_t index, int64_t at_ns, uint64_t grown)
{
    fc_context context = {0};
    char key[FC_CONTEXT_KEY_MAX + 1];
    fleet_fill_context(&context, index, at_ns, grown);
    for (unsigned i = 0; i < 120; i++) { /* a machine has more settings than a test needs */
        (void)snprintf(key, sizeof key, "net.ipv4.setting_%u", i);
        fc_context_addf(&context, FC_SECTION_SYSCTL, key, "%u", i * 7);
        (void)snprintf(key, sizeof key, i % 2 == 0 ? "TcpExt DropsOfKind%u" : "TcpExt Counter%u", i);
        fc_context_addf(&context, FC_SECTION_SOCKET_COUNTER, key, "%u", (unsigned)(i * index + grown));
    }
    fc_context_sort(&context);
    fc_context_pack(&context, out);
    fc_context_fini(&context);
}

static packed_instance *
make_fleet(size_t count, uint64_t scale, size_t *ret_bytes)
{
    packed_instance *all = fc_alloc_array(count, sizeof *all);
    uint64_t random = 20261121;
    size_t bytes = 0;
    fc_profile *profile = fc_profile_new();
    for (size_t i = 0; i < count; i++) {
        fc_profile_clear(profile);
        (void)snprintf(all[i].name, sizeof all[i].name, "web-%zu", i + 1);
        fleet_fill_profile(profile, i, &random, scale);
        if (i == count / 3) {
            fleet_dns(profile, "10.99.0.53", "service.example", 20, 0, true);
            fleet_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, 20, 17, "10.99.0.53", 53,
                          "a.service.example A");
        }
        fc_profile_pack(profile, &all[i].profile);
        put_context(&all[i].start, i, FLEET_START_NS, 0);
        put_context(&all[i].stop, i, FLEET_START_NS + 30 * FC_NS_PER_S, 3);
        bytes += fc_buf_size(&all[i].profile) + fc_buf_size(&all[i].start) + fc_buf_size(&all[i].stop);
    }
    fc_profile_free(profile);
    *ret_bytes = bytes;
    return all;
}

static void
add_packed(fc_comparer *comparer, const packed_instance *packed)
{
    fc_profile *profile;
    fc_context start = {0}, stop = {0};
    fc_fail fail = {0};
    if (fc_profile_unpack(fc_buf_bytes(&packed->profile), fc_buf_size(&packed->profile), &profile, &fail) !=
            FC_OK ||
        fc_context_unpack(fc_buf_bytes(&packed->start), fc_buf_size(&packed->start), &start, &fail) !=
            FC_OK ||
        fc_context_unpack(fc_buf_bytes(&packed->stop), fc_buf_size(&packed->stop), &stop, &fail) != FC_OK) {
        fprintf(stderr, "bench-compare: %s\n", fail.text);
        exit(1);
    }
    fc_comparer_add(comparer, &(fc_compare_instance){.name = packed->name,
                                                     .region = "north",
                                                     .profile = profile,
                                                     .context_start = &start,
                                                     .context_stop = &stop});
    fc_context_fini(&start);
    fc_context_fini(&stop);
    fc_profile_free(profile);
}

static size_t
report_size(const fc_comparison *comparison)
{
    fc_buf page = {0};
    cli_report_make(&page, &(cli_report){.comparison = comparison, .generated_ns = FLEET_START_NS});
    size_t size = fc_buf_size(&page);
    fc_buf_fini(&page);
    return size;
}

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, bytes = 0;
    uint64_t scale = argc > 2 ? strtoull(argv[2], NULL, 10) : 3;
    if (count == 0 || count > 100000 || scale == 0 || scale > 100) {
        fprintf(stderr, "usage: bench-compare [INSTANCES [SCALE]]\n");
        return 2;
    }
    packed_instance *all = make_fleet(count, scale, &bytes);
    double begun = now_s(), cpu_begun = cpu_s();
    fc_comparer *comparer = fc_comparer_new();
    for (size_t i = 0; i < count; i++)
        add_packed(comparer, &all[i]);
    double added = now_s();
    fc_comparison *comparison;
    if (fc_comparer_finish(comparer, &comparison, NULL) != FC_OK)
        return 1;
    double compared = now_s();
    json_t *json = fc_comparison_to_json(comparison);
    char *text = json_dumps(json, JSON_COMPACT);
    double dumped = now_s(), used = cpu_s() - cpu_begun;
    size_t page = report_size(comparison);
    double reported = now_s();
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%zu instances, %.1f KiB packed each, %zu findings\n", count, (double)bytes / (double)count / 1024,
           comparison->finding_count);
    printf("unpack and features %.3f s, compare %.3f s, JSON %.3f s (%.2f MiB), together %.3f s\n",
           added - begun, compared - added, dumped - compared, (double)strlen(text) / 1048576,
           dumped - begun);
    printf("CPU time of these %.3f s\n", used);
    printf("report page %.3f s, %.2f MiB; resident at most %.0f MiB\n", reported - dumped,
           (double)page / 1048576, (double)usage.ru_maxrss / 1024);
    printf("%s\n", comparison->verdict);
    free(text);
    json_decref(json);
    fc_comparison_free(comparison);
    fc_comparer_free(comparer);
    for (size_t i = 0; i < count; i++) {
        fc_buf_fini(&all[i].profile);
        fc_buf_fini(&all[i].start);
        fc_buf_fini(&all[i].stop);
    }
    free(all);
    return 0;
}
