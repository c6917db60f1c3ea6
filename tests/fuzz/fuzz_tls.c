/* Both sides of a connection, cut and broken off anywhere: how the bytes are cut into pushes does not change
 * what is concluded, what comes after the end changes nothing, and names are printable. */
#include "tls_recording.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~')
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char whole[512], cut[512];
    fc_tls_reader *tls = malloc(fc_tls_size());
    bool has_gap = tls_recording_play(tls, data, size, 0, 0);
    tls_recording_text(tls, whole);
    fc_tls_summary summary;
    fc_tls_get(tls, &summary);
    check_text(summary.server_name);
    check_text(summary.alpn);
    if (summary.end != FC_TLS_END_NONE && summary.end != FC_TLS_END_FIN && !fc_tls_is_done(tls))
        abort();
    (void)fc_tls_looks_like(data, size);
    if (!has_gap) {
        (void)tls_recording_play(tls, data, size, 1 + size % 7, 0);
        tls_recording_text(tls, cut);
        if (strcmp(whole, cut) != 0)
            abort();
    }
    (void)tls_recording_play(tls, data, size, 0, 60);
    free(tls);
    return 0;
}
