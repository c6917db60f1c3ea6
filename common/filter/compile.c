#include "common/base/mem.h"
#include "common/filter/filter.h"
#include "common/filter/value.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

enum {
    SNAPLEN_ALL = 262144,    /* libpcap's MAXIMUM_SNAPLEN: what it takes for "everything" */
    INSTRUCTIONS_MAX = 4096, /* BPF_MAXINSNS, linux/bpf_common.h */
};

/* What libpcap says, in words that help. Found by substring; the first one that fits. */
static const struct {
    const char *said, *sentence;
} translations[] = {
    {"syntax error", "not an expression that pcap-filter(7) describes"},
    {"rejects all packets", "can never match any packet"},
    {"netmask", "'ip broadcast' depends on an interface's netmask; write the broadcast address"},
    {"not supported", "not possible on this kind of interface"},
    {"only supported", "not possible on this kind of interface"},
};

static fc_err
explain(const char *said, fc_fail *fail)
{
    char shown[FC_SHOWN_TEXT];
    fc_shown(said, shown);
    for (size_t i = 0; i < FC_COUNT(translations); i++)
        if (strstr(said, translations[i].said) != NULL)
            return fc_fail_set(fail, FC_ERR_INVALID, "%s (libpcap: %s)", translations[i].sentence, shown);
    return fc_fail_set(fail, FC_ERR_INVALID, "does not compile (libpcap: %s)", shown);
}

static fc_err
compile(pcap_t *pcap, const char *expression, bool optimise, unsigned max, struct bpf_program *ret_program,
        fc_fail *fail)
{
    struct bpf_program program;
    if (pcap_compile(pcap, &program, expression, optimise, PCAP_NETMASK_UNKNOWN) != 0)
        return explain(pcap_geterr(pcap), fail);
    if (program.bf_len > max) {
        unsigned length = program.bf_len;
        pcap_freecode(&program);
        return fc_fail_set(
            fail, FC_ERR_INVALID,
            "needs %u instructions%s and the limit is %u: use fewer items, or whole networks instead of "
            "ranges",
            length, optimise ? "" : " before they are optimised", max);
    }
    *ret_program = program;
    return FC_OK;
}

fc_err
fc_filter_compile(const char *expression, int link_type, uint32_t snaplen_bytes,
                  struct bpf_program *ret_program, fc_fail *fail)
{
    if (strnlen(expression, FC_FILTER_EXPRESSION_MAX + 1) > FC_FILTER_EXPRESSION_MAX)
        return fc_fail_set(fail, FC_ERR_INVALID, "the filter expression has more than %d characters",
                           FC_FILTER_EXPRESSION_MAX);
    int snaplen = snaplen_bytes == 0 || snaplen_bytes > SNAPLEN_ALL ? SNAPLEN_ALL : (int)snaplen_bytes;
    pcap_t *pcap = pcap_open_dead(link_type, snaplen);
    if (pcap == NULL)
        abort(); /* only for lack of memory */
    /* Without the optimiser first: its time grows with the square of the program's length. */
    struct bpf_program program;
    fc_err err = compile(pcap, expression, false, FC_COMPILE_WEIGHT_MAX, &program, fail);
    if (err == FC_OK) {
        pcap_freecode(&program);
        err = compile(pcap, expression, true, INSTRUCTIONS_MAX, ret_program, fail);
    }
    pcap_close(pcap);
    return err;
}
